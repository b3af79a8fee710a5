"""The files of one report, as bytes: the page, the same figures as JSON and CSV, and a manifest of all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from .documents import period_object, tables_object
from .group.document import CSV_KEYS, group_object, job_rows
from .group.pictures import group_pictures
from .group.view import GroupView
from .render import page
from .text import csv_text
from .view import View

#: What the files of the page of the whole cluster are called.
CLUSTER = "cluster"


def group_files(view: GroupView) -> dict[str, bytes]:
    """The contents of NAME-PERIOD.html, .json, .csv and .manifest.json, by name."""
    stem = f"{file_name(view.group)}-{view.period.label}"
    html, data, table = f"{stem}.html", f"{stem}.json", f"{stem}.csv"
    files = {
        html: page(
            "group.html.j2", view, csv_name=table, json_name=data, pictures=group_pictures(view)
        ).encode("utf-8"),
        data: json_bytes(group_object(view)),
        table: csv_text(job_rows(view), CSV_KEYS).encode("utf-8"),
    }
    return {**files, f"{stem}.manifest.json": json_bytes(manifest({"group": view.group}, view, files))}


def file_name(group: str) -> str:
    """The name of a lab as a part of a file's name. One that could mean more than that, or the page of the
    whole cluster, is written by its harmless characters and its digest."""
    if group.lower() != CLUSTER and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", group):
        return group
    harmless = re.sub(r"[^A-Za-z0-9]+", "-", group[:40]).strip("-") or "group"
    return f"{harmless}-{hashlib.sha256(group.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def manifest(report: Mapping[str, str], view: View, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What a report was made from and with, and the digest of each of its files."""
    return {
        "sam_cluster": view.provenance.version,
        "report": dict(report),
        "period": period_object(view.period),
        "settings": asdict(view.settings),
        "tables": tables_object(view.provenance, ZoneInfo(view.period.timezone)),
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
    }


def json_bytes(content: object) -> bytes:
    """A document as JSON: the same content always gives the same bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return (text + "\n").encode("ascii")
