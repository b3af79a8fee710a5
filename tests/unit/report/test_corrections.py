"""Which result counts where one corrects another."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.report.corrections import Stated, superseded
from tests.unit.report.tables import at


def stated(
    name: str, corrects: str | None = None, *, minute: int = 0, user: str = "ada", accepted: bool = True
):
    return Stated(
        submission_id=name,
        supersedes=corrects,
        user=user,
        submitted_at=at("2026-10-01 12:00") + timedelta(minutes=minute),
        is_accepted=accepted,
    )


A = stated("a")


@pytest.mark.parametrize(
    ("more", "in_place"),
    [
        ([], {}),
        ([stated("b", "a", minute=1)], {"a": "b"}),
        ([stated("b", "a", minute=1), stated("c", "b", minute=2)], {"a": "b", "b": "c"}),
        # A clock that went back changes nothing in a chain.
        ([stated("b", "a", minute=-1), stated("c", "b", minute=-2)], {"a": "b", "b": "c"}),
        # A superseded result that is superseded again: the last correction counts, and only it.
        ([stated("b", "a", minute=1), stated("c", "a", minute=2)], {"a": "c", "b": "c"}),
        (
            [stated("b", "a", minute=1), stated("d", "b", minute=3), stated("c", "a", minute=2)],
            {"a": "c", "b": "d", "c": "d"},
        ),
        # What is not accepted hides nothing.
        ([stated("b", "a", minute=1, accepted=False)], {}),
        ([stated("b", "a", minute=1), stated("c", "b", minute=2, accepted=False)], {"a": "b"}),
        # A slip of one's own on the way is corrected with what it was to correct.
        ([stated("b", "a", minute=1, accepted=False), stated("c", "b", minute=2)], {"a": "c", "b": "c"}),
        # Mallory's rejected correction is no way to ada's result.
        (
            [
                stated("b", "a", minute=1, accepted=False, user="mallory"),
                stated("c", "b", minute=2, user="mallory"),
            ],
            {"b": "c"},
        ),
        # A coordinator's accepted correction of ada's counts, and hers of it.
        ([stated("b", "a", minute=1, user="head"), stated("c", "b", minute=2)], {"a": "b", "b": "c"}),
        ([stated("b", "nothing", minute=1)], {}),
        ([stated("b", "b", minute=1)], {}),
    ],
)
def test_of_a_result_and_its_corrections_the_last_accepted_counts(more, in_place) -> None:
    assert superseded([A, *more]) == in_place


def test_of_results_that_correct_one_another_in_a_circle_the_last_counts() -> None:
    circle = [stated("a", "c"), stated("b", "a", minute=1), stated("c", "b", minute=2)]
    assert set(superseded(circle)) == {"a", "b"}
    tail = [*circle, stated("d", "a", minute=3)]
    assert set(superseded(tail)) == {"a", "b", "c"}


names = st.sampled_from("abcdefgh")


@st.composite
def any_results(draw):
    ids = draw(st.lists(names, unique=True, min_size=1))
    return [
        stated(
            each, draw(st.none() | names), minute=draw(st.integers(0, 5)),
            user=draw(st.sampled_from(["ada", "bob"])), accepted=draw(st.booleans()),
        )
        for each in ids
    ]  # fmt: skip


@settings(deadline=None)
@given(results=any_results(), order=st.randoms(use_true_random=False))
def test_of_each_family_of_results_one_counts_whatever_the_order(results, order) -> None:
    found = superseded(results)
    shuffled = list(results)
    order.shuffle(shuffled)
    assert superseded(shuffled) == found
    by_id = {each.submission_id: each for each in results}
    assert all(by_id[other].is_accepted for other in found.values())
    families = {each: each for each in by_id}

    def family(name: str) -> str:
        return name if families[name] == name else family(families[name])

    for each in results:
        if each.supersedes in by_id and (each.is_accepted or each.user == by_id[each.supersedes].user):
            families[family(each.submission_id)] = family(each.supersedes)
    for first in {family(name) for name in by_id}:
        accepted = [each for each in results if each.is_accepted and family(each.submission_id) == first]
        counting = [each for each in accepted if each.submission_id not in found]
        assert len(counting) == bool(accepted)


def test_a_long_chain_is_no_work_for_minutes() -> None:
    chain = [stated(f"{n:06d}", f"{n - 1:06d}" if n else None, minute=n) for n in range(20_000)]
    assert len(superseded(chain)) == 19_999
