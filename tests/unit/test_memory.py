"""What is remembered of closed runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sam_cluster.agent.facts import RunFacts
from sam_cluster.agent.journal import Journal
from sam_cluster.agent.memory import KEPT, KEPT_MICROSECONDS, ClosedRuns
from sam_cluster.agent.run import Instant, OpenRun
from sam_cluster.core.model import RunKey

NOW = 1_790_000_000_000_000


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(str(tmp_path))


def closed(runs: ClosedRuns, journal: Journal, job: int, epilog: int | None, at: int = NOW) -> OpenRun:
    facts = RunFacts(key=RunKey(cluster="c", job_id=job, restart=0), node=None, devices=())
    run = OpenRun(facts, "n1", "boot", Instant(5, at), journal)
    run.epilog_restart = epilog
    runs.remember(run, Instant(6, at))
    return run


def test_an_epilog_that_comes_again_confirms(journal: Journal) -> None:
    runs = ClosedRuns(journal)
    closed(runs, journal, 7, 0)
    assert runs.confirms(7, 0, NOW)
    assert not runs.confirms(7, 1, NOW)
    assert not runs.confirms(8, 0, NOW)


@pytest.mark.parametrize("late", [0, 1])
def test_a_late_epilog_confirms_a_run_without_one_and_only_one_does(journal: Journal, late: int) -> None:
    runs = ClosedRuns(journal)
    closed(runs, journal, 7, None)
    assert not runs.confirms(7, 2, NOW)
    assert runs.confirms(7, late, NOW)
    assert runs.confirms(7, late, NOW)
    assert not runs.confirms(7, 1 - late, NOW)


def test_the_next_agent_remembers(journal: Journal) -> None:
    runs = ClosedRuns(journal)
    run = closed(runs, journal, 7, 0)
    assert runs.save()
    again = ClosedRuns(journal)
    assert again.confirms(7, 0, NOW)
    assert again.has(run.facts.key, run.started)
    assert not again.has(run.facts.key, Instant(5, NOW + 1))


def test_it_forgets_what_is_old_or_too_much(journal: Journal) -> None:
    runs = ClosedRuns(journal)
    closed(runs, journal, 7, 0)
    assert not runs.confirms(7, 0, NOW + KEPT_MICROSECONDS + 1)
    for job in range(10, 10 + KEPT):
        closed(runs, journal, job, 0)
    assert not runs.confirms(7, 0, NOW)
    assert runs.confirms(10, 0, NOW)


def test_a_document_that_is_foreign_is_as_none(journal: Journal, tmp_path: Path) -> None:
    for text in ("{}", "[[1]]", "[1, 2", '"x"'):
        (tmp_path / "closed.json").write_text(text)
        assert not ClosedRuns(journal).confirms(1, 0, NOW)
