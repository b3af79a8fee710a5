"""SAM, the Sustainable-Accuracy Metric: beta * accuracy**alpha / log10(electricity).

Source of the formula: Gowda et al., "Watt for What: Rethinking Deep Learning's Energy-Performance
Relationship" (arXiv 2310.06522). The defaults alpha = beta = 5 and the unit kWh are not confirmed
from the paper's text; a score means nothing without its alpha, beta and unit, and beta only scales.

`sam_log1p` is another metric, which no score here ever turns into by itself.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import SupportsFloat

from ..core.accuracy import accuracy_fraction
from .domain import Undefined, UndefinedReason, amount

UNITS_PER_KWH = MappingProxyType({"kWh": 1.0, "Wh": 1_000.0, "MJ": 3.6, "J": 3_600_000.0})


def sam(
    accuracy: SupportsFloat | None,
    energy_kwh: SupportsFloat | None,
    alpha: float = 5.0,
    beta: float = 5.0,
    unit: str = "kWh",
) -> float | Undefined:
    """The score of an accuracy (a fraction, 0 to 1) reached with an energy given in kWh.

    `unit` (kWh, Wh, MJ or J) is what the electricity is counted in inside the logarithm; another unit
    is another metric, with another order. None is unknown. At or below one unit of electricity the
    score is undefined: there the formula has a pole and then scores a better accuracy worse.

    Raises ValueError for an accuracy outside 0 to 1, a negative or infinite energy, nan in either, an
    alpha or beta that is not above 0, an unknown unit.
    """
    return sam_of_measurement(accuracy, energy_kwh, alpha=alpha, beta=beta, unit=unit)


def sam_of_measurement(
    accuracy: SupportsFloat | None,
    energy_kwh: SupportsFloat | None,
    *,
    uncertainty_kwh: SupportsFloat = 0.0,
    is_lower_bound: bool = False,
    alpha: float = 5.0,
    beta: float = 5.0,
    unit: str = "kWh",
) -> float | Undefined:
    """SAM of an energy as it was measured: with what it may be off by, and with what is missing.

    The true energy lies within `energy_kwh` ± `uncertainty_kwh`; where that touches one unit the score
    is undefined (`near_pole`). Of a lower bound only an upper bound of the score is known: `at_most` of
    what is returned. Parameters and errors are those of `sam`.
    """
    per_kwh = _units_per_kwh(alpha, beta, unit)
    fraction = None if accuracy is None else accuracy_fraction(accuracy)
    energy = None if energy_kwh is None else amount(energy_kwh, "energy_kwh")
    uncertainty = amount(uncertainty_kwh, "uncertainty_kwh")
    if fraction is None:
        return Undefined(UndefinedReason.ACCURACY_UNKNOWN)
    if energy is None:
        return Undefined(UndefinedReason.ENERGY_UNKNOWN)

    def formula(electricity: float) -> float:
        return beta * math.pow(fraction, alpha) / math.log10(electricity)

    least, electricity, most = ((energy + off) * per_kwh for off in (-uncertainty, 0.0, uncertainty))
    if is_lower_bound:
        return Undefined(UndefinedReason.LOWER_BOUND, at_most=formula(least) if least > 1 else None)
    if least <= 1 <= most and least < most:
        return Undefined(UndefinedReason.NEAR_POLE)
    if electricity <= 1:
        return Undefined(UndefinedReason.ENERGY_AT_OR_BELOW_ONE_UNIT)
    return formula(electricity)


def sam_range(
    accuracy: SupportsFloat,
    energy_kwh: SupportsFloat,
    uncertainty_kwh: SupportsFloat,
    *,
    alpha: float = 5.0,
    beta: float = 5.0,
    unit: str = "kWh",
) -> tuple[float, float] | None:
    """The scores at both ends of an energy's uncertainty, the lower one first; None where SAM is undefined.

    Near one unit of electricity a small uncertainty becomes a wide range. Parameters and errors are those
    of `sam`.
    """
    if isinstance(
        sam_of_measurement(
            accuracy, energy_kwh, uncertainty_kwh=uncertainty_kwh, alpha=alpha, beta=beta, unit=unit
        ),
        Undefined,
    ):
        return None
    energy, off = amount(energy_kwh, "energy_kwh"), amount(uncertainty_kwh, "uncertainty_kwh")
    low, high = (sam(accuracy, end, alpha, beta, unit) for end in (energy + off, energy - off))
    assert not isinstance(low, Undefined) and not isinstance(high, Undefined)
    return low, high


def sam_log1p(
    accuracy: SupportsFloat | None,
    energy_kwh: SupportsFloat | None,
    alpha: float = 5.0,
    beta: float = 5.0,
    unit: str = "kWh",
) -> float | Undefined:
    """The smooth variant: beta * accuracy**alpha / log10(1 + electricity). It is not SAM.

    Positive above no electricity at all, where it has its pole, and falling with every joule; so it has a
    value where SAM has none, and other values, in another order, where both have one. Undefined for what
    is unknown, and at 0 (or so little that the score is no finite number). Parameters and errors are
    those of `sam`.
    """
    per_kwh = _units_per_kwh(alpha, beta, unit)
    fraction = None if accuracy is None else accuracy_fraction(accuracy)
    energy = None if energy_kwh is None else amount(energy_kwh, "energy_kwh")
    if fraction is None:
        return Undefined(UndefinedReason.ACCURACY_UNKNOWN)
    if energy is None:
        return Undefined(UndefinedReason.ENERGY_UNKNOWN)
    logarithm = math.log1p(energy * per_kwh) / math.log(10)
    score = beta * math.pow(fraction, alpha) / logarithm if logarithm else math.inf
    return score if math.isfinite(score) else Undefined(UndefinedReason.ENERGY_ZERO)


def _units_per_kwh(alpha: float, beta: float, unit: str) -> float:
    """How many of the unit a kWh is. Raises ValueError for a parameter that no score can have."""
    for name, parameter in (("alpha", alpha), ("beta", beta)):
        if not (math.isfinite(parameter) and parameter > 0):
            raise ValueError(f"{name} must be finite and above 0, got {parameter!r}")
    if unit not in UNITS_PER_KWH:
        raise ValueError(f"unit must be one of {', '.join(UNITS_PER_KWH)}, got {unit!r}")
    return UNITS_PER_KWH[unit]
