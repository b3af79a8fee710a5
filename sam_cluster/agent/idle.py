"""Readings of GPUs that no run holds, so that what they draw is known too: one an hour.

A timer asks for them (`sam-agent publish --readings`), or the full hour while an agent runs. They lie in a
journal of their own, which is sealed together with the next run's, or when its UTC day is over: it is the
shard of job 0, which Slurm gives to nobody. A GPU without the energy counter is left out: what its power
was while nobody looked nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sam_cluster.core.model import NO_JOB, Boundary, GpuHeld, Kind, Rung, RunKey
from sam_cluster.core.units import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND

from .facts import RunFacts
from .gpus import Gpus
from .journal import Journal, JournalPart
from .meter import GpuMeter
from .ports import Inventory, RawReading
from .run import Instant, OpenRun

STATE_FILE = "place.json"
#: Asked for again sooner, nothing is read.
LEAST_MICROSECONDS = 600 * MICROSECONDS_PER_SECOND
#: A reading is waited for so long.
WAIT_MICROSECONDS = 120 * MICROSECONDS_PER_SECOND


class IdleReadings:
    """What is asked for, and the journal of what was read."""

    def __init__(self, cluster: str | None, node: str, boot_id: str, journal: Journal) -> None:
        self.asked_at: int | None = None  # uptime of the request that is not done
        self._boot_id = boot_id
        self._journal = journal
        self._log: OpenRun | None = None
        self._last: Instant | None = None
        self._left: set[str] | None = None  # GPUs to read; None until it is known which there are
        self._place = self._known_place() or (cluster, node)

    def of_place(self, facts: RunFacts) -> None:
        """Runs of this cluster and node are metered here: a GPU is to have one name in the tables."""
        place = facts.key.cluster, facts.node or self._place[1]
        if place != self._place:
            self._place = place
            self._journal.write_state(STATE_FILE, {"cluster": place[0], "node": place[1]})

    def ask(self, uptime: int) -> None:
        """Read every GPU that nobody holds."""
        is_soon = self._last is not None and uptime - self._last.uptime_microseconds < LEAST_MICROSECONDS
        if self._place[0] is not None and self.asked_at is None and not is_soon:
            self.asked_at, self._left = uptime, None

    def step(self, gpus: Gpus, runs: Sequence[OpenRun], now: Instant) -> list[JournalPart]:
        """Read what nobody holds, where that is asked for and it is known what is held; not for ever. Returns
        the journal of a day that is over."""
        if self.asked_at is not None:
            is_known = gpus.inventory is not None and all(_is_resolved(run) for run in runs)
            if is_known and self._left is None:
                self._left = set(gpus.meters) - _held(runs)
                for uuid in sorted(self._left):
                    gpus.read(uuid)
            is_late = now.uptime_microseconds - self.asked_at > WAIT_MICROSECONDS
            if is_late or self._left == set() or gpus.refuses(None, ever_read=False):
                self.give_up()
        return self.close() if self._is_over(now) else []

    def give_up(self) -> None:
        """What was not read by now is not waited for."""
        self.asked_at = self._left = None

    def read(
        self,
        reading: RawReading,
        at_microseconds: int,
        meter: GpuMeter,
        inventory: Inventory | None,
        runs: Sequence[OpenRun],
    ) -> None:
        """A GPU was read: where that was asked for, and no run holds it now, it is a boundary."""
        if self._left is None or meter.uuid not in self._left:
            return
        self._left.discard(meter.uuid)
        if inventory is None or meter.uuid in _held(runs):
            return
        at = Instant(reading.uptime_microseconds, at_microseconds)
        brought = meter.at(at.uptime_microseconds)
        if reading.counter_millijoules is None or brought is None or meter.segment is None:
            return
        chain = meter.chain_before(at.uptime_microseconds)
        log = self._log or self._begin(at, inventory)
        log.settle(
            Boundary(
                gpu_uuid=meter.uuid,
                kind=Kind.IDLE,
                at_microseconds=at.at_microseconds,
                uptime_microseconds=at.uptime_microseconds,
                segment=meter.segment,
                energy_millijoules=brought.energy_millijoules,
                counter_millijoules=reading.counter_millijoules,
                uncertainty_millijoules=brought.uncertainty_millijoules,
                previous_segment=chain.segment if chain else None,
                previous_at_microseconds=chain.at_microseconds if chain else None,
                previous_uptime_microseconds=chain.uptime_microseconds if chain else None,
                previous_energy_millijoules=chain.energy_millijoules if chain else None,
            )
        )
        meter.mark(at.uptime_microseconds, brought.energy_millijoules, at.at_microseconds)
        self._last = at

    def take_up(self, log: OpenRun) -> None:
        """An earlier agent has begun this journal."""
        self._log = log
        at = max((mark.uptime_microseconds for mark in log.since.values()), default=None)
        self._last = log.started if at is None else Instant(at, at + log.started.wall_offset)

    def _is_over(self, now: Instant) -> bool:
        """Whether the day of the journal, or its boot, is over."""
        if self._log is None:
            return False
        begun = self._log.started.at_microseconds // MICROSECONDS_PER_DAY
        return self._log.boot_id != self._boot_id or begun != now.at_microseconds // MICROSECONDS_PER_DAY

    def close(self) -> list[JournalPart]:
        """The journal, complete; nothing where there is none."""
        log, self._log = self._log, None
        if log is None or self._last is None:
            return []
        log.close_part(final=True, at=max(self._last, log.started), reasons={}, reason=None)
        return [log.log]

    def flush(self) -> bool:
        """Bring it to disk. False: not possible now."""
        return self._log is None or self._log.log.flush()

    @property
    def part(self) -> list[JournalPart]:
        """The journal that is open, where one is."""
        return [self._log.log] if self._log else []

    def _begin(self, at: Instant, inventory: Inventory) -> OpenRun:
        cluster, node = self._place
        assert cluster is not None
        facts = RunFacts(key=RunKey(cluster=cluster, job_id=NO_JOB, restart=0), node=node, devices=())
        self._log = log = OpenRun(facts, node, self._boot_id, at, self._journal)
        log.begin()
        gpus = tuple(
            GpuHeld(
                uuid=gpu.uuid, requested=gpu.uuid, rung=Rung.UUID, name=gpu.name,
                power_limit_milliwatts=gpu.power_limit_milliwatts,
            )
            for gpu in inventory.gpus
        )  # fmt: skip
        log.hold(gpus, inventory.driver_version)
        return log

    def _known_place(self) -> tuple[str | None, str] | None:
        document = self._journal.read_state(STATE_FILE)
        if not isinstance(document, Mapping):
            return None
        cluster, node = document.get("cluster"), document.get("node")
        return (cluster, node) if isinstance(cluster, str) and isinstance(node, str) else None


def _held(runs: Sequence[OpenRun]) -> set[str]:
    return {gpu.uuid for run in runs for gpu in run.gpus or () if gpu.uuid}


def _is_resolved(run: OpenRun) -> bool:
    """Whether it is known which GPUs a run holds: else it may be any."""
    return run.gpus is not None and all(gpu.uuid for gpu in run.gpus)
