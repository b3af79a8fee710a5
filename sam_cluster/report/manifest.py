"""The manifest beside a report: what it was made from and with, and the SHA-256 of each of its files.

It names the inputs (the commit of the tables and its digest), the versions, the parameters and the files.
`figures` is a digest of the report's JSON document without `tables`, so that a later commit which changed
nothing of the period leaves it as it was. `verification` says what a report is by now.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.errors import ReportError
from ..resources import directory
from ..store.paths import is_safe_name
from .view import Provenance

ENDING = ".manifest.json"

#: What the bytes of a page depend on beside the figures.
LIBRARIES = ("jinja2", "vl-convert-python")

#: The rooms whose code it is made by.
MAKERS = ("core", "metrics", "report")
BUILD_DIGITS = 16

#: Files that are another each time they are made, from the same page.
NOT_REPRODUCIBLE = (".pdf",)

LARGEST_MANIFEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says that is needed to judge it. `report` names the page: {"group": NAME}, say."""

    path: Path
    report: Mapping[str, Any]
    period_label: str
    period_start: datetime
    period_end: datetime
    settings: Mapping[str, Any]
    made_from: Provenance
    versions: Mapping[str, str]
    figures: str
    digests: Mapping[str, str]

    @property
    def data_name(self) -> str:
        """The name of the report's JSON document."""
        return self.path.name.removesuffix(ENDING) + ".json"


def manifest_object(
    report: Mapping[str, Any], document: Mapping[str, Any], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """The manifest of a report, from its JSON document (with `period`, `settings` and `tables`) and files."""
    return {
        "report": dict(report),
        "period": document["period"],
        "settings": document["settings"],
        "tables": document["tables"],
        "versions": versions(),
        "figures": figures_digest(document),
        "files": {
            name: {
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "reproducible": not name.endswith(NOT_REPRODUCIBLE),
            }
            for name, content in sorted(files.items())
        },
    }


def versions() -> dict[str, str]:
    """The versions on which the bytes of a page depend; with `build`, for what is installed from a checkout
    calls itself as the release before it does."""
    found = {"sam-cluster": __version__, "python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    found["build"] = _build()
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


@cache
def _build() -> str:
    """A digest of the code and the templates that make a page of its figures."""
    package = Path(__file__).parents[1]
    code = [path for room in MAKERS for path in (package / room).rglob("*.py")]
    named = {path.relative_to(package).as_posix(): path for path in code}
    named |= {path.name: path for path in directory("templates").iterdir() if path.is_file()}
    whole = hashlib.sha256()
    for name in sorted(named):
        whole.update(f"{name}\0".encode() + hashlib.sha256(named[name].read_bytes()).digest())
    return whole.hexdigest()[:BUILD_DIGITS]


def figures_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a report's JSON document without what says which commit it was made from."""
    figures = {key: value for key, value in document.items() if key != "tables"}
    return hashlib.sha256(json_bytes(figures)).hexdigest()


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """An object as JSON, of one form for the same content: a line for each member, and in a member for each
    item, such as a job. (Indenting it all takes ten times as long: the encoder in C does not.)"""
    members = ",\n".join(f"  {_compact(key)}: {_in_lines(content[key])}" for key in sorted(content))
    return f"{{\n{members}\n}}\n".encode("ascii")


def _in_lines(member: Any) -> str:
    if isinstance(member, list | tuple) and member:
        return "[\n" + ",\n".join(f"    {_compact(item)}" for item in member) + "\n  ]"
    if isinstance(member, dict) and member:
        items = (f"    {_compact(key)}: {_compact(member[key])}" for key in sorted(member))
        return "{\n" + ",\n".join(items) + "\n  }"
    return _compact(member)


#: Sorted, ASCII, and no number that JSON has not.
_compact = json.JSONEncoder(sort_keys=True, ensure_ascii=True, allow_nan=False).encode


def read(path: Path) -> Manifest:
    """The manifest in a file. Raises ReportError where there is none in it."""
    if not path.name.endswith(ENDING):
        raise ReportError(f"{path} is no manifest of a report; give the NAME-PERIOD{ENDING} beside a page")
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(LARGEST_MANIFEST_BYTES))
        tables, period = content["tables"], content["period"]
        return Manifest(
            path=path,
            report={str(key): value for key, value in content["report"].items()},
            period_label=str(period["label"]),
            period_start=_instant(period["start"]),
            period_end=_instant(period["end"]),
            settings=dict(content["settings"]),
            made_from=Provenance(
                commit=int(tables["commit"]),
                committed_at=_instant(tables["committed_at"]),
                digest=str(tables["digest"]),
                version=str(content["versions"]["sam-cluster"]),
                samples_kept_from=_instant(kept) if (kept := tables.get("samples_kept_from")) else None,
            ),
            versions={str(key): str(value) for key, value in content["versions"].items()},
            figures=str(content["figures"]),
            digests={_name(name): str(each["sha256"]) for name, each in content["files"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        reason = f"{error!s:.200}" or type(error).__name__
        raise ReportError(f"{path} is no manifest of a report, or was altered: {reason}") from None


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.utcoffset() is None:
        raise ValueError(f"{text!r} has no time zone")
    return instant


def _name(name: str) -> str:
    if not is_safe_name(name):
        raise ValueError(f"{name!r} is no name of a file beside it")
    return name
