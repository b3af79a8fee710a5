"""Which of the runs of a node an event is of."""

from __future__ import annotations

from collections.abc import Sequence

from sam_cluster.core.model import RunKey

from .run import Instant, OpenRun


def is_its_prolog(run: OpenRun, key: RunKey, instant: Instant) -> bool:
    """Whether this prolog is the one that the run began with."""
    return run.facts.key == key and (not run.ended or run.started == instant)


def run_of_end(runs: Sequence[OpenRun], key: RunKey, instant: Instant, boot_id: str) -> OpenRun | None:
    """The run that an epilog is of, the latest first. The prolog's restart count may be one less."""
    for run in reversed(runs):
        mine = run.facts.key
        is_its = mine.job_id == key.job_id and (key.sluid is None or mine.sluid in (key.sluid, None))
        # No end is before its start: after a kill the epilog of the run before may be taken again.
        has_begun = run.started.uptime_microseconds <= instant.uptime_microseconds
        if is_its and mine.restart <= key.restart and run.boot_id == boot_id and has_begun:
            return run
    return None
