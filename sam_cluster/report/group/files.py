"""The files of a lab's report."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ..bundle import Printer, file_name, report_files
from ..render import load
from ..text import csv_text
from .document import CSV_KEYS, group_object
from .pictures import group_pictures
from .view import GroupView

TEMPLATE = "group.html.j2"


def group_files(view: GroupView, printer: Printer | None = None) -> dict[str, bytes]:
    """As `report_files` says; the CSV has a row a job."""
    # The drawing engine works outside of Python: meanwhile the figures are written out.
    with ThreadPoolExecutor(1) as beside:
        pictures = beside.submit(group_pictures, view)
        document = group_object(view)
        table = csv_text(document["jobs"], CSV_KEYS)
        load(TEMPLATE)
    return report_files(
        file_name(view.group), TEMPLATE, view, pictures.result(), document, table, {"group": view.group},
        printer,
    )  # fmt: skip
