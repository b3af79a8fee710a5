"""One page of sam-cluster report: of a lab, or of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
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
    from sam_cluster.report.group.files import group_files

    return Page(lab=view.group, files=group_files(view, pdf), is_partial=view.totals.amount.is_partial)


def page_of_cluster(view: ClusterView, pdf: Printer | None = None) -> Page:
    """The page of the cluster."""
    from sam_cluster.report.cluster.files import cluster_files

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
