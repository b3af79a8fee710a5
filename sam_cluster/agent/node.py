"""The runs and GPUs of one node: events and answers in, boundaries and complete parts out.

Nothing here waits, sleeps, or calls NVML: the loop brings what happened and asks for the next step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sam_cluster.core.config import Config
from sam_cluster.core.model import NO_JOB, AgentCost, Flag, GpuHeld, Kind, Reason, Rung
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND

from .beside import Beside
from .complete import CompleteParts
from .cost import CostMeter, ProcessCost
from .events import Event
from .facts import RunFacts, run_facts
from .gpus import Gpus
from .host import HostMeter
from .idle import IdleReadings
from .journal import Journal, JournalPart
from .liveness import MissingEnds
from .matching import is_its_prolog, run_of_end
from .memory import ClosedRuns
from .ports import Clock, Read, Readers
from .resume import left_behind
from .run import Instant, OpenRun, Waiting
from .settle import end_unread, follow_segment, settle_all
from .unread import is_hopeless, reasons_of


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
        process: Callable[[], ProcessCost] | None = None,
        host: HostMeter | None = None,
    ) -> None:
        """`process`: what this process costs, where that is to be kept; `host`: the node beside its GPUs."""
        self._config = config
        self._node = node
        self._boot_id = boot_id
        self._clock = clock
        self._journal = journal
        self._gpus = Gpus(config, boot_id, clock, readers, journal)
        self._idle = IdleReadings(config.cluster_name, node, boot_id, journal)
        self._closed_runs = ClosedRuns(journal)
        self._beside = Beside(CostMeter(readers, process), host)
        self._missing_ends = MissingEnds(clock, live_jobs)
        self._runs: list[OpenRun] = []
        self.complete = CompleteParts(journal)
        self._hour = clock.now_microseconds() // MICROSECONDS_PER_HOUR

    # what happens

    def resume(self) -> list[str]:
        """Take up what an earlier agent left: complete parts to seal, runs to go on with or to close.
        Returns the names of journals that hold no run, and were set aside."""
        left = left_behind(self._journal, self._closed_runs.has)
        self.complete.add(*left.complete)
        for run, closed in left.closed:
            if run.facts.key.job_id == NO_JOB:
                continue
            self._closed_runs.remember(run, closed)
        for run in left.open:
            if run.facts.key.job_id == NO_JOB:
                self.complete.add(*self._idle.close())
                self._idle.take_up(run)
                continue
            self._runs.append(run)
            self._beside.take_up(run)
            if run.boot_id == self._boot_id:
                self._go_on(run)
            else:
                self._close(run, Flag.NO_END)
        return left.bad

    def _go_on(self, run: OpenRun) -> None:
        self._gpus.open()
        for uuid in run.last_samples:
            if last := run.last_reading(uuid):
                self._gpus.states.remember(uuid, last)
        for uuid in run.uuids:
            if uuid not in run.since:
                run.waiting.append(Waiting(uuid, Kind.START, run.started))
        if run.ended:
            self._await_end(run, run.ended)

    def event(self, event: Event) -> None:
        """A hook left an event. Raises EventError where it cannot be used."""
        if event.kind == "release":
            held = {uuid for run in self._runs for uuid in run.uuids}
            self._gpus.release(event.uptime_microseconds, held)
            self._idle.give_up()
            return
        if event.kind == "idle":
            self._idle.ask(self._now().uptime_microseconds)
            return
        facts = run_facts(event.environ, self._config.cluster_name)
        instant = Instant(event.uptime_microseconds, event.at_microseconds)
        if event.kind == "prolog":
            self._start(facts, instant, event.boot_id)
        else:
            self._end(facts, instant, event.boot_id)

    def step(self) -> None:
        """Take in what NVML answered, and do what time asks for."""
        self._beside.look(self._gpus.missed_ticks)
        for answer in self._gpus.answers():
            self._read(answer)
            settle_all(self._runs, self._gpus.meters)
        self._resolve_gpus()
        self._hour_marks()
        self.complete.add(*self._idle.step(self._gpus, self._runs, self._now()))
        for run, ended in self._missing_ends.find(self._runs):
            if ended is None:
                self._close(run, Flag.NO_END)
            else:
                run.flag(Flag.NO_END)
                self._ended(run, ended, None)
        settle_all(self._runs, self._gpus.meters)
        self._complete_parts()
        is_awaited = any(run.waiting for run in self._runs)
        self._gpus.poll(
            [run.uuids for run in self._runs], is_awaited=is_awaited, is_wanted=self.is_reading_idle
        )

    def flush(self) -> bool:
        """Bring everything to disk, up to the first that cannot be written now; False where one cannot.

        GPUs come first: the next agent then knows each boundary of a run that is on disk as one of its GPU;
        one of which nobody but its GPU would know again comes before them. What
        was closed comes last: an event that is in no journal must not be taken for one that is. A part
        that is complete comes before the next of its run.
        """
        whole = self._idle.flush() and self._gpus.save() and self.complete.flush()
        self.complete.close()
        return whole and all(run.log.flush() for run in self._runs) and self._closed_runs.save()

    def journal_parts(self) -> list[JournalPart]:
        """The journals of all runs that are not sealed."""
        return [*self.complete.parts, *self._idle.part, *(run.log for run in self._runs)]

    @property
    def open_runs(self) -> list[OpenRun]:
        """The runs that are not over."""
        return list(self._runs)

    @property
    def cost(self) -> AgentCost | None:
        """What this agent cost since it began."""
        return self._beside.cost.whole()

    @property
    def release_state(self) -> dict[str, Any] | None:
        """What came of the latest request to let go of NVML."""
        return self._gpus.release_state

    @property
    def is_without_nvml(self) -> bool:
        """Whether NVML was asked for, and said that there is none to be had."""
        return self._gpus.refuses(None, ever_read=False)

    @property
    def is_reading_idle(self) -> bool:
        """Whether a reading is waited for of a GPU that nobody holds."""
        return self._idle.asked_at is not None

    def next_step_microseconds(self) -> int:
        """When to call `step` again at the latest (uptime), if nothing happens before."""
        now = self._now()
        hour = now.uptime_microseconds + MICROSECONDS_PER_HOUR - now.at_microseconds % MICROSECONDS_PER_HOUR
        soon, later = now.uptime_microseconds + MICROSECONDS_PER_SECOND, self._missing_ends.next_look
        return min([hour, self._gpus.next_poll(), *(soon if run.ended else later for run in self._runs)])

    def close(self) -> None:
        """Let go of NVML and of all files."""
        self._gpus.close()
        for part in self.journal_parts():
            part.close()

    def _now(self) -> Instant:
        return Instant(self._clock.uptime_microseconds(), self._clock.now_microseconds())

    # events

    def _start(self, facts: RunFacts, instant: Instant, boot_id: str) -> None:
        key = facts.key
        if self._closed_runs.has(key, instant):
            return  # its event could not be removed
        for run in [run for run in self._runs if run.facts.key.job_id == key.job_id]:
            if is_its_prolog(run, key, instant):
                return  # once more
            if not run.ended:
                self._close(run, Flag.NO_END)
        run = self._begin(facts, instant, boot_id)
        if boot_id != self._boot_id:
            self._close(run, Flag.NO_END)
            return
        self._gpus.open()
        self._resolve_gpus()

    def _end(self, facts: RunFacts, instant: Instant, boot_id: str) -> None:
        key = facts.key
        run = run_of_end(self._runs, key, instant, boot_id)
        if run is None and self._closed_runs.confirms(key.job_id, key.restart, instant.at_microseconds):
            return
        # A job that is resized gets another SLUID while it runs: what is open of it here ends all the same.
        run = run or run_of_end(self._runs, replace(key, sluid=None), instant, boot_id)
        if run is not None:
            if not run.ended:
                self._ended(run, instant, key.restart)
            return
        run = self._begin(facts, instant, boot_id)
        run.end(instant, key.restart)
        unknown = GpuHeld(uuid=None, requested="", rung=Rung.UNRESOLVED, reason=Reason.NO_PROLOG)
        run.hold(tuple(replace(unknown, requested=word) for word in facts.devices), None)
        self._close(run, Flag.NO_START, reason=Reason.NO_PROLOG)

    def _ended(self, run: OpenRun, ended: Instant, restart: int | None) -> None:
        run.end(ended, restart)
        self._beside.stop(run, ended)
        self._await_end(run, ended)

    def _begin(self, facts: RunFacts, instant: Instant, boot_id: str) -> OpenRun:
        run = OpenRun(facts, facts.node or self._node, boot_id, instant, self._journal)
        run.begin()
        self._runs.append(run)
        self._begin_part(run, instant)
        self._idle.of_place(facts)
        return run

    def _begin_part(self, run: OpenRun, at: Instant) -> None:
        if run.boot_id == self._boot_id:
            self._beside.begin(run, at)
        else:
            self._beside.take_up(run)

    def _close_part(
        self, run: OpenRun, *, final: bool, at: Instant, reasons: dict[str, Reason], reason: Reason | None
    ) -> None:
        cost, host = self._beside.end(run, at)
        run.close_part(final=final, at=at, reasons=reasons, reason=reason, cost=cost, host=host)

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

    def _await_end(self, run: OpenRun, ended: Instant) -> None:
        run.ending_since = self._now().uptime_microseconds
        self._wait(run, Kind.END, ended)

    def _read(self, answer: Read) -> None:
        meter = self._gpus.meters[answer.uuid]
        offset = self._now().wall_offset
        is_awaited = any(item.gpu_uuid == answer.uuid for run in self._runs for item in run.waiting)
        keep = is_awaited or self._gpus.is_due(answer.uuid)
        at = answer.reading.uptime_microseconds + offset
        holding = [run for run in self._runs if run.holds(answer.uuid)]
        sample, restart = meter.take(answer.reading, at, keep=keep, is_held=bool(holding))
        for run in holding:
            follow_segment(run, meter, restart, offset)
            if sample:
                run.sample(sample)
        self._idle.read(answer.reading, at, meter, self._gpus.inventory, self._runs)

    # time

    def _hour_marks(self) -> None:
        now = self._now()
        hour, since = divmod(now.at_microseconds, MICROSECONDS_PER_HOUR)
        if hour == self._hour:
            return
        self._hour = hour
        instant = now.later(-since)
        if self._runs:
            self._idle.ask(now.uptime_microseconds)
        for run in self._runs:
            if run.started < instant and not run.ended:
                self._wait(run, Kind.HOUR, instant)
                if instant.at_microseconds % MICROSECONDS_PER_DAY == 0:
                    run.rotate_at = instant

    def _complete_parts(self) -> None:
        uptime = self._now().uptime_microseconds
        for run in list(self._runs):
            run.waiting = [item for item in run.waiting if not is_hopeless(run, item, self._gpus, uptime)]
            at = run.rotate_at
            if at and not any(item.instant <= at for item in run.waiting):
                self._close_part(run, final=False, at=at, reasons={}, reason=None)
                self.complete.add(run.next_part(), *self._idle.close())
                self._begin_part(run, at)
            is_settled = run.gpus is not None or is_hopeless(run, None, self._gpus, uptime)
            if run.ended and not run.waiting and is_settled:
                self._close(run)

    def _close(self, run: OpenRun, *flags: Flag, reason: Reason | None = None) -> None:
        """The run is over: what has no end yet ends at its last reading."""
        run.flag(*flags)
        last, unread = end_unread(run, self._gpus.meters)
        if run.boot_id == self._boot_id:
            self._gpus.not_followed(unread, (run.ended or self._now()).uptime_microseconds)
        reasons, whole = reasons_of(run, self._gpus)
        self._close_part(run, final=True, at=last, reasons=reasons, reason=reason or whole)
        self._runs.remove(run)
        self.complete.add(run.log, *self._idle.close())
        self._closed_runs.remember(run, last)
