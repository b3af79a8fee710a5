"""The pages that sam-cluster report was asked for: one of a lab, that of the cluster, or all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam_cluster.core.config import Config

if TYPE_CHECKING:
    from sam_cluster.report.bundle import Printer
    from sam_cluster.report.cluster.view import ClusterView
    from sam_cluster.report.group.view import GroupView
    from sam_cluster.report.results import Result
    from sam_cluster.report.view import PeriodView, Provenance
    from sam_cluster.store.tables import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The files of one page, of a lab or (None) of the cluster, and whether some of its energy is missing."""

    lab: str | None
    files: dict[str, bytes]
    is_partial: bool


def page_of_lab(view: GroupView, pdf: Printer | None = None) -> Page:
    """The page of a lab."""
    from sam_cluster.report.bundle import group_files

    return Page(lab=view.group, files=group_files(view, pdf), is_partial=view.totals.amount.is_partial)


def page_of_cluster(view: ClusterView, pdf: Printer | None = None) -> Page:
    """The page of the cluster."""
    from sam_cluster.report.bundle import cluster_files

    return Page(lab=None, files=cluster_files(view, pdf), is_partial=view.totals.amount.is_partial)


def view_of_cluster(
    tables: Snapshot,
    config: Config,
    period: PeriodView,
    data: Provenance,
    results: Sequence[Result] | None = None,
) -> ClusterView:
    """The view of the cluster's page; `results` where they were read already."""
    from sam_cluster.aggregate.secret import PSEUDONYM_SALT
    from sam_cluster.report.cluster.build import cluster_view

    return cluster_view(tables, config, period, data, tables.properties.get(PSEUDONYM_SALT), results)


def all_pages(
    tables: Snapshot, config: Config, period: PeriodView, data: Provenance, pdf: Printer | None
) -> Iterator[Page]:
    """The page of the cluster and then that of each lab on it."""
    from sam_cluster.cli.many_pages import Order, lab_pages
    from sam_cluster.report.results import read_results
    from sam_cluster.store.kept import KeptSnapshot

    kept = KeptSnapshot(tables)
    results = read_results(kept, config)
    view = view_of_cluster(kept, config, period, data, results)
    labs = [line.lab for line in view.labs]
    progress = _progress(1 + len(labs))
    yield page_of_cluster(view, pdf)
    progress(1, "the cluster")
    order = Order(tables=tables, config=config, period=period, data=data, pdf=pdf)
    for number, page in enumerate(lab_pages(order, labs, results), 2):
        yield page
        progress(number, labs[number - 2])


def _progress(of: int) -> Callable[[int, str], None]:
    """On a terminal one line that is written over, elsewhere a line a page, as a log wants it."""
    from sam_cluster.report.text import shortened

    def show(number: int, what: str) -> None:
        line = f"page {number} of {of}"
        if sys.stderr.isatty():
            print(f"\r{line}", end="\n" if number == of else "", file=sys.stderr, flush=True)
        else:
            print(f"{line}: {shortened(what)}", file=sys.stderr, flush=True)

    return show
