"""The files of the report of the whole cluster."""

from __future__ import annotations

from ..bundle import CLUSTER, Printer, report_files
from ..text import csv_text
from .document import CSV_KEYS, cluster_object, lab_rows
from .pictures import cluster_pictures
from .view import ClusterView


def cluster_files(view: ClusterView, printer: Printer | None = None) -> dict[str, bytes]:
    """As `report_files` says; the CSV has a row a lab."""
    return report_files(
        CLUSTER, "cluster.html.j2", view, cluster_pictures(view), cluster_object(view),
        csv_text(lab_rows(view), CSV_KEYS), {"cluster": ", ".join(view.clusters)}, printer,
    )  # fmt: skip
