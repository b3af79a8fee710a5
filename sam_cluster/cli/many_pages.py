"""Every page of a period, made by a few processes: most of a page's time is the drawing of its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from sam_cluster.cli.progress import Progress
from sam_cluster.cli.report_pages import Page, page_of_cluster, page_of_lab, view_of_cluster
from sam_cluster.core.config import Config
from sam_cluster.core.cores import cores
from sam_cluster.core.cycles import no_search_for_cycles

if TYPE_CHECKING:
    from sam_cluster.report.bundle import Printer
    from sam_cluster.report.results import Result
    from sam_cluster.report.view import PeriodView, Provenance
    from sam_cluster.store.tables import Snapshot

#: Each holds the period's tables in memory.
MOST_PROCESSES = 4
#: For fewer another process is not worth its start.
LABS_A_PROCESS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What all pages are made from and with."""

    tables: Snapshot
    config: Config
    period: PeriodView
    data: Provenance
    pdf: Printer | None


def all_pages(
    tables: Snapshot,
    config: Config,
    period: PeriodView,
    data: Provenance,
    pdf: Printer | None,
    progress: Progress,
) -> Iterator[Page]:
    """The page of the cluster and then that of each lab on it."""
    from sam_cluster.store.kept import KeptSnapshot

    kept = KeptSnapshot(tables)
    results = _results_of(kept, config, period)
    view = view_of_cluster(kept, config, period, data, results)
    labs = [line.lab for line in view.labs]
    progress("pages", 0, 1 + len(labs))
    yield page_of_cluster(view, pdf)
    order = Order(tables=tables, config=config, period=period, data=data, pdf=pdf)
    for number, page in enumerate(lab_pages(order, labs, results), 1):
        progress("pages", number, 1 + len(labs))
        yield page


def _results_of(tables: Snapshot, config: Config, period: PeriodView) -> list[Result]:
    """The results of all labs that count in the period."""
    from sam_cluster.report.records import Selection
    from sam_cluster.report.results import read_results

    return read_results(tables, config, Selection(start=period.start, end=period.end))


class LabPages:
    """Makes pages of labs from tables and results that are read once."""

    def __init__(self, order: Order, results: Sequence[Result] | None = None) -> None:
        from sam_cluster.store.kept import KeptSnapshot

        self._order = order
        self._tables = KeptSnapshot(order.tables)
        self._results = _results_of(self._tables, order.config, order.period) if results is None else results

    def page(self, lab: str) -> Page:
        """The page of a lab."""
        from sam_cluster.report.group.build import group_view

        order = self._order
        with no_search_for_cycles():
            view = group_view(self._tables, order.config, lab, order.period, order.data, self._results)
            return page_of_lab(view, order.pdf)


def lab_pages(order: Order, labs: Sequence[str], results: Sequence[Result]) -> Iterator[Page]:
    """The pages of labs in their order, by as many processes as there are processors for them."""
    processes = min(cores(), MOST_PROCESSES, len(labs) // LABS_A_PROCESS)
    if processes < 2:
        alone = LabPages(order, results)
        yield from map(alone.page, labs)
        return
    # Not forked: a process with threads of Arrow and of the drawing engine cannot be.
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (order,)) as pool:
        yield from pool.map(_page, labs)


_pages: LabPages | None = None  # of a process of the pool


def _begin(order: Order) -> None:
    global _pages
    _pages = LabPages(order)


def _page(lab: str) -> Page:
    assert _pages is not None
    return _pages.page(lab)
