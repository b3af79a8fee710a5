"""The files of one report, as bytes: the page, the same figures as JSON and CSV, and a manifest of all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from .manifest import ENDING, json_bytes, manifest_object
from .render import page
from .view import View

#: What the files of the page of the whole cluster are called.
CLUSTER = "cluster"

#: Makes a PDF of a page.
Printer = Callable[[str], bytes]


def report_files(
    name: str,
    template: str,
    view: View,
    pictures: object,
    document: Mapping[str, Any],
    table: str,
    report: Mapping[str, str],
    printer: Printer | None,
) -> dict[str, bytes]:
    """The contents of NAME-PERIOD.html, .json, .csv and .manifest.json, and .pdf with a printer, by name."""
    stem = f"{name}-{view.period.label}"
    names = {"csv_name": f"{stem}.csv", "json_name": f"{stem}.json"}
    shown = page(template, view, pictures=pictures, **names)
    files = {
        f"{stem}.html": shown.encode("utf-8"),
        names["json_name"]: json_bytes(document),
        names["csv_name"]: table.encode("utf-8"),
    }
    if printer is not None:
        files[f"{stem}.pdf"] = printer(shown)
    manifest = manifest_object(report, document, files)
    return {**files, f"{stem}{ENDING}": json_bytes(manifest)}


def file_name(group: str) -> str:
    """The name of a lab as a part of a file's name. One that could mean more than that, or the page of the
    whole cluster, is written by its harmless characters and its digest."""
    if group.lower() != CLUSTER and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", group):
        return group
    harmless = re.sub(r"[^A-Za-z0-9]+", "-", group[:40]).strip("-") or "group"
    return f"{harmless}-{hashlib.sha256(group.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
