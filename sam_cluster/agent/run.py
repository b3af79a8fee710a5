"""A run on this node, from its prolog to its sealed shard, and its journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from sam_cluster import __version__
from sam_cluster.core.model import (
    AgentCost,
    Boundary,
    Flag,
    GpuHeld,
    HostEnergy,
    Kind,
    Reason,
    Rung,
    Sample,
)
from sam_cluster.energy.boundary import Reading
from sam_cluster.energy.series import Drawn

from .facts import RunFacts
from .journal import Journal, JournalPart, Record
from .records import boundary_of, facts_of, gpu_of, sample_of
from .second import with_second_meter
from .states import Mark

#: The wall clock has stepped where it moved by more against the other one.
CLOCK_STEP_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A moment on both clocks."""

    uptime_microseconds: int
    at_microseconds: int

    @property
    def wall_offset(self) -> int:
        """What is added to uptime to give UTC."""
        return self.at_microseconds - self.uptime_microseconds

    def later(self, microseconds: int) -> Instant:
        """The moment so much after it."""
        return Instant(self.uptime_microseconds + microseconds, self.at_microseconds + microseconds)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A boundary whose reading has not come yet."""

    gpu_uuid: str
    kind: Kind
    instant: Instant


class OpenRun:
    """What is known of a run that is not sealed. Every change is journalled as it is made."""

    def __init__(
        self, facts: RunFacts, node: str, boot_id: str, started: Instant, journal: Journal, part: int = 0
    ) -> None:
        self.facts = facts
        self.node = node
        self.boot_id = boot_id
        self.started = started
        self.ended: Instant | None = None
        self.ending_since: int | None = None  # uptime at which this agent knew of its end
        self.epilog_restart: int | None = None
        self.gpus: tuple[GpuHeld, ...] | None = None
        self.driver_version: str | None = None
        self.since: dict[str, Mark] = {}  # this run's latest boundary on each GPU
        self.finished: set[str] = set()  # GPUs whose last boundary is settled
        self.last_samples: dict[str, Sample] = {}
        self.flags: set[Flag] = set()
        self.waiting: list[Waiting] = []
        self.part = part
        self.rotate_at: Instant | None = None
        self._drawn: dict[str, Drawn | None] = {}  # by the power series, up to the latest boundary
        self._sampled: dict[str, int] = {}  # by the samples kept since that
        self.seen_alive = False
        self.gone_since: Instant | None = None
        self._journal = journal
        self.log = JournalPart(journal, self.name)

    @property
    def name(self) -> str:
        """RUN-START.PART, of the journal and of the shard: nothing in it is a user's text."""
        seconds = self.started.at_microseconds // 1_000_000
        return f"{self.facts.key.run_id}-{seconds}.{self.part}"

    @property
    def uuids(self) -> tuple[str, ...]:
        """The GPUs that can be metered, each once though several slices of it be held."""
        held = self.gpus or ()
        return tuple(dict.fromkeys(gpu.uuid for gpu in held if gpu.uuid and not gpu.reason))

    def holds(self, uuid: str) -> bool:
        """Whether it has begun to be metered on a GPU, and has not ended there."""
        return uuid in self.since and uuid not in self.finished

    def waits_for(self, uuid: str, kind: Kind) -> bool:
        """Whether such a boundary of a GPU has no value yet."""
        return any(item.gpu_uuid == uuid and item.kind is kind for item in self.waiting)

    def begin(self) -> None:
        """Journal the head of this part."""
        self.log.add({
            "r": "run", "facts": asdict(self.facts), "node": self.node, "boot_id": self.boot_id,
            "started": asdict(self.started), "part": self.part, "version": __version__,
            "since": {uuid: asdict(mark) for uuid, mark in self.since.items()},
            "finished": sorted(self.finished), "flags": sorted(self.flags),
        })  # fmt: skip

    def flag(self, *flags: Flag) -> None:
        """Something that a reader of its figure should know."""
        if new := set(flags) - self.flags:
            self.flags |= new
            self.log.add({"r": "flags", "flags": sorted(new)})

    def hold(self, gpus: tuple[GpuHeld, ...], driver_version: str | None) -> None:
        """These are its GPUs."""
        self.gpus, self.driver_version = gpus, driver_version
        self.log.add({"r": "gpus", "gpus": [asdict(gpu) for gpu in gpus], "driver": driver_version})
        if any(gpu.rung is Rung.ASSUMED_INDEX for gpu in gpus):
            self.flag(Flag.ASSUMED_GPU)
        if any(gpu.is_module for gpu in gpus):
            self.flag(Flag.MODULE_SCOPE)

    def end(self, ended: Instant, restart: int | None) -> None:
        """Its epilog came."""
        self.ended = ended
        self.epilog_restart = restart
        self.log.add({"r": "end", "ended": asdict(ended), "restart": restart})

    def settle(
        self, boundary: Boundary, drawn: Drawn | None = None, limit_milliwatts: int | None = None
    ) -> Boundary:
        """A boundary is known: complete it with the run's boundary before it, and keep it. `drawn` is what
        the power series has up to it, counted from wherever that begins."""
        uuid = boundary.gpu_uuid
        since = self.since.get(uuid)
        is_opening = boundary.kind in (Kind.START, Kind.IDLE)
        if since and since.segment == boundary.segment and not is_opening:
            boundary = replace(
                boundary,
                since_at_microseconds=since.at_microseconds,
                since_uptime_microseconds=since.uptime_microseconds,
                since_energy_millijoules=since.energy_millijoules,
            )
            boundary = with_second_meter(boundary, self._drawn.get(uuid), drawn, limit_milliwatts)
            if Flag.METERS_DISAGREE in boundary.flags:
                self.flag(Flag.METERS_DISAGREE)
        self._drawn[uuid] = drawn
        self._sampled[uuid] = 0
        if boundary.energy_millijoules is not None:
            self.since[uuid] = _mark(boundary, boundary.energy_millijoules)
        if boundary.kind is Kind.END:
            self.finished.add(uuid)
        self.log.add({"r": "boundary", **asdict(boundary)})
        return boundary

    def sample(self, sample: Sample) -> None:
        """Keep a tick."""
        offset = sample.at_microseconds - sample.uptime_microseconds
        if abs(offset - self.started.wall_offset) > CLOCK_STEP_MICROSECONDS:
            self.flag(Flag.CLOCK_STEPPED)
        self._keep(sample)
        self.log.add({"r": "sample", **asdict(sample)})

    def _keep(self, sample: Sample) -> None:
        uuid = sample.gpu_uuid
        self.last_samples[uuid] = sample
        self._sampled[uuid] = self._sampled.get(uuid, 0) + (sample.power_energy_millijoules or 0)

    def last_reading(self, uuid: str) -> Reading | None:
        """The counter at the last sample of a GPU; of one without a counter, what it is by the samples since
        the last boundary."""
        sample, since = self.last_samples.get(uuid), self.since.get(uuid)
        if sample is None:
            return None
        counter = sample.counter_millijoules
        if counter is None and since is not None:
            counter = since.energy_millijoules + self._sampled.get(uuid, 0)
        return None if counter is None else Reading(sample.uptime_microseconds, counter)

    def close_part(
        self,
        *,
        final: bool,
        at: Instant,
        reasons: dict[str, Reason],
        reason: Reason | None,
        cost: AgentCost | None,
        host: HostEnergy | None,
    ) -> None:
        """This part is complete. `reasons`: of GPUs without a figure, by the word that names them."""
        self.log.add({
            "r": "close", "final": final, "ended": asdict(at), "flags": sorted(self.flags),
            "reasons": dict(reasons), "reason": reason,
            "cost": asdict(cost) if cost else None, "host": asdict(host) if host else None,
        })  # fmt: skip

    def next_part(self) -> JournalPart:
        """Go on in a new part; the complete one is given back."""
        complete = self.log
        self.part += 1
        self.rotate_at = None
        self.log = JournalPart(self._journal, self.name)
        self.begin()
        if self.gpus is not None:
            self.hold(self.gpus, self.driver_version)
        return complete

    @classmethod
    def from_lines(cls, lines: Iterable[tuple[bytes, Record]], journal: Journal) -> tuple[OpenRun, Record]:
        """The run that an earlier agent left, and its last record. Raises KeyError, TypeError, ValueError
        where it is none."""
        coming = iter(lines)
        line, head = next(coming, (b"", {}))
        run = cls(
            facts_of(head["facts"]), head["node"], head["boot_id"], Instant(**head["started"]), journal,
            head["part"],
        )  # fmt: skip
        run.since = {uuid: Mark(**mark) for uuid, mark in head["since"].items()}
        run.finished = set(head["finished"])
        run.flags = {Flag(flag) for flag in head["flags"]}
        run.log.found(line, head)
        record = head
        for line, record in coming:
            run.log.found(line, record)
            kind = record["r"]
            if kind == "gpus":
                run.gpus = tuple(gpu_of(gpu) for gpu in record["gpus"])
                run.driver_version = record["driver"]
            elif kind == "flags":
                run.flags |= {Flag(flag) for flag in record["flags"]}
            elif kind == "end":
                run.ended, run.epilog_restart = Instant(**record["ended"]), record["restart"]
            elif kind == "sample":
                run._keep(sample_of(record))
            elif kind == "boundary":
                boundary = boundary_of(record)
                run._sampled[boundary.gpu_uuid] = 0
                if boundary.energy_millijoules is not None:
                    run.since[boundary.gpu_uuid] = _mark(boundary, boundary.energy_millijoules)
                if boundary.kind is Kind.END:
                    run.finished.add(boundary.gpu_uuid)
        return run, record


def _mark(boundary: Boundary, energy_millijoules: int) -> Mark:
    return Mark(boundary.segment, boundary.uptime_microseconds, energy_millijoules, boundary.at_microseconds)
