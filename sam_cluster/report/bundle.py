"""The files of one report, as bytes: the page, the same figures as JSON and CSV, and a manifest of all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .cluster.document import CSV_KEYS as LAB_KEYS
from .cluster.document import cluster_object, lab_rows
from .cluster.pictures import cluster_pictures
from .cluster.view import ClusterView
from .group.document import CSV_KEYS, group_object
from .group.pictures import group_pictures
from .group.view import GroupView
from .manifest import ENDING, json_bytes, manifest_object
from .render import load, page
from .text import csv_text
from .view import View

#: What the files of the page of the whole cluster are called.
CLUSTER = "cluster"

#: Makes a PDF of a page.
Printer = Callable[[str], bytes]


def group_files(view: GroupView, printer: Printer | None = None) -> dict[str, bytes]:
    """The contents of NAME-PERIOD.html, .json, .csv (a row a job) and .manifest.json, and .pdf with a
    printer, by name."""
    # The drawing engine works outside of Python: meanwhile the figures are written out.
    with ThreadPoolExecutor(1) as beside:
        pictures = beside.submit(group_pictures, view)
        document = group_object(view)
        table = csv_text(document["jobs"], CSV_KEYS)
        load("group.html.j2")
    return _files(
        file_name(view.group), "group.html.j2", view, pictures.result(), document, table,
        {"group": view.group}, printer,
    )  # fmt: skip


def cluster_files(view: ClusterView, printer: Printer | None = None) -> dict[str, bytes]:
    """The contents of cluster-PERIOD.html, .json, .csv (a row a lab) and .manifest.json, and .pdf with a
    printer, by name."""
    table = csv_text(lab_rows(view), LAB_KEYS)
    return _files(
        CLUSTER, "cluster.html.j2", view, cluster_pictures(view), cluster_object(view), table,
        {"cluster": ", ".join(view.clusters)}, printer,
    )  # fmt: skip


def _files(
    name: str,
    template: str,
    view: View,
    pictures: object,
    document: Mapping[str, Any],
    table: str,
    report: Mapping[str, str],
    printer: Printer | None,
) -> dict[str, bytes]:
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
