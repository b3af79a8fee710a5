"""How far off an energy may be, in a form that adds up.

The figure is relative to what NVML says. Two things make it uncertain, and they add in different ways:

* The *gain* of a GPU's sensor: ±5 % unless the site has calibrated the model (SC24, arXiv 2312.02741, over
  70 GPUs). Whole models read low or high, so within a model it adds linearly and no sum makes it smaller;
  between models it adds in quadrature. GPUs whose model is not known may be of any: they add linearly to all.
* The *boundaries*: the steps of a counter, the lag of a reading, what lies between samples of power. Each is
  a bound, and bounds add linearly.

The two have nothing to do with one another, and are put together in quadrature. Energy that is missing from
a lower bound is no uncertainty: it is at most the GPU's power limit times the time that is not covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Any

PARTS_PER_MILLION = 1_000_000
#: Of a sensor that nobody calibrated.
GAIN_PARTS_PER_MILLION = 50_000


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Of an energy, or of a sum of energies: `a + b` is that of the sum.

    `gain_nanojoules` is by model of GPU, None for those whose model is not known; it has no zeros.
    """

    gain_nanojoules: Mapping[str | None, int] = field(default_factory=dict)
    boundary_millijoules: int = 0

    @classmethod
    def of(
        cls,
        energy_by_model: Mapping[str | None, int],
        boundary_millijoules: int,
        calibration: Mapping[str, float],
    ) -> Uncertainty:
        """Of energies (millijoules) by model; `calibration` has the gain's error, a fraction, of models that
        the site has calibrated."""
        gains = {
            model: gain
            for model, energy in energy_by_model.items()
            if (gain := abs(energy) * gain_parts_per_million(model, calibration))
        }
        return cls(gains, boundary_millijoules)

    def __add__(self, other: Uncertainty) -> Uncertainty:
        gains = dict(self.gain_nanojoules)
        for model, gain in other.gain_nanojoules.items():
            gains[model] = gains.get(model, 0) + gain
        return Uncertainty(gains, self.boundary_millijoules + other.boundary_millijoules)

    def __sub__(self, part: Uncertainty) -> Uncertainty:
        """Of what is left of a sum when a part of it stands elsewhere: `(a + b) - b` is `a`."""
        gains = {
            model: left
            for model, gain in self.gain_nanojoules.items()
            if (left := gain - part.gain_nanojoules.get(model, 0))
        }
        return Uncertainty(gains, self.boundary_millijoules - part.boundary_millijoules)

    @property
    def millijoules(self) -> int:
        """All of it as one figure, rounded up."""
        known = sum(gain * gain for model, gain in self.gain_nanojoules.items() if model is not None)
        gain = _root(known) + self.gain_nanojoules.get(None, 0)
        return combined_millijoules(gain, self.boundary_millijoules)


def energy_by_model(rows: Iterable[Mapping[str, Any]]) -> dict[str | None, int]:
    """Sums by model, of rows with `gpu_model` and `energy_millijoules`: those of `usage`, and the entries of
    `energy_by_model` in `runs` and `jobs`."""
    found: dict[str | None, int] = {}
    for row in rows:
        if row["energy_millijoules"] is not None:
            found[row["gpu_model"]] = found.get(row["gpu_model"], 0) + row["energy_millijoules"]
    return found


def combined_millijoules(gain_nanojoules: int, boundary_millijoules: int) -> int:
    """What gain and boundaries are together, rounded up."""
    boundary = boundary_millijoules * PARTS_PER_MILLION
    return -(-_root(gain_nanojoules * gain_nanojoules + boundary * boundary) // PARTS_PER_MILLION)


def gain_parts_per_million(model: str | None, calibration: Mapping[str, float]) -> int:
    """The error of the gain of a model's sensors."""
    if model is None or model not in calibration:
        return GAIN_PARTS_PER_MILLION
    return round(calibration[model] * PARTS_PER_MILLION)


def _root(square: int) -> int:
    """The square root, rounded up."""
    root = isqrt(square)
    return root if root * root == square else root + 1
