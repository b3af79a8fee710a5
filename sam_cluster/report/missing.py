"""What is missing, and remarks: each flag and reason with what it means and how many jobs bear it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.model import Flag, Reason
from . import words
from .view import MissingLine


def missing_lines(flags: Mapping[str, int], reasons: Mapping[str, int]) -> tuple[MissingLine, ...]:
    """A line for each word, in the order of the closed lists; a word that is both counts where it is more."""
    meanings = {word.value: text for known in (words.FLAGS, words.REASONS) for word, text in known.items()}
    both = {word: max(flags.get(word, 0), reasons.get(word, 0)) for word in {*flags, *reasons}}
    order = [*(flag.value for flag in Flag), *(reason.value for reason in Reason)]
    return tuple(
        MissingLine(word=word, meaning=meanings.get(word, words.NOT_KNOWN_HERE), count=count)
        for word, count in sorted(both.items(), key=lambda item: (_place(item[0], order), item[0]))
    )


def _place(word: str, order: Sequence[str]) -> int:
    return order.index(word) if word in order else len(order)
