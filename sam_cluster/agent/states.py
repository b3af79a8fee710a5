"""What is kept of each GPU while no agent runs, so that what lies between runs is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from sam_cluster.energy.boundary import Reading

from .journal import Journal

STATE_FILE = "gpus.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """A boundary that was settled: where energy was divided."""

    segment: str
    uptime_microseconds: int
    energy_millijoules: int
    at_microseconds: int | None = None  # by the wall clock; None in what an earlier release kept


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterState:
    """Where the counter of a GPU stood, and how far what is known of it goes."""

    boot_id: str
    driver_version: str | None
    segment: str
    last: Reading
    chain: Mark | None
    power_only: bool
    unfollowed_until: int
    is_doubtful: bool = False

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> MeterState:
        """Back from a document. Raises TypeError or KeyError where it is none."""
        chain = document["chain"]
        return cls(**{
            **document, "last": Reading(**document["last"]), "chain": Mark(**chain) if chain else None
        })  # fmt: skip


class Metered(Protocol):
    """A GPU whose state can be kept."""

    uuid: str

    @property
    def state(self) -> MeterState | None:
        """None before its first reading."""


class GpuStates:
    """The states of all GPUs of the node, in one file beside the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._states = _load(journal)
        self._saved = self._divisions()

    def of(self, uuid: str) -> MeterState | None:
        """What was kept of a GPU."""
        return self._states.get(uuid)

    def keep(self, meters: Iterable[Metered]) -> None:
        """Take over how these stand now."""
        for meter in meters:
            if state := meter.state:
                self._states[meter.uuid] = state

    def remember(self, uuid: str, last: Reading) -> None:
        """A journal holds a later reading of this GPU than was kept of it."""
        state = self._states.get(uuid)
        if state and last.uptime_microseconds > state.last.uptime_microseconds:
            self._states[uuid] = replace(state, last=last)

    def break_chains(self, unread: Mapping[str, int] | None, until: int) -> Iterator[tuple[str, int]]:
        """What lies between a boundary after the given uptimes (None: of all GPUs) and the next is not idle:
        each GPU of which that holds, and up to which uptime."""
        for uuid, state in self._states.items():
            since = 0 if unread is None else unread.get(uuid)
            if since is None or (state.chain and state.chain.uptime_microseconds < since):
                continue
            last = max(until, state.unfollowed_until)
            self._states[uuid] = replace(state, chain=None, unfollowed_until=last)
            yield uuid, last

    def save(self) -> bool:
        """Write them, where a boundary or a segment came to one. (Later readings of a GPU are in the journals
        of the runs that hold it.) False: not possible now."""
        divisions = self._divisions()
        if divisions == self._saved and self._journal.has_state(STATE_FILE):
            return True
        document = {uuid: state.to_json() for uuid, state in self._states.items()}
        if not self._journal.write_state(STATE_FILE, document):
            return False
        self._saved = divisions
        return True

    def _divisions(self) -> dict[str, tuple[str, Mark | None]]:
        return {uuid: (state.segment, state.chain) for uuid, state in self._states.items()}


def _load(journal: Journal) -> dict[str, MeterState]:
    document = journal.read_state(STATE_FILE)
    states = {}
    for uuid, state in document.items() if isinstance(document, dict) else ():
        try:
            states[uuid] = MeterState.from_json(state)
        except (TypeError, KeyError):
            continue
    return states
