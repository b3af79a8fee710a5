"""What `sam-cluster aggregate` does: from the inbox, accounting and the drop box to the tables.

    inbox ─► shards, readings ─► usage, gaps ─► runs, jobs ─► commit ─► samples ─► inbox emptied

Only the days and jobs that something new touches are read and written. Nothing leaves the inbox before
the commit that holds it, and folding it again changes nothing: at any point all of this may die.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.accounting.source import AccountingSource
from sam_cluster.accounting.sshare import ShareSource
from sam_cluster.core.config import Config
from sam_cluster.core.cycles import no_search_for_cycles
from sam_cluster.store.commit import CommitLost, Transaction, prepare
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.place import Step, no_step
from sam_cluster.store.rows import empty
from sam_cluster.store.tables import Tables
from sam_cluster.submissions.munge import Munge

from . import inbox
from .accounting import Asked, ask, keep
from .arrivals import look
from .divide import redivide
from .fold import Batch, concat, read_batch
from .inbox import InboxFile, Rejected
from .job_keys import jobs_of, jobs_table
from .jobs import resummarise, unlooked
from .merge import Merge, merge
from .notices import foreign_clusters, hidden_accounting
from .results import Collected, Names, empty_box, fold_results, user_name
from .samples import SHARD_COLUMNS, fold_samples, read_samples, together
from .secret import Salt, keep_salt, new_salt
from .shares import Granted, ask_shares, keep_shares
from .spread.wiring import Answer, Executor, Item, Progress, silent

#: What a day of a large site brings; so many and their samples take 2 GB.
SHARDS_AT_ONCE = 26_000
#: Another writer may win so many times before this one gives up.
ATTEMPTS = 20
#: A shard whose node's clock was never set does not say from when on to ask accounting (2000-01-01).
CLOCK_WAS_SET_MICROSECONDS = 946_684_800_000_000

Folded = TypeVar("Folded")


@dataclass(slots=True)
class Outcome:
    """What was done, in numbers, and what could not be."""

    shards: int = 0  # taken into the tables
    duplicates: int = 0  # that they held already
    quarantined: int = 0
    runs: int = 0  # made, or made anew
    jobs: int = 0
    results: int = 0  # taken from the drop box
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all that there was is in the tables."""
        return not self.problems


def aggregate(
    paths: StorePaths,
    config: Config,
    *,
    accounting: AccountingSource | None,
    now_microseconds: int,
    executor: Executor,
    progress: Progress = silent,
    munge: Munge | None = None,
    names: Names = user_name,
    shares: ShareSource | None = None,
    salt: Salt = new_salt,
    step: Step = no_step,
) -> Outcome:
    """Bring the tables up to date. Raises StoreError where the store cannot be used.

    `accounting` None leaves accounting alone, `shares` None the shares that Slurm grants; `names` says who
    has a UID; `salt` makes the one of the pseudonyms, once; `step` is called with the name of each step on
    the disk.
    """
    prepare(paths)
    progress("looking into the inbox", 0, 0)
    arrivals, strays, unread = look(paths)
    work = _Work(
        paths, config, accounting, now_microseconds, executor, progress, munge, names, shares, salt, step
    )
    work.files = len(arrivals)
    work.set_aside(strays)
    work.outcome.problems += [f"not read this time: {each}" for each in unread]
    for lot in arrivals.lots(SHARDS_AT_ONCE):
        with no_search_for_cycles():
            work.fold(lot, is_last=work.begun + len(lot) == work.files)
        gc.collect()
        pa.default_memory_pool().release_unused()
    return work.outcome


