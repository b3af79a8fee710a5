"""The files of one report, as bytes: the page, the same figures as JSON and CSV, and a manifest of all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from .cluster.document import CSV_KEYS as LAB_KEYS
from .cluster.document import cluster_object, lab_rows
from .cluster.pictures import cluster_pictures
from .cluster.view import ClusterView
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
    """The contents of NAME-PERIOD.html, .json, .csv (a row a job) and .manifest.json, by name."""
    table = csv_text(job_rows(view), CSV_KEYS)
    return _files(
        file_name(view.group), "group.html.j2", view, group_pictures(view), group_object(view), table,
        {"group": view.group},
    )  # fmt: skip


def cluster_files(view: ClusterView) -> dict[str, bytes]:
    """The contents of cluster-PERIOD.html, .json, .csv (a row a lab) and .manifest.json, by name."""
    table = csv_text(lab_rows(view), LAB_KEYS)
    return _files(
        CLUSTER, "cluster.html.j2", view, cluster_pictures(view), cluster_object(view), table,
        {"cluster": ", ".join(view.clusters)},
    )  # fmt: skip


def _files(
    name: str,
    template: str,
    view: View,
    pictures: object,
    figures: Mapping[str, Any],
    table: str,
    report: Mapping[str, str],
) -> dict[str, bytes]:
    stem = f"{name}-{view.period.label}"
    names = {"csv_name": f"{stem}.csv", "json_name": f"{stem}.json"}
    files = {
        f"{stem}.html": page(template, view, pictures=pictures, **names).encode("utf-8"),
        names["json_name"]: json_bytes(figures),
        names["csv_name"]: table.encode("utf-8"),
    }
    return {**files, f"{stem}.manifest.json": json_bytes(manifest(report, view, files))}


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
