"""The error of each stage that a joule walks through, against what the GPUs truly drew. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from sam_cluster.core.model import Boundary, Flag, Shard
from sam_cluster.core.units import millijoules_from_power
from sam_cluster.energy.figure import run_energy

from .cases import BOUND, BRIDGED_BOUND, COUNTER_STEP_MICROSECONDS, Case
from .node import Hook

#: /proc/uptime, from which a hook has its instant, shows hundredths of a second.
HOOK_CLOCK_MICROSECONDS = 10_000
#: How often the stand-in's sensor is read anew.
SENSOR_MICROSECONDS = 20_000
#: The counter, and each value brought to an instant, is in whole millijoules.
ROUNDING_MILLIJOULES = 2

#: What a GPU truly drew between two instants, in millijoules.
Truth = Callable[[int, int], Fraction]


class Stage(StrEnum):
    """Where a joule may be lost, in the order in which it gets there."""

    EVENT = "event"  # the instants of the hooks, in energy
    READING = "reading"  # the counter from one reading to another
    BOUNDARY = "boundary"  # the counter brought to the instants of the events
    INTEGRAL = "integral"  # the second meter, power over time
    BRIDGE = "bridge"  # by power over a restart of the counter
    SHARD = "shard"  # the run's figure, by its boundaries
    TABLES = "tables"  # the job's figure in the tables
    QUALITY = "quality"  # what the tables say of how good it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One stage of one case. Energy is in millijoules; None where the stage has a word and no figure."""

    case: str
    stage: Stage
    expected_millijoules: int | None
    got_millijoules: int | None
    bound_millijoules: int | None
    passed: bool
    note: str = ""

    @property
    def error_millijoules(self) -> int | None:
        """Got less expected."""
        if self.expected_millijoules is None or self.got_millijoules is None:
            return None
        return self.got_millijoules - self.expected_millijoules


