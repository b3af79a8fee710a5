"""The runs and GPUs of one node: events and answers in, boundaries and complete parts out.

Nothing here waits, sleeps, or calls NVML: the loop brings what happened and asks for the next step.
"""

from __future__ import annotations

from collections.abc import Callable

from sam_cluster.core.config import Config
from sam_cluster.core.model import Flag, GpuHeld, Kind, Reason, Rung
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND
from sam_cluster.energy.boundary import Reading

from .events import Event
from .facts import RunFacts, run_facts
from .gpus import Gpus
from .journal import Journal, JournalPart
from .memory import ClosedRuns
from .ports import Clock, Read, Readers
from .run import Instant, OpenRun, Waiting
from .settle import end_at_last_reading, follow_segment, settle

#: How long the last reading of a run is waited for when NVML does not answer.
PATIENCE_MICROSECONDS = 120_000_000
#: A run whose slurmstepd has been gone for so long has no epilog to come.
GONE_MICROSECONDS = 300_000_000
#: How long past its end time a run may go on where no slurmstepd was ever seen.
OVERTIME_SECONDS = 600
LIVENESS_MICROSECONDS = 60_000_000
CLOCK_STEP_MICROSECONDS = 1_000_000


class NodeMeter:
    """What the agent does, without the world around it."""

    def __init__(
        self,
        config: Config,
        node: str,
        boot_id: str,
        clock: Clock,
        readers: Readers,
        journal: Journal,
        live_jobs: Callable[[], set[int]],
    ) -> None:
        self._config = config
        self._node = node
        self._boot_id = boot_id
        self._clock = clock
        self._journal = journal
        self._live_jobs = live_jobs
        self._gpus = Gpus(config, boot_id, clock, readers, journal)
        self._closed_runs = ClosedRuns(journal)
        self._runs: list[OpenRun] = []
        self._complete: list[JournalPart] = []  # parts that wait to be on disk, then to be sealed
        self._hour = clock.now_microseconds() // MICROSECONDS_PER_HOUR
        self._next_liveness = clock.uptime_microseconds() + LIVENESS_MICROSECONDS

    # what happens

    def resume(self) -> None:
        """Take up what an earlier agent left: complete parts to seal, runs to go on with or to close."""
        for name in self._journal.names():
            records = self._journal.read(name)
            if not records or records[0]["r"] != "run":
                continue  # torn before its first line was whole: its event is still there
            if records[-1]["r"] == "close":
                part = JournalPart(self._journal, name)
                self._complete.append(part)
                continue
            run = OpenRun.from_records(records, self._journal)
            self._runs.append(run)
            if run.boot_id != self._boot_id:
                self._close(run, Flag.NO_END)
                continue
            self._wait_again(run)
            for uuid, sample in run.last_samples.items():
                if sample.counter_millijoules is not None:
                    last = Reading(sample.uptime_microseconds, sample.counter_millijoules)
                    self._gpus.remember(uuid, last)
        if self._runs:
            self._gpus.open()

    def event(self, event: Event) -> None:
        """A hook left an event. Raises EventError where it cannot be used."""
        if event.kind == "release":
            self._gpus.release()
            return
        facts = run_facts(event.environ, self._config.cluster_name)
        instant = Instant(event.uptime_microseconds, event.at_microseconds)
        if event.kind == "prolog":
            self._start(facts, instant, event.boot_id)
        else:
            self._end(facts, instant, event.boot_id)

    def step(self) -> None:
        """Take in what NVML answered, and do what time asks for."""
        for answer in self._gpus.answers():
            if isinstance(answer, Read):
                self._read(answer)
        self._resolve_gpus()
        self._hour_marks()
        self._missing_ends()
        self._settle_and_close()
        self._gpus.poll([run.uuids for run in self._runs])

    def flush(self) -> bool:
        """Bring everything to disk. False where that is not possible now."""
        whole = self._gpus.save() & self._closed_runs.save()
        for part in self.journal_parts():
            whole &= part.flush()
        return whole

    def journal_parts(self) -> list[JournalPart]:
        """The journals of all runs that are not sealed."""
        return [*self._complete, *(run.log for run in self._runs)]

    def sealable(self) -> list[str]:
        """The complete parts, by name."""
        return [part.name for part in self._complete]

    def sealed(self, name: str) -> None:
        """A shard was made of a complete part."""
        for part in self._complete:
            if part.name == name:
                part.close()
        self._complete = [part for part in self._complete if part.name != name]
        self._journal.remove(name)

    def broken(self, name: str) -> None:
        """A complete part holds nothing that can be sealed: it is kept, and not looked at again."""
        self._complete = [part for part in self._complete if part.name != name]
        self._journal.set_aside(name)

    @property
    def open_runs(self) -> list[OpenRun]:
        """The runs that are not over."""
        return list(self._runs)

    def next_step_microseconds(self) -> int:
        """When to call `step` again at the latest (uptime), if nothing happens before."""
        now, uptime = self._clock.now_microseconds(), self._clock.uptime_microseconds()
        hour = uptime + MICROSECONDS_PER_HOUR - now % MICROSECONDS_PER_HOUR
        times = [hour, self._gpus.next_poll()]
        for run in self._runs:
            times += [uptime + MICROSECONDS_PER_SECOND if run.ended else self._next_liveness]
        return min(times)

    def close(self) -> None:
        """Let go of NVML and of all files."""
        self._gpus.close()
        for part in self.journal_parts():
            part.close()

    # events

    def _start(self, facts: RunFacts, instant: Instant, boot_id: str) -> None:
        for run in [run for run in self._runs if run.facts.key.job_id == facts.key.job_id]:
            if run.facts.key == facts.key and not run.ended:
                return  # the same prolog again
            if not run.ended:
                self._close(run, Flag.NO_END)
        run = OpenRun(facts, facts.node or self._node, boot_id, instant, self._journal)
        run.begin()
        self._runs.append(run)
        if boot_id != self._boot_id:
            self._close(run, Flag.NO_END)
            return
        self._gpus.open()
        self._resolve_gpus()
        for uuid in run.uuids:
            self._gpus.read(uuid)

    def _end(self, facts: RunFacts, instant: Instant, boot_id: str) -> None:
        key = facts.key
        for run in reversed(self._runs):
            if run.facts.key.job_id == key.job_id and run.facts.key.sluid in (key.sluid, None):
                if not run.ended:
                    run.end(instant, key.restart)
                    self._wait(run, Kind.END, instant)
                return
        if self._closed_runs.confirms(key.job_id, key.restart, instant.at_microseconds):
            return
        run = OpenRun(facts, facts.node or self._node, boot_id, instant, self._journal)
        run.begin()
        run.end(instant, key.restart)
        run.hold(
            tuple(
                GpuHeld(uuid=None, requested=word, rung=Rung.UNRESOLVED, reason=Reason.NO_PROLOG)
                for word in facts.devices
            ),
            None,
        )
        self._runs.append(run)
        self._close(run, Flag.NO_START, reason=Reason.NO_PROLOG)

    # GPUs

    def _resolve_gpus(self) -> None:
        for run in self._runs:
            if run.gpus is None and (held := self._gpus.resolve(run.facts.devices)) is not None:
                run.hold(held, self._gpus.driver_version)
                self._wait(run, Kind.START, run.started)
                if run.ended:
                    self._wait(run, Kind.END, run.ended)

    def _wait(self, run: OpenRun, kind: Kind, instant: Instant) -> None:
        for uuid in run.uuids:
            if uuid not in run.finished:
                run.waiting.append(Waiting(uuid, kind, instant))
                self._gpus.read(uuid)

    def _wait_again(self, run: OpenRun) -> None:
        """What a run that was taken up still waits for."""
        for uuid in run.uuids:
            if uuid not in run.since:
                run.waiting.append(Waiting(uuid, Kind.START, run.started))
        if run.ended:
            self._wait(run, Kind.END, run.ended)

    def _read(self, answer: Read) -> None:
        meter = self._gpus.meters[answer.uuid]
        at = self._wall(answer.reading.uptime_microseconds)
        keep = self._is_awaited(answer.uuid) or self._gpus.is_due(answer.uuid)
        sample, restart = meter.take(answer.reading, at, keep=keep)
        offset = at - answer.reading.uptime_microseconds
        for run in self._runs:
            if not run.holds(answer.uuid):
                continue
            follow_segment(run, meter, restart, offset)
            if sample:
                run.sample(sample)
            if abs(offset - run.started.wall_offset) > CLOCK_STEP_MICROSECONDS:
                run.flags.add(Flag.CLOCK_STEPPED)

    def _is_awaited(self, uuid: str) -> bool:
        return any(waiting.gpu_uuid == uuid for run in self._runs for waiting in run.waiting)

    def _wall(self, uptime: int) -> int:
        return uptime + self._clock.now_microseconds() - self._clock.uptime_microseconds()

    # time

    def _hour_marks(self) -> None:
        now, uptime = self._clock.now_microseconds(), self._clock.uptime_microseconds()
        hour = now // MICROSECONDS_PER_HOUR
        if hour == self._hour:
            return
        self._hour = hour
        at = hour * MICROSECONDS_PER_HOUR
        instant = Instant(uptime - (now - at), at)
        for run in self._runs:
            if run.started < instant and not run.ended:
                self._wait(run, Kind.HOUR, instant)
                if at % MICROSECONDS_PER_DAY == 0:
                    run.rotate_at = instant

    def _missing_ends(self) -> None:
        uptime = self._clock.uptime_microseconds()
        running = [run for run in self._runs if not run.ended]
        if uptime < self._next_liveness or not running:
            return
        self._next_liveness = uptime + LIVENESS_MICROSECONDS
        live = self._live_jobs()
        seconds = self._clock.now_microseconds() // MICROSECONDS_PER_SECOND
        for run in running:
            end_time = run.facts.end_time_seconds
            if run.facts.key.job_id in live:
                run.seen_alive, run.gone_since = True, None
            elif run.seen_alive:
                run.gone_since = run.gone_since or Instant(uptime, self._wall(uptime))
                if uptime - run.gone_since.uptime_microseconds >= GONE_MICROSECONDS:
                    run.flags.add(Flag.NO_END)
                    run.end(run.gone_since, None)
                    self._wait(run, Kind.END, run.gone_since)
            elif end_time and seconds > end_time + OVERTIME_SECONDS:
                self._close(run, Flag.NO_END)

    # boundaries

    def _settle_and_close(self) -> None:
        waiting = [(item.instant, run, item) for run in self._runs for item in run.waiting]
        for _, run, item in sorted(waiting, key=lambda entry: entry[0]):
            meter = self._gpus.meters.get(item.gpu_uuid)
            if settle(run, item, meter, is_held=self._is_held(item.gpu_uuid)):
                run.waiting.remove(item)
        uptime = self._clock.uptime_microseconds()
        for run in list(self._runs):
            if run.rotate_at and not any(item.instant <= run.rotate_at for item in run.waiting):
                at = run.rotate_at
                run.close_part(final=False, at=at, reasons={}, reason=None)
                self._complete.append(run.next_part())
            if not run.ended:
                continue
            is_settled = run.gpus is not None and not run.waiting
            if is_settled or self._is_hopeless(run, uptime - run.ended.uptime_microseconds):
                self._close(run)

    def _is_hopeless(self, run: OpenRun, waited: int) -> bool:
        """No reading will come: patience is over, or nothing was ever read and NVML says no."""
        return waited > PATIENCE_MICROSECONDS or (not run.since and self._gpus.refuses(run.uuids))

    def _is_held(self, uuid: str) -> bool:
        return any(run.holds(uuid) for run in self._runs)

    def _close(self, run: OpenRun, *flags: Flag, reason: Reason | None = None) -> None:
        """The run is over: what has no end yet ends at its last reading."""
        run.flags |= set(flags)
        last = run.ended or run.started
        for uuid in run.uuids:
            if run.holds(uuid):
                last = max(last, end_at_last_reading(run, uuid, self._gpus.meters.get(uuid)))
        reasons = {
            gpu.requested: gpu.reason or self._gpus.trouble_of(gpu.uuid)
            for gpu in run.gpus or ()
            if gpu.uuid not in run.since
        }
        if run.gpus is None:
            reasons = {word: self._gpus.trouble_of(None) for word in run.facts.devices}
        if not run.since and reason is None:
            reason = next(iter(reasons.values()), Reason.NO_READING)
        run.close_part(final=True, at=last, reasons=reasons, reason=reason)
        self._runs.remove(run)
        self._complete.append(run.log)
        self._closed_runs.remember(run.facts.key, run.epilog_restart, last.at_microseconds)