@dataclass(slots=True)
class _Work:
    """One call of `aggregate`."""

    paths: StorePaths
    config: Config
    accounting: AccountingSource | None
    now: int
    executor: Executor
    progress: Progress
    munge: Munge | None
    names: Names
    shares: ShareSource | None
    salt: Salt
    step: Step
    files: int = 0  # in all
    begun: int = 0  # before those that are folded now
    outcome: Outcome = field(default_factory=Outcome)
    asked: Asked | None = None
    granted: Granted | None = None

    def fold(self, files: Sequence[InboxFile], *, is_last: bool) -> None:
        """Take some shards into the tables; with the last of them, what accounting and the drop box say."""
        batch = concat(self._map("shards read", read_batch, files))
        self.set_aside(batch.rejected)
        self.outcome.problems += [f"not read this time: {each}" for each in batch.unread]
        self._unseen(batch.missing)
        self._ask(batch.shards, must=is_last)
        self._ask_shares()
        merged, collected, runs, jobs = self._commit(
            lambda transaction: self._fold(transaction, batch, is_last)
        )
        self.outcome.runs += runs
        self.outcome.jobs += jobs
        self.outcome.problems += collected.problems
        self.outcome.shards += len(merged.new)
        if merged.known:
            self.outcome.duplicates += sum(digest in merged.known for _, digest in batch.files)
        self.outcome.results += collected.received
        empty_box(self.paths, collected)
        beaten = merged.beaten
        batch.readings = empty("readings")
        del merged  # samples need the room
        self._fold_samples(batch)
        self._empty_inbox(batch, beaten)
        self.begun += len(files)

    def _unseen(self, missing: Iterable[Path]) -> list[Path]:
        """The files that are there although somebody did not find them. Another `aggregate` may have taken a
        file away; a worker that does not see this store finds none at all."""
        there = [path for path in missing if path.exists()]
        if there:
            self.outcome.problems.append(
                f"workers did not find {len(there)} shards that are there, such as {there[0]}; these wait. "
                "Every worker must find the store at the same path"
            )
        return there

    def set_aside(self, rejected: Iterable[Rejected]) -> None:
        """Move to quarantine what is no shard."""
        for each in rejected:
            if self._quarantine(each):
                self.outcome.problems.append(f"moved to quarantine: {each.path}: {each.reason}")

    def _quarantine(self, each: Rejected) -> bool:
        """Whether it was moved: what lies in the way of one must not keep the others."""
        try:
            moved = inbox.quarantine(self.paths, each) is not None
        except OSError as error:
            self.outcome.problems.append(
                f"belongs in quarantine ({each.reason}), and cannot be moved: {each.path}: {error.strerror}"
            )
            return False
        self.outcome.quarantined += moved
        return moved

    def _fold(
        self, transaction: Transaction, batch: Batch, is_last: bool
    ) -> tuple[Merge, Collected, int, int]:
        """What changed, what the drop box held, and how many runs and jobs were made."""
        asked = self.asked or Asked()
        self.progress("merging", 0, 0)
        merged = merge(transaction, batch.shards, batch.readings)
        # Before the commit: after it nothing else holds them, and this process may be dead.
        inbox.keep_superseded(self.paths, merged.superseded, merged.readings_removed)
        merged.apply(transaction)
        transaction.folded(merged.new)
        told = keep(transaction, asked) if is_last else jobs_table(())
        self.progress("dividing energy", 0, 0)
        changed = merged.shards_added, merged.shards_removed, told
        hours = redivide(
            transaction, merged.readings_removed, merged.readings_added, jobs_of(*changed), asked
        )
        due = unlooked(transaction, asked, self.now) if is_last else told
        touched = jobs_of(*changed, *hours, due)
        self.progress("runs and jobs", 0, 0)
        runs, jobs = resummarise(transaction, touched, asked, self.now, self.config.calibration)
        collected = Collected()
        if is_last:
            keep_salt(transaction, self.salt)
            keep_shares(transaction, self.granted or Granted())
            self.progress("results", 0, 0)
            collected = fold_results(transaction, self.paths, self.config, self.now, self.munge, self.names)
            transaction.properties["problems"] = [*self.outcome.problems, *collected.problems]
        return merged, collected, runs, jobs

    def _fold_samples(self, batch: Batch) -> None:
        """The samples of all shards that came, also of those that were known: a step of its own, so that
        no figure waits for it."""
        stage = "shards read for their samples"
        self.progress(stage, self.begun, self.files)
        rows = {row["shard_digest"]: row for row in batch.shards.select(SHARD_COLUMNS).to_pylist()}
        shards = [(file, rows[digest]) for file, digest in batch.files]
        read = together(self._map(stage, read_samples, shards))
        self.progress("folding samples", 0, 0)
        self._commit(
            lambda transaction: fold_samples(transaction, read.rows, self.now, self.config.keep_samples_days)
        )
        unread = set(read.unread)
        staying = unread.union(self._unseen(read.missing))
        batch.files = [(file, digest) for file, digest in batch.files if file.path not in staying]
        self.outcome.problems += [f"its samples were not read this time: {path}" for path in sorted(unread)]
        self.set_aside(read.rejected)

    def _empty_inbox(self, batch: Batch, beaten: Mapping[str, str]) -> None:
        self.progress("emptying the inbox", 0, 0)
        closed: dict[Path, str | None] = {}
        for file, digest in batch.files:
            self.step(f"empty {file.name}")
            if digest in beaten:
                reason = f"shard {beaten[digest]} says more of the same run, and is in the tables"
                self._quarantine(Rejected(file.path, f"{file.node}.{file.name}", reason))
                continue
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                closed[file.path.parent] = error.strerror
        self.outcome.problems += [
            f"what is in the tables cannot be removed from {directory}: {why}; give it to the service user"
            for directory, why in sorted(closed.items())
        ]

    def _ask(self, shards: pa.Table, *, must: bool) -> None:
        """Ask accounting once: when the earliest shards are known, or at the end."""
        if self.accounting is None or self.asked or not (len(shards) or must):
            return
        snapshot = Tables(self.paths).snapshot()
        starts = [month.span.start_microseconds for month in snapshot.months("shards").values()]
        starts += pc.unique(shards["started_at"].cast(pa.int64())).to_pylist()
        known = [start for start in starts if start and start >= CLOCK_WAS_SET_MICROSECONDS]
        self.progress("accounting", 0, 0)
        self.asked = ask(self.accounting, snapshot.properties, min(known, default=None), self.now)
        name = self.config.cluster_name
        notices = [foreign_clusters(shards, name), hidden_accounting(snapshot, shards, self.asked, name)]
        self.outcome.problems += [*self.asked.problems, *filter(None, notices)]

    def _ask_shares(self) -> None:
        if self.shares is None or self.granted:
            return
        self.progress("granted shares", 0, 0)
        snapshot = Tables(self.paths).snapshot()
        self.granted = ask_shares(self.shares, snapshot, self.config.cluster_name, self.now)
        self.outcome.problems += self.granted.problems

    def _commit(self, fold: Callable[[Transaction], Folded]) -> Folded:
        """Fold and commit; where another writer was first, fold onto what it made."""
        for attempt in range(ATTEMPTS):
            snapshot = Tables(self.paths).snapshot()
            transaction = Transaction(snapshot, now_microseconds=self.now, step=self.step)
            folded = fold(transaction)
            self.progress("writing tables", 0, 0)
            try:
                transaction.commit()
            except CommitLost:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                break
        return folded

    def _map(
        self, stage: str, function: Callable[[Sequence[Item]], Answer], items: Sequence[Item]
    ) -> list[Answer]:
        def tell(done: int) -> None:
            self.progress(stage, self.begun + done, self.files)

        tell(0)
        return self.executor.map(function, items, tell)