def judged(
    case: Case, stage: Stage, expected: Fraction | int, got: int | None, bound: float, note: str = ""
) -> Finding:
    """A figure beside the truth. One that is missing has not passed."""
    whole = round(expected)
    return Finding(
        case=case.name,
        stage=stage,
        expected_millijoules=whole,
        got_millijoules=got,
        bound_millijoules=round(bound),
        passed=got is not None and abs(got - whole) <= bound,
        note=note,
    )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Two boundaries of a run with nothing between them; `counted_from` is where the counter's energy of it
    begins: later than `first` where it restarted in between."""

    first: Boundary
    last: Boundary
    counted_from: int


def stretches(shard: Shard, restarts: Sequence[int]) -> Iterator[Stretch]:
    """The stretches of a run on its one GPU, in the order of time."""
    places = {(b.segment, b.uptime_microseconds): b for b in shard.boundaries}
    for last in shard.boundaries:
        since = last.since_uptime_microseconds
        if since is None or (first := places.get((last.segment, since))) is None:
            continue
        restarted = [at for at in restarts if first.opens_segment and since < at < last.uptime_microseconds]
        yield Stretch(first, last, max([since, *restarted]))


def examine(
    case: Case, shard: Shard, truth: Truth, restarts: Sequence[int], hooks: tuple[Hook, Hook]
) -> Iterator[Finding]:
    """Each stage of one run up to its shard. `restarts` are the instants at which its counter restarted."""
    found = list(stretches(shard, restarts))
    if not found:
        yield judged(case, Stage.SHARD, truth(hooks[0].ended, hooks[1].began), None, 0, str(shard.reason))
        return
    start, end = found[0].first.uptime_microseconds, found[-1].last.uptime_microseconds
    if not case.is_lost:
        yield _event(case, truth, hooks, start, end)
    if case.has_counter:
        yield _reading(case, truth, found)
    yield _boundary(case, truth, found)
    if not case.is_lost:
        yield _integral(case, truth, found)
    yield from _bridge(case, shard, truth, restarts)
    yield _shard(case, truth, found, run_energy(shard.boundaries))


def _event(case: Case, truth: Truth, hooks: tuple[Hook, Hook], start: int, end: int) -> Finding:
    first, last = ((hook.began + hook.ended) // 2 for hook in hooks)
    slack = sum((hook.ended - hook.began) // 2 + HOOK_CLOCK_MICROSECONDS for hook in hooks)
    got = round(truth(start, end))
    return judged(
        case, Stage.EVENT, truth(first, last), got, millijoules_from_power(case.peak_milliwatts, slack)
    )


def _reading(case: Case, truth: Truth, found: Sequence[Stretch]) -> Finding:
    expected, got = Fraction(0), 0
    step = millijoules_from_power(case.peak_milliwatts, COUNTER_STEP_MICROSECONDS)
    for each in found:
        first, last = each.first.counter_millijoules, each.last.counter_millijoules
        if last is None:
            continue
        read_from = each.first.uptime_microseconds + each.first.lag_microseconds
        read_to = each.last.uptime_microseconds + each.last.lag_microseconds
        is_new = each.counted_from > each.first.uptime_microseconds
        expected += truth(each.counted_from if is_new else read_from, read_to)
        got += last - (0 if is_new else first or 0)
    bound = len(found) * (step + ROUNDING_MILLIJOULES)
    return judged(case, Stage.READING, expected, got, bound)


def _boundary(case: Case, truth: Truth, found: Sequence[Stretch]) -> Finding:
    expected, got, bound = Fraction(0), 0, 0
    for each in found:
        energy, since = each.last.energy_millijoules, each.last.since_energy_millijoules
        if energy is None or since is None:
            continue
        expected += truth(each.counted_from, each.last.uptime_microseconds)
        got += energy - since
        bound += each.first.uncertainty_millijoules + each.last.uncertainty_millijoules
        bound += _of_power_only(each.last)
    return judged(case, Stage.BOUNDARY, expected, got, bound, "bound: as the run states it")


def _of_power_only(boundary: Boundary) -> int:
    is_only = Flag.POWER_ONLY in boundary.flags
    return boundary.since_power_uncertainty_millijoules or 0 if is_only else 0


def _integral(case: Case, truth: Truth, found: Sequence[Stretch]) -> Finding:
    expected, got, bound = Fraction(0), 0, 0.0
    for each in found:
        if (power := each.last.since_power_millijoules) is None:
            continue
        expected += truth(each.counted_from, each.last.uptime_microseconds)
        got += power
        bound += millijoules_from_power(case.peak_milliwatts, 2 * SENSOR_MICROSECONDS)
    return judged(case, Stage.INTEGRAL, expected, got, bound + BOUND * float(expected))


def _bridge(case: Case, shard: Shard, truth: Truth, restarts: Sequence[int]) -> Iterator[Finding]:
    opened = [b for b in shard.boundaries if b.opens_segment]
    for boundary, restart in zip(opened, restarts, strict=False):
        expected = truth(boundary.uptime_microseconds, restart)
        bound = boundary.uncertainty_millijoules + BRIDGED_BOUND * float(expected)
        yield judged(case, Stage.BRIDGE, expected, boundary.bridged_millijoules, bound)


def _shard(case: Case, truth: Truth, found: Sequence[Stretch], got: int | None) -> Finding:
    first, last = found[0].first.uptime_microseconds, found[-1].last.uptime_microseconds
    expected = truth(first, last)
    gap = expected - sum(truth(each.counted_from, each.last.uptime_microseconds) for each in found)
    step = millijoules_from_power(case.peak_milliwatts, COUNTER_STEP_MICROSECONDS)
    bound = BOUND * float(expected) + BRIDGED_BOUND * float(gap) + len(found) * step
    note = f"{100 * BOUND:g} % and a step of the counter"
    if gap:
        note = f"{100 * BOUND:g} %, {100 * BRIDGED_BOUND:g} % of what is bridged, and steps of the counter"
    if case.is_lost:
        note += "; up to its last reading"
    return judged(case, Stage.SHARD, expected, got, bound, note)
