"""What stands on every page of the data it is made from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sam_cluster import __version__
from sam_cluster.core.config import Config
from sam_cluster.core.errors import StoreError
from sam_cluster.core.times import Period, from_utc_microseconds

if TYPE_CHECKING:
    from sam_cluster.report.view import PeriodView, Provenance
    from sam_cluster.store.tables import Snapshot


def provenance_of(tables: Snapshot) -> Provenance:
    """What the figures are made from. Raises StoreError where nothing is there yet."""
    from sam_cluster.report.view import Provenance

    if tables.number == 0:
        where = tables.paths.tables_at
        raise StoreError(f"nothing was aggregated into {where} yet; run sam-cluster aggregate first")
    kept = tables.samples_kept_from_microseconds
    return Provenance(
        commit=tables.number,
        committed_at=from_utc_microseconds(tables.committed_at_microseconds),
        digest=hashlib.sha256(tables.manifest.to_json()).hexdigest(),
        version=__version__,
        samples_kept_from=None if kept is None else from_utc_microseconds(kept),
    )


def period_view(period: Period, config: Config, data: Provenance, tables: Snapshot) -> PeriodView:
    """The period as a page shows it: preliminary where the data do not reach to its end, and not begun
    where nothing was metered within a day of its beginning."""
    from sam_cluster.report.before import DAY, reaches_back
    from sam_cluster.report.view import PeriodView

    return PeriodView(
        label=period.name,
        start=period.start,
        end=period.end,
        timezone=config.timezone,
        is_preliminary=period.open_at(data.committed_at),
        # What is of the last day may still be on its way.
        is_begun=period.start > data.committed_at - DAY or reaches_back(tables, period.start),
    )
