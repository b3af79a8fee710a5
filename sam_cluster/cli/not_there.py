"""Accounts, users and labs that were named and have nothing in the period, beside those that have.

Nobody learns a name by this: whoever reads the tables lists all of them without a flag.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from sam_cluster.core.spelling import nearest
from sam_cluster.report.text import shortened

if TYPE_CHECKING:
    from sam_cluster.core.times import Period
    from sam_cluster.report.records import Names, Selection

#: So many are listed; of more only those that are like the one that was named.
MOST_LISTED = 12


def lines(
    what: str, period: Period | None, selection: Selection, found: Names, names_there: Callable[[], Names]
) -> list[str]:
    """A line for each name of a selection that no job or result (`what`) of a period has. What there is
    beside those found is looked for only where a name is not among them."""
    if all(name in among for _, name, among in _each(selection, found)):
        return []
    when = f" ({period.name})" if period else ""
    return [
        f"no {what}{when} is of the {kind} '{shortened(name)}'; {those_there(name, known)}"
        for kind, name, known in _each(selection, names_there())
        if known and name not in known
    ]


def _each(selection: Selection, names: Names) -> Iterator[tuple[str, str, Collection[str]]]:
    """Each name of a selection with what it names and the names of that kind."""
    yield from (("account", name, names.accounts) for name in selection.accounts)
    yield from (("user", name, names.users) for name in selection.users)
    if selection.group is not None:
        yield "lab", selection.group, names.groups


def those_there(wanted: str, known: Collection[str]) -> str:
    """Which names there are: all of a few, of many those that are like the one that was named."""
    if not known:
        return "there is none"
    if len(known) <= MOST_LISTED:
        return f"there are {_listed(sorted(known))}"
    near = nearest(wanted, sorted(known))
    if near:
        return f"of the {len(known)} that there are the nearest are {_listed(near)}"
    return f"there are {len(known)}, and none is like it"


def _listed(names: Collection[str]) -> str:
    return ", ".join(shortened(name) for name in names)
