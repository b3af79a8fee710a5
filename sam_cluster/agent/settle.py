"""A run's boundaries: from the readings of a GPU to the values between which energy is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sam_cluster.core.model import Boundary, Flag, Kind
from sam_cluster.energy.boundary import Brought, Reading

from .meter import GpuMeter
from .restart import Restart
from .run import Instant, OpenRun, Waiting
from .states import Mark


def settle_all(runs: Sequence[OpenRun], meters: Mapping[str, GpuMeter]) -> None:
    """Give each boundary that waits its value, where the readings reach, in the order of time."""
    waiting = [(item, run) for run in runs for item in run.waiting]
    for item, run in sorted(waiting, key=lambda pair: pair[0].instant):
        meter = meters.get(item.gpu_uuid)
        is_held = any(other.holds(item.gpu_uuid) for other in runs)
        if meter is not None and _is_settled(run, item, meter, is_held=is_held):
            run.waiting.remove(item)


def _is_settled(run: OpenRun, item: Waiting, meter: GpuMeter, *, is_held: bool) -> bool:
    """Whether a boundary has its value now, or never will have one; False: not yet.

    `is_held`: some run holds the GPU, so that before a start there was no idle time.
    """
    last = meter.last
    if meter.segment is None or last is None or last.uptime_microseconds < item.instant.uptime_microseconds:
        return False
    if item.kind is Kind.START:
        _start(run, item, meter, None if is_held else meter.chain_before(item.instant.uptime_microseconds))
        return True
    since = run.since.get(item.gpu_uuid)
    if since is None:  # its start comes first; where that gave nothing, nothing is to be ended
        return not run.waits_for(item.gpu_uuid, Kind.START)
    if since.segment != meter.segment:  # the agent was killed before it had followed
        follow_segment(run, meter, None, item.instant.wall_offset)
        since = run.since[item.gpu_uuid]
    passed = item.instant.uptime_microseconds - since.uptime_microseconds
    if item.kind is Kind.END:
        # Never before what is counted already: an hour may have begun while the event was on its way.
        _settle(run, item, meter, item.instant.later(max(-passed, 0)))
    elif passed > 0 and _brought(run, meter, item.instant.uptime_microseconds):
        _settle(run, item, meter, item.instant)
    return True


def _start(run: OpenRun, item: Waiting, meter: GpuMeter, chain: Mark | None) -> None:
    """A start is at its instant, or, where the first reading is too far off to say what was before it, at
    that reading, and no idle time is known before it; where that is past the run's end, there is no figure.
    """
    if _brought(run, meter, item.instant.uptime_microseconds):
        _settle(run, item, meter, item.instant, chain)
        return
    assert meter.first is not None
    instant = item.instant.later(meter.first.uptime_microseconds - item.instant.uptime_microseconds)
    if run.ended is None or instant < run.ended:
        _settle(run, item, meter, instant, None, Flag.LATE_START)


def _settle(
    run: OpenRun, item: Waiting, meter: GpuMeter, instant: Instant, chain: Mark | None = None, *flags: Flag
) -> None:
    brought = _brought(run, meter, instant.uptime_microseconds)
    assert brought is not None and meter.segment is not None
    since = run.since.get(item.gpu_uuid)
    energy = max(brought.energy_millijoules, since.energy_millijoules if since else 0)
    if since and since.uptime_microseconds == instant.uptime_microseconds:
        energy = since.energy_millijoules
    found = {*flags}
    if brought.interpolated:
        found.add(Flag.INTERPOLATED)
    if meter.power_only:
        found.add(Flag.POWER_ONLY)
    run.flag(*found)
    if brought.interpolated and meter.is_broken_after(instant.uptime_microseconds):
        run.flag(Flag.COUNTER_RESET)
    run.settle(
        Boundary(
            gpu_uuid=item.gpu_uuid,
            kind=item.kind,
            at_microseconds=instant.at_microseconds,
            uptime_microseconds=instant.uptime_microseconds,
            segment=meter.segment,
            energy_millijoules=energy,
            counter_millijoules=brought.counter_millijoules,
            lag_microseconds=brought.lag_microseconds,
            uncertainty_millijoules=brought.uncertainty_millijoules,
            previous_segment=chain.segment if chain else None,
            previous_at_microseconds=chain.at_microseconds if chain else None,
            previous_uptime_microseconds=chain.uptime_microseconds if chain else None,
            previous_energy_millijoules=chain.energy_millijoules if chain else None,
            flags=tuple(sorted(found)),
        ),
        meter.drawn_until(instant.uptime_microseconds),
        meter.limit_milliwatts,
    )
    meter.mark(instant.uptime_microseconds, energy, instant.at_microseconds)


def _brought(run: OpenRun, meter: GpuMeter, uptime: int) -> Brought | None:
    """The counter at an instant, from the meter's readings and, before those, from what the run knows: an
    agent that was killed may have left its latest reading, and none from before the instant."""
    since, sample = run.since.get(meter.uuid), run.last_samples.get(meter.uuid)
    if since is None or since.segment != meter.segment or since.uptime_microseconds > uptime:
        return meter.at(uptime)
    known = Reading(since.uptime_microseconds, since.energy_millijoules)
    is_later = sample is not None and since.uptime_microseconds < sample.uptime_microseconds <= uptime
    if sample and is_later and sample.counter_millijoules is not None:
        known = Reading(sample.uptime_microseconds, sample.counter_millijoules)
    return meter.at(uptime, known)


def follow_segment(run: OpenRun, meter: GpuMeter, restart: Restart | None, wall_offset: int) -> None:
    """A new segment began under a run: its energy is counted up to the last reading before, and from there
    on in the new one. What was drawn in between and not counted is bridged by the power series, where that
    covers the gap; else it is not known."""
    since = run.since[meter.uuid]
    first, limit = meter.first, meter.limit_milliwatts
    if meter.segment is None or first is None or since.segment == meter.segment:
        return
    at, drawn = max(since.uptime_microseconds, first.uptime_microseconds), None
    opening = _plain(
        meter.uuid, Kind.SEGMENT, meter.segment, Instant(at, at + wall_offset), first.counter_millijoules
    )
    if restart and restart.segment == since.segment:
        last, drawn = restart.last, restart.drawn
        energy = max(since.energy_millijoules, last.counter_millijoules)
        flags = [Flag.POWER_ONLY] * restart.power_only
        closing = _plain(
            meter.uuid, Kind.SEGMENT, restart.segment, Instant(at, at + wall_offset), energy, *flags
        )
        run.settle(closing, meter.drawn_until(at), limit)
        opening = replace(
            opening,
            uncertainty_millijoules=restart.uncertainty_millijoules,
            gap_microseconds=restart.gap_microseconds,
            bridged_millijoules=restart.bridged_millijoules,
        )
    flag = Flag.COUNTER_RESET if opening.bridged_millijoules is None else Flag.BRIDGED
    run.settle(replace(opening, flags=(flag,)), drawn, limit)
    run.flag(flag)


def end_unread(run: OpenRun, meters: Mapping[str, GpuMeter]) -> tuple[Instant, dict[str, int] | None]:
    """End what has no end yet at its last reading, else at its last boundary.

    Returns the last instant of the run, and from which uptime on it held a GPU and had no reading of it
    (None: it is not known which GPUs it held).
    """
    last = run.ended or run.started
    unread: dict[str | None, int] = {gpu.uuid: 0 for gpu in run.gpus or () if gpu.uuid not in run.since}
    for uuid in run.uuids:
        if run.holds(uuid):
            ended = _end_at_last_reading(run, uuid, meters.get(uuid))
            unread[uuid] = ended.uptime_microseconds
            last = max(last, ended)
    known = {uuid: since for uuid, since in unread.items() if uuid is not None}
    return last, known if run.gpus is not None and None not in unread else None


def _end_at_last_reading(run: OpenRun, uuid: str, meter: GpuMeter | None) -> Instant:
    """From there on nobody followed the GPU, so that it is no boundary to count idle time from."""
    since = run.since[uuid]
    energy, uptime = since.energy_millijoules, since.uptime_microseconds
    offset = run.started.wall_offset
    sample = run.last_samples.get(uuid)
    if meter and meter.segment == since.segment and meter.last:
        last = meter.last
        if last.uptime_microseconds > uptime:
            energy, uptime = max(energy, last.counter_millijoules), last.uptime_microseconds
    elif sample and (read := run.last_reading(uuid)) and read.uptime_microseconds > uptime:
        energy, uptime = max(energy, read.counter_millijoules), read.uptime_microseconds
        offset = sample.at_microseconds - uptime
    instant = Instant(uptime, uptime + offset)
    flags = {Flag.EARLY_END} | ({Flag.POWER_ONLY} & run.flags)
    run.flag(Flag.EARLY_END)
    run.settle(
        _plain(uuid, Kind.END, since.segment, instant, energy, *sorted(flags)),
        meter.drawn_until(uptime) if meter else None,
        meter.limit_milliwatts if meter else None,
    )
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
