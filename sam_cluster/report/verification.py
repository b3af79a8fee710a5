"""What a report is by now: intact, superseded by later data, or altered.

    altered      a file is missing or has another digest; or the files, made anew with the same versions,
                 are not those that the manifest names
    superseded   the files are as they were, and the figures are others by now
    intact       the files are as they were, and so are the figures

A manifest bears no signature: whoever changes figures, page and manifest alike is found out because the
tables do not give these figures, and the answer is then "superseded" with what differs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..core.errors import ReportError
from .manifest import NOT_REPRODUCIBLE, Manifest, figures_digest, versions
from .view import Provenance


class Verdict(StrEnum):
    """What a report is by now."""

    INTACT = "intact"
    SUPERSEDED = "superseded"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdict, and what it rests on in a line each."""

    verdict: Verdict
    why: tuple[str, ...]


#: Makes the files of the same report anew from today's tables: with today's provenance, or with one given.
Remake = Callable[[Provenance | None], Mapping[str, bytes]]


def altered(manifest: Manifest) -> Finding | None:
    """What is wrong with the files beside a manifest; None where all have their digests."""
    why = []
    for name, digest in sorted(manifest.digests.items()):
        path = manifest.path.with_name(name)
        if not path.is_file():
            why.append(f"{name} is missing")
        elif _digest_of(path) != digest:
            why.append(f"{name} has another digest than the manifest says")
    if not why and manifest.data_name not in manifest.digests:
        why.append(f"the manifest does not name {manifest.data_name}")
    return Finding(verdict=Verdict.ALTERED, why=tuple(why)) if why else None


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def judge(manifest: Manifest, remake: Remake) -> Finding:
    """What a report is by now."""
    if found := altered(manifest):
        return found
    written = _document(manifest.path.with_name(manifest.data_name).read_bytes())
    if figures_digest(written) != manifest.figures:
        why = f"the figures of {manifest.data_name} have another digest than the manifest says"
        return Finding(verdict=Verdict.ALTERED, why=(why,))
    today = remake(None)
    if manifest.data_name not in today:
        why = f"the manifest names a report whose files are called otherwise than {manifest.data_name}"
        return Finding(verdict=Verdict.ALTERED, why=(why,))
    current = _document(today[manifest.data_name])
    if figures_digest(current) != manifest.figures:
        made_now = json.loads(today[manifest.path.name])
        why_not = (*_inputs(manifest, made_now), *_period(written, current), *_changes(written, current))
        return Finding(verdict=Verdict.SUPERSEDED, why=why_not)
    if dict(manifest.versions) != versions():
        why = f"made by other versions ({_listed(manifest.versions)}), so that only figures were compared"
        return Finding(verdict=Verdict.INTACT, why=(why,))
    wrong = _not_as_made(manifest, remake(manifest.made_from))
    return Finding(verdict=Verdict.ALTERED if wrong else Verdict.INTACT, why=wrong)


def _document(content: bytes) -> Mapping[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ReportError("the JSON file of the report holds no object; it was not written by sam-cluster")
    return found


def _not_as_made(manifest: Manifest, made: Mapping[str, bytes]) -> tuple[str, ...]:
    """Files whose digests the manifest and the figures do not agree on."""
    return tuple(
        f"{name} is not what its figures give: page and manifest were changed together"
        for name, digest in sorted(manifest.digests.items())
        if not name.endswith(NOT_REPRODUCIBLE)
        and (name not in made or hashlib.sha256(made[name]).hexdigest() != digest)
    )


def _inputs(manifest: Manifest, now: Mapping[str, Any]) -> Iterator[str]:
    """What went into the figures then and now, where it differs."""
    tables = now["tables"]
    if manifest.made_from.digest != tables["digest"]:
        yield f"tables: commit {manifest.made_from.commit} then, {tables['commit']} now"
    for name in sorted({*manifest.settings, *now["settings"]}):
        then, today = manifest.settings.get(name), now["settings"].get(name)
        if then != today:
            yield f"setting {name}: {then} then, {today} now"
    if dict(manifest.versions) != now["versions"]:
        yield f"versions: {_listed(manifest.versions)} then, {_listed(now['versions'])} now"


def _period(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What is otherwise of the period: another time zone has other days, and an open period may be over."""
    before, today = then.get("period"), now.get("period")
    if not isinstance(before, dict) or not isinstance(today, dict):
        return
    for name in sorted({*before, *today}):
        if not _are_same(before.get(name), today.get(name)):
            yield f"{name} of the period: {before.get(name)} then, {today.get(name)} now"


def _are_same(one: Any, other: Any) -> bool:
    """Whether two values are equal, or one instant in two time zones."""
    try:
        return one == other or datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (TypeError, ValueError):
        return False


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """The totals that differ; where none does, the parts of the document that do."""
    totals, today = then.get("totals"), now.get("totals")
    if isinstance(totals, dict) and isinstance(today, dict) and totals != today:
        for key in sorted({*totals, *today}):
            if totals.get(key) != today.get(key):
                yield f"{key}: {totals.get(key)} then, {today.get(key)} now"
        return
    for key in sorted({*then, *now} - {"tables", "settings", "period"}):
        if then.get(key) != now.get(key):
            yield f"{key}: changed"


def _listed(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(found.items()))
