"""Snapshots of granted shares, and the salt of the pseudonyms: kept once, and then left as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sam_cluster.accounting.sshare_text import AccountShare, parse
from sam_cluster.aggregate.secret import PSEUDONYM_SALT
from sam_cluster.core.errors import AccountingUnavailable
from sam_cluster.store.paths import StorePaths
from sam_cluster.store.tables import Tables
from tests.aggregating import NOW, digests, put_all, rows, run_aggregate
from tests.strategies import CLUSTER, DAY, HOUR


@dataclass
class Granting:
    """A sshare that grants `vision` so many of 100 shares; None fails, and without a cluster it has none."""

    vision: int | None
    cluster: str | None = CLUSTER
    calls: list[str] = field(default_factory=list)

    def shares(self) -> list[AccountShare]:
        self.calls.append("asked")
        if self.vision is None:
            raise AccountingUnavailable("sshare said no")
        if self.cluster is None:
            return []
        lines = ("root|||1", f" vision||{self.vision}|0", f" nlp||{100 - self.vision}|0")
        return parse("".join(f"{self.cluster}|{line}\n" for line in lines).encode())


def taken(paths: StorePaths) -> list[tuple[str, float, int]]:
    return [(row["account"], row["cluster_share"], row["taken_at"]) for row in rows(paths, "shares")]


def test_a_snapshot_is_taken_at_most_once_a_day_and_the_first_one_stays(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path)
    first, again, next_day = Granting(25), Granting(99), Granting(50)
    run_aggregate(paths, shares=first)
    before = digests(paths)
    run_aggregate(paths, shares=again, now=NOW + HOUR)
    assert (digests(paths), again.calls) == (before, [])
    run_aggregate(paths, shares=next_day, now=NOW + DAY)
    assert sorted(taken(paths)) == [
        ("nlp", 0.5, NOW + DAY), ("nlp", 0.75, NOW), ("vision", 0.25, NOW), ("vision", 0.5, NOW + DAY),
    ]  # fmt: skip


def test_a_late_run_for_an_earlier_day_changes_no_later_one(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path)
    run_aggregate(paths, shares=Granting(25), now=NOW + DAY)
    run_aggregate(paths, shares=Granting(60), now=NOW)
    assert {(share, at) for account, share, at in taken(paths) if account == "vision"} == {
        (0.25, NOW + DAY), (0.6, NOW),
    }  # fmt: skip


def test_a_failing_sshare_is_a_problem_and_keeps_no_energy_back(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path)
    put_all(paths)
    outcome = run_aggregate(paths, shares=Granting(None))
    assert outcome.problems == ["shares: sshare said no"]
    assert outcome.jobs == 2 and rows(paths, "usage") and not rows(paths, "shares")


def test_without_a_source_or_without_fair_share_there_are_no_rows_and_no_problem(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path)
    assert run_aggregate(paths).complete
    assert run_aggregate(paths, shares=Granting(0, cluster=None)).complete
    assert rows(paths, "shares") == []


def test_a_sshare_that_names_no_cluster_is_the_configured_ones(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path)
    run_aggregate(paths, shares=Granting(25, cluster=""))
    assert {row["cluster"] for row in rows(paths, "shares")} == {CLUSTER}


def test_the_salt_is_drawn_once_and_is_for_the_readers_of_the_tables_only(tmp_path: Path) -> None:
    paths = StorePaths(tmp_path)
    run_aggregate(paths)
    salt = Tables(paths).snapshot().properties[PSEUDONYM_SALT]
    run_aggregate(paths, shares=Granting(25))
    assert Tables(paths).snapshot().properties[PSEUDONYM_SALT] == salt and len(salt) == 32
    commits = list((paths.tables / "commits").glob("*.json"))
    assert commits and all(path.stat().st_mode & 0o007 == 0 for path in [*commits, paths.tables])
