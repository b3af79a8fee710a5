"""Slurm's hostlist notation: `gpu[01-03,7],login1` names five nodes."""

from __future__ import annotations

import re
from itertools import product

#: More nodes than any cluster has; a bound on what one line of text may make this process hold.
NODES_AT_MOST = 1_000_000

_WORD = r"(?:[^,\[\]\s]|\[[^\[\]]*\])+"
_HOSTLIST = re.compile(rf"{_WORD}(?:,{_WORD})*")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_NONE = frozenset({"", "None assigned", "(null)"})


def expand(hostlist: str) -> tuple[str, ...]:
    """The nodes that a hostlist names, in its order, with leading zeros as written.

    Several brackets in one word multiply, the last one running fastest: `r[1-2]n[1-2]` is r1n1, r1n2,
    r2n1, r2n2. What Slurm writes where no node was assigned gives (). Raises ValueError for any other text.
    """
    if hostlist in _NONE:
        return ()
    if not _HOSTLIST.fullmatch(hostlist):
        raise ValueError(f"{hostlist!r} is no hostlist")
    nodes: list[str] = []
    for word in re.findall(_WORD, hostlist):
        nodes.extend(_expand_word(word, NODES_AT_MOST - len(nodes)))
    return tuple(nodes)


def _expand_word(word: str, at_most: int) -> list[str]:
    """The nodes of a word without commas outside brackets: literal, bracket, literal, …"""
    choices = [
        _expand_bracket(piece, at_most) if position % 2 else [piece]
        for position, piece in enumerate(re.split(r"\[([^\]]*)\]", word))
    ]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > at_most:
        raise ValueError(f"a hostlist names more than {NODES_AT_MOST} nodes")
    return ["".join(parts) for parts in product(*choices)]


def _expand_bracket(inside: str, at_most: int) -> list[str]:
    numbers: list[str] = []
    for item in inside.split(","):
        match = _RANGE.fullmatch(item)
        if not match:
            raise ValueError(f"{item!r} in [{inside}] is no number and no range")
        low, high = match[1], match[2] or match[1]
        span = range(int(low), int(high) + 1)
        if not span:
            raise ValueError(f"the range {item} in [{inside}] runs backwards")
        if len(numbers) + len(span) > at_most:
            raise ValueError(f"a hostlist names more than {NODES_AT_MOST} nodes")
        numbers.extend(f"{number:0{len(low)}}" for number in span)
    return numbers
