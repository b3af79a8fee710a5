"""The GPUs of the node: when NVML is open, when they are read, and what went wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sam_cluster.core.config import Config
from sam_cluster.core.model import GpuHeld, Reason

from .identity import resolve
from .journal import Journal
from .meter import GpuMeter
from .ports import Clock, Inventory, Opened, OpenFailed, RawReading, Read, Readers, ReadFailed, Remedy
from .release import Release
from .retry import Retry
from .states import GpuStates
from .troubles import Troubles

LONGEST_RETRY_MICROSECONDS = 8_000_000
#: NVML that has answered for so long is well again.
STABLE_MICROSECONDS = 60_000_000
#: Without the driver's ring of samples, power is read this often.
SERIES_MICROSECONDS = 1_000_000
NEVER = 1 << 62


class Gpus:
    """NVML is open exactly while a run is: an open client keeps a GPU from being reset."""

    def __init__(
        self, config: Config, boot_id: str, clock: Clock, readers: Readers, journal: Journal
    ) -> None:
        self.meters: dict[str, GpuMeter] = {}
        self.driver_version: str | None = None
        self._config = config
        self._boot_id = boot_id
        self._clock = clock
        self._readers = readers
        self._inventory: Inventory | None = None
        self._asked_to_open = False
        self._opened_at = 0
        self._not_before = 0
        self._open_again = Retry(LONGEST_RETRY_MICROSECONDS)
        self._is_wanted = False
        self._troubles = Troubles()
        self._unread: set[str] = set()  # GPUs that were asked at the last tick, and gave nothing since
        self.missed_ticks = 0  # readings of a GPU that were due, and did not come
        self._release: Release | None = None  # the latest
        self._interval = round(config.interval_seconds * 1_000_000)
        self._paces: dict[str, int] = {}  # of each GPU that was read, how often it is to be
        self._series_interval = min(self._interval, SERIES_MICROSECONDS)
        self._next_read = 0
        self.states = GpuStates(journal)

    def open(self) -> None:
        """Ask for NVML, unless it is there, asked for already, or let go of on request."""
        uptime = self._clock.uptime_microseconds()
        if self._inventory is None and not self._asked_to_open and uptime >= self._not_before:
            self._asked_to_open = True
            self._readers.open()

    def close(self) -> None:
        """Let go of NVML."""
        self.states.keep(self.meters.values())
        if self._inventory is not None or self._asked_to_open:
            self._readers.close()
        self._inventory, self._asked_to_open = None, False
        if self._release:
            self._release.is_pending = False

    def release(self, asked: int, held: Iterable[str]) -> None:
        """Let go of NVML for a while, so that a GPU can be reset under running measurements, after a last
        look at what is held. `asked`: when that was asked for (uptime)."""
        looks = set(held) - self._troubles.lost if self._inventory is not None else set()
        self._release = Release(asked, self._clock.uptime_microseconds(), looks)
        self._not_before = self._release.over_at
        for uuid in looks:
            self.read(uuid)
        self._let_go_if_due()

    def _let_go_if_due(self) -> None:
        if self._release and self._release.is_due(self._clock.uptime_microseconds()):
            self._let_go()

    def _let_go(self) -> None:
        """Until NVML is opened anew a driver may be loaded anew, and counters may restart."""
        for meter in self.meters.values():
            meter.is_doubtful = True
        self.close()

    @property
    def release_state(self) -> dict[str, Any] | None:
        """The latest request to let go of NVML, whether that is done, and what it waits for."""
        if self._release is None:
            return None
        is_closed = self._inventory is not None or self._readers.is_closed()  # open: that is a later time
        return self._release.state(is_closed=is_closed, under_way=self._readers.under_way())

    def read(self, uuid: str) -> None:
        """Ask for a reading now. What went wrong before it says nothing of it."""
        if self._inventory is not None and uuid in self.meters and uuid not in self._troubles.lost:
            self._troubles.reasons.pop(uuid, None)
            self._readers.read(uuid)

    def answers(self) -> Iterator[Read]:
        """What NVML read since the last call, one by one; what else it said is taken note of."""
        for answer in self._readers.answers():
            if isinstance(answer, Opened):
                self._opened(answer.inventory)
            elif isinstance(answer, OpenFailed):
                self._troubles.reasons[None] = answer.reason
                self._asked_to_open = False
                self._open_later()
            elif answer.uuid not in self.meters:
                continue
            elif self._inventory is None:
                if isinstance(answer, ReadFailed):
                    self._troubles.failed_while_closed(answer)
            elif isinstance(answer, ReadFailed):
                self._failed(answer)
            else:
                self._troubles.is_well(answer.uuid)
                self._unread.discard(answer.uuid)
                if self._release:
                    self._release.read(answer.uuid, answer.reading.uptime_microseconds)
                if answer.reading.uptime_microseconds - self._opened_at > STABLE_MICROSECONDS:
                    self._open_again.succeeded()
                self._paces[answer.uuid] = self._pace(answer.reading)
                yield answer

    def _failed(self, answer: ReadFailed) -> None:
        if self._release:
            self._release.read(answer.uuid, None)
        if self._troubles.failed(answer):
            self._open_anew()
        elif answer.remedy in (Remedy.CLOSE, Remedy.REOPEN):
            self.meters[answer.uuid].is_doubtful = True

    def _open_anew(self) -> None:
        self._let_go()
        self._open_later()

    def _open_later(self) -> None:
        uptime = self._clock.uptime_microseconds()
        self._open_again.failed(uptime)
        self._not_before = max(self._not_before, self._open_again.not_before)

    def resolve(self, devices: Iterable[str]) -> tuple[GpuHeld, ...] | None:
        """Which GPUs these words name; None while NVML has not said what there is."""
        if self._inventory is None:
            return None
        return resolve(devices, self._inventory, self._config.gpus)

    @property
    def inventory(self) -> Inventory | None:
        """What there is; None while NVML is not open."""
        return self._inventory

    def poll(self, held: Iterable[tuple[str, ...]], *, is_awaited: bool, is_wanted: bool) -> None:
        """Read what is held, where it is due, and soon again where a boundary still waits for a reading; let
        go of NVML where no run is open, and nothing else is to be read (`is_wanted`)."""
        runs = list(held)
        self._is_wanted = bool(runs) or is_wanted
        if not self._is_wanted:
            self.close()
            return
        uptime = self._clock.uptime_microseconds()
        self._let_go_if_due()
        self.open()
        if not runs:
            return
        wanted = {uuid for uuids in runs for uuid in uuids}
        # As often as the GPU asks for that is to be read most often: another's silence spoils no series.
        first = min(self._interval, SERIES_MICROSECONDS)
        self._series_interval = min((self._paces.get(uuid, first) for uuid in wanted), default=first)
        interval = SERIES_MICROSECONDS if is_awaited else self._series_interval
        self._next_read = min(self._next_read, uptime + interval)
        if self._inventory is None or uptime < self._next_read:
            return
        if self._troubles.are_all(wanted):
            self._open_anew()
            return
        self._count_missed(wanted, uptime, interval)
        self._next_read = uptime + interval
        self._unread = wanted
        for uuid in wanted - self._troubles.lost:
            self._readers.read(uuid)

    def _count_missed(self, wanted: set[str], uptime: int, interval: int) -> None:
        """Ticks that this agent slept through, and those at which a GPU gave nothing."""
        late = (uptime - self._next_read) // interval if self._next_read else 0
        self.missed_ticks += late * len(wanted) + len(self._unread & wanted)

    def next_poll(self) -> int:
        """When `poll` has something to do (uptime)."""
        if self._release and self._release.is_pending:
            return min(self._release.due_at_latest, self._next_read)
        if self._inventory is not None:
            return self._next_read
        if self._is_wanted:
            return max(self._not_before, self._clock.uptime_microseconds() + SERIES_MICROSECONDS)
        return NEVER

    def is_due(self, uuid: str) -> bool:
        """Whether a tick of the sampling interval has passed since the last sample that was kept."""
        kept = self.meters[uuid].last_kept
        now = self._clock.uptime_microseconds()
        return kept is None or now - kept >= self._interval - self._series_interval // 2

    def refuses(self, uuid: str | None, *, ever_read: bool) -> bool:
        """Whether NVML said that of a GPU (of NVML as a whole: None) no reading will come. Silence is no
        answer, and what was read before may be read again, unless it is lost."""
        if self._inventory is None:
            return not ever_read and None in self._troubles.reasons and not self._asked_to_open
        return uuid in self._troubles.lost or (not ever_read and uuid in self._troubles.reasons)

    def trouble_of(self, uuid: str | None) -> Reason:
        """Why there is no reading of a GPU (of NVML as a whole: None)."""
        if reason := self._troubles.reasons.get(uuid):
            return reason
        if self._readers.overdue():
            return Reason.NVML_HUNG
        return self._troubles.reasons.get(None, Reason.NO_READING)

    def not_followed(self, unread: Mapping[str, int] | None, until: int) -> None:
        """A run held these GPUs, and from an uptime on, up to another, had no reading of them (None: it is
        not known which they are): what lies between a boundary after that and the next is not idle."""
        self.states.keep(self.meters.values())
        for uuid, last in self.states.break_chains(unread, until):
            if meter := self.meters.get(uuid):
                meter.unfollowed_until = last

    def save(self) -> bool:
        """Keep what is known of each GPU for the next agent. False: not possible now."""
        self.states.keep(self.meters.values())
        return self.states.save()

    def _opened(self, inventory: Inventory) -> None:
        self._asked_to_open = False
        self._opened_at = self._clock.uptime_microseconds()
        self.states.keep(self.meters.values())
        self._troubles.opened()
        self._unread = set()
        self._inventory = inventory
        self.driver_version = inventory.driver_version
        before, self.meters = self.meters, {}
        for gpu in inventory.gpus:
            meter = GpuMeter(
                gpu.uuid,
                self._boot_id,
                inventory.driver_version,
                gpu.power_limit_milliwatts,
                before.get(gpu.uuid),
            )
            if state := self.states.of(gpu.uuid):
                meter.resume(state)
            self.meters[gpu.uuid] = meter
        self._next_read = 0

    def _pace(self, reading: RawReading) -> int:
        """The driver's ring holds so much time: reading it before it turns over is often enough. Where a
        GPU says nothing of its power, there is no series to keep."""
        wanted = max(reading.ring_microseconds * 4 // 5, SERIES_MICROSECONDS)
        return min(self._interval, wanted if reading.power else self._interval)
