"""What an earlier agent left in the journal: runs to go on with, and complete parts to seal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sam_cluster.core.model import RunKey

from .journal import Journal, JournalPart, Record
from .run import Instant, OpenRun


@dataclass(slots=True)
class Left:
    """What was found. `bad` are journals that hold no run; they were set aside."""

    open: list[OpenRun] = field(default_factory=list)
    closed: list[tuple[OpenRun, Instant]] = field(default_factory=list)
    complete: list[JournalPart] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


def left_behind(journal: Journal, is_closed: Callable[[RunKey, Instant], bool]) -> Left:
    """Read every journal that lies there."""
    left = Left()
    latest: dict[str, int] = {}
    unfinished: list[OpenRun] = []
    for name in journal.names():
        run_name, _, part = name.rpartition(".")
        try:
            if journal.is_empty(name):  # killed before its first line: the event it was made for is there
                journal.remove(name)
                continue
            run, last = OpenRun.from_lines(journal.read_lines(name), journal)
            if run.name != name:
                raise ValueError(f"{name} holds {run.name}")
            ended = _closed_at(last)
            latest[run_name] = max(latest.get(run_name, 0), int(part))
        except (OSError, AttributeError, LookupError, TypeError, ValueError):
            journal.set_aside(name)
            left.bad.append(name)
            continue
        if ended is None:
            left.open.append(run)
            continue
        left.complete.append(run.log)
        if last["final"]:
            left.closed.append((run, ended))
        else:
            unfinished.append(run)
    for run in unfinished:
        is_last = latest[run.name.rpartition(".")[0]] == run.part
        if is_last and not is_closed(run.facts.key, run.started):
            run.next_part()  # it was to go on in another part, which never came to disk
            left.open.append(run)
    return left


def _closed_at(record: Record) -> Instant | None:
    return Instant(**record["ended"]) if record["r"] == "close" else None
