"""What people used, without their names: pseudonyms that only the readers of the tables can undo.

A pseudonym is a keyed digest of the user's name under the salt of the tables (see `aggregate.secret`):
without it nobody can find a name by trying all, and a person has the same pseudonym on every page.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..ledger import Amount, amount_of

DIGITS = 8


@dataclass(slots=True)
class Person:
    """What one person used in one lab in the period."""

    user: str | None
    lab: str | None
    jobs: int = 0
    gpu_microseconds: int = 0
    amount: Amount = field(default_factory=Amount)


def people_of(
    jobs: Iterable[Mapping[str, Any]], hours: Iterable[Mapping[str, Any]], calibration: Mapping[str, float]
) -> list[Person]:
    """Everyone with a GPU job in the period, from sums by `lab` and `user` of jobs and of hours."""
    found: dict[tuple[str | None, str | None], Person] = {}
    for row in jobs:
        key = row["lab"], row["user"]
        person = found.setdefault(key, Person(user=row["user"], lab=row["lab"]))
        person.jobs += row["jobs"]
        person.gpu_microseconds += row["gpu_microseconds"] or 0
    for row in hours:
        key = row["lab"], row["user"]
        person = found.setdefault(key, Person(user=row["user"], lab=row["lab"]))
        person.amount += amount_of(row, calibration)
    return sorted(found.values(), key=lambda p: (p.lab or "", p.user or ""))


def by_lab(people: Iterable[Person]) -> dict[str | None, list[Person]]:
    """The people of each lab, and under None those of no account."""
    found: dict[str | None, list[Person]] = defaultdict(list)
    for person in people:
        found[person.lab].append(person)
    return dict(found)


def pseudonym(user: str, salt: str) -> str:
    """What a person is called outside the lab."""
    digest = hmac.new(salt.encode("utf-8"), user.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"person {digest.hexdigest()[:DIGITS]}"


def naming(people: str, salt: str | None) -> Callable[[str], str] | None:
    """How people are named as configured; None where there is no salt yet, and so no way to name them."""
    if people == "names":
        return lambda user: user
    return None if salt is None else lambda user: pseudonym(user, salt)
