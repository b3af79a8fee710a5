"""A run's boundaries: from the readings of a GPU to the values between which energy is counted."""

from __future__ import annotations

from sam_cluster.core.model import Boundary, Flag, Kind

from .meter import GpuMeter, Restart
from .run import Instant, OpenRun, Waiting


def settle(run: OpenRun, item: Waiting, meter: GpuMeter | None, *, is_held: bool) -> bool:
    """Give a boundary that waits its value, where the readings reach; False: not yet.

    `is_held`: another run holds the GPU, so that before a start there was no idle time.
    """
    last = meter.last if meter else None
    uptime, at = item.instant.uptime_microseconds, item.instant.at_microseconds
    if meter is None or meter.segment is None or last is None or last.uptime_microseconds < uptime:
        return False
    is_start = item.kind is Kind.START
    if not is_start and item.gpu_uuid not in run.since:
        return False  # its start comes first
    flags = {Flag.POWER_ONLY} if meter.power_only else set()
    chain = None if is_held or not is_start else meter.chain
    brought = meter.at(uptime)
    if brought is None:  # the first reading is too far off to say what was before it
        first = meter.first
        assert first is not None
        at += first.uptime_microseconds - uptime
        uptime, energy, counter = first.uptime_microseconds, first.counter_millijoules, None
        lag = doubt = 0
        flags.add(Flag.LATE_START)
    else:
        energy, counter = brought.energy_millijoules, brought.counter_millijoules
        lag, doubt = brought.lag_microseconds, brought.uncertainty_millijoules
        if brought.interpolated:
            flags.add(Flag.INTERPOLATED)
    run.flags |= flags
    run.settle(
        Boundary(
            gpu_uuid=item.gpu_uuid,
            kind=item.kind,
            at_microseconds=at,
            uptime_microseconds=uptime,
            segment=meter.segment,
            energy_millijoules=energy,
            counter_millijoules=energy if counter is None else counter,
            lag_microseconds=lag,
            uncertainty_millijoules=doubt,
            previous_segment=chain.segment if chain else None,
            previous_uptime_microseconds=chain.uptime_microseconds if chain else None,
            previous_energy_millijoules=chain.energy_millijoules if chain else None,
            flags=tuple(sorted(flags)),
        )
    )
    meter.mark(uptime, energy)
    return True


def follow_segment(run: OpenRun, meter: GpuMeter, restart: Restart | None, wall_offset: int) -> None:
    """The counter restarted under a run: its energy is counted up to the last reading before, and
    from nothing after. What was drawn between that reading and the restart is not known."""
    since = run.since[meter.uuid]
    if meter.segment is None or since.segment == meter.segment:
        return
    instant = Instant(since.uptime_microseconds, since.uptime_microseconds + wall_offset)
    if restart and restart.segment == since.segment:
        last = restart.last.uptime_microseconds
        instant = max(instant, Instant(last, last + wall_offset))
        energy = max(since.energy_millijoules, restart.last.counter_millijoules)
        run.settle(_plain(meter.uuid, Kind.SEGMENT, restart.segment, instant, energy))
    run.settle(_plain(meter.uuid, Kind.SEGMENT, meter.segment, instant, 0))
    run.flags.add(Flag.COUNTER_RESET)


def end_at_last_reading(run: OpenRun, uuid: str, meter: GpuMeter | None) -> Instant:
    """End a GPU of a run whose end was not read: at its last reading, else at its last boundary."""
    since = run.since[uuid]
    energy, uptime = since.energy_millijoules, since.uptime_microseconds
    offset = run.started.wall_offset
    sample = run.last_samples.get(uuid)
    if meter and meter.segment == since.segment and meter.last:
        last = meter.last
        if last.uptime_microseconds > uptime:
            energy, uptime = max(energy, last.counter_millijoules), last.uptime_microseconds
    elif sample and sample.counter_millijoules is not None and sample.uptime_microseconds > uptime:
        energy, uptime = max(energy, sample.counter_millijoules), sample.uptime_microseconds
        offset = sample.at_microseconds - uptime
    instant = Instant(uptime, uptime + offset)
    run.flags.add(Flag.EARLY_END)
    run.settle(_plain(uuid, Kind.END, since.segment, instant, energy, Flag.EARLY_END))
    return instant


def _plain(
    uuid: str, kind: Kind, segment: str, instant: Instant, energy_millijoules: int, *flags: Flag
) -> Boundary:
    """A boundary where the counter was read, or known, at the instant itself."""
    return Boundary(
        gpu_uuid=uuid,
        kind=kind,
        at_microseconds=instant.at_microseconds,
        uptime_microseconds=instant.uptime_microseconds,
        segment=segment,
        energy_millijoules=energy_millijoules,
        counter_millijoules=energy_millijoules,
        flags=flags,
    )
