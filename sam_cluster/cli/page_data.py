"""What stands on every page of the data it is made from."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sam_cluster import __version__
from sam_cluster.core.config import Config
from sam_cluster.core.errors import StoreError, UsageError
from sam_cluster.core.times import Period, from_utc_microseconds, iso

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


def refuse_without_data(period: Period, config: Config, tables: Snapshot, now: datetime) -> None:
    """Refuses a period of which nothing is known: its page would show zeros for what is unknown.

    Raises UsageError where it has not begun by `now`, else StoreError.
    """
    from sam_cluster.report.before import is_anything_known

    if is_anything_known(tables, period.start, period.end):
        return
    zone = ZoneInfo(config.timezone)
    if period.start > now:
        begins, here = (iso(at.replace(microsecond=0), zone) for at in (period.start, now))
        raise UsageError(f"{period.name} has not begun: it does on {begins}, and it is {here}")
    spans = [month.span for table in ("usage", "gaps", "jobs") for month in tables.months(table).values()]
    starts = [span.start_microseconds for span in spans if span.start_microseconds is not None]
    ends = [span.end_microseconds for span in spans if span.end_microseconds is not None]
    where = tables.paths.tables_at
    if not starts or not ends:
        raise StoreError(
            f"nothing was metered yet, as far as {where} knows; "
            "sam-cluster doctor, here and on a GPU node, says what is wrong"
        )
    first, last = (iso(at, zone)[:10] for at in (min(starts), max(ends)))
    raise StoreError(
        f"nothing was metered in {period.name}, and no job of it is known; "
        f"{where} knows of {first} to {last}: name such a time by --period"
    )
