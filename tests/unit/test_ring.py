"""The length of the driver's ring of power samples, learnt from what it gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.agent.ring import Ring

SPACING = 20_000


@given(
    capacity=st.integers(10, 5_000),
    waits=st.lists(st.integers(1_000_000, 60_000_000), min_size=1, max_size=30),
)
def test_it_never_takes_a_ring_for_longer_than_twice_what_it_gave(capacity: int, waits: list[int]) -> None:
    ring, now = Ring(), 10_000 * SPACING
    for wait in waits:
        now += wait
        newest = now // SPACING
        stamps = [n * SPACING for n in range(newest - capacity + 1, newest + 1) if n * SPACING > ring.last]
        ring.learn(stamps)
        assert ring.microseconds <= 2 * capacity * SPACING


def test_looks_that_follow_it_come_to_rest_inside_the_ring() -> None:
    ring, now, capacity = Ring(), 10_000 * SPACING, 150  # it holds three seconds
    holes = 0
    for _ in range(50):
        now += max(ring.microseconds * 4 // 5, 1_000_000)
        newest = now // SPACING
        stamps = [n * SPACING for n in range(newest - capacity + 1, newest + 1) if n * SPACING > ring.last]
        holes += ring.last > 0 and stamps[0] - ring.last > SPACING
        ring.learn(stamps)
    assert holes <= 1
    assert ring.microseconds <= capacity * SPACING


def test_a_look_a_moment_after_another_is_no_hole() -> None:
    ring = Ring()
    ring.learn([n * SPACING for n in range(100, 200)])
    ring.learn([200 * SPACING])
    assert ring.microseconds == 2 * 99 * SPACING
