"""Which known names are like one that is not known, for whoever mistyped it."""

from __future__ import annotations

from collections.abc import Iterable

MOST_HINTS = 3
NEARNESS = 0.6  # of difflib's ratio, 0 to 1


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are like this one, the most alike first; small and capital letters are one."""
    from difflib import get_close_matches  # here, for the node's agent reads tasks too and needs no hints

    by_folded: dict[str, list[str]] = {}
    for one in known:
        by_folded.setdefault(one.casefold(), []).append(one)
    found = get_close_matches(name.casefold(), by_folded, n=MOST_HINTS, cutoff=NEARNESS)
    return [one for folded in found for one in by_folded[folded]][:MOST_HINTS]
