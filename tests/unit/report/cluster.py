"""October 2026 of a cluster of four labs, one of them of two people, and one that did nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from sam_cluster.core.config import Config, Group
from sam_cluster.core.units import millijoules_from_kwh
from sam_cluster.report.cluster.build import cluster_view
from sam_cluster.report.cluster.view import ClusterView, LabLine
from tests.unit.report.month import DATA, OCTOBER
from tests.unit.report.tables import MemoryTables, Row, at, job_rows, result_row, together

SALT = "of a test"

CONFIG = Config(
    timezone="Europe/London",
    groups=(
        Group(name="vision", accounts=("vision",), members=12, share=0.5),
        Group(name="speech", accounts=("speech",), members=6, share=0.3),
        Group(name="tiny", accounts=("tiny",), members=2, share=0.1),
        Group(name="away", accounts=("away",), members=4, share=0.1),
    ),
)


def waited(minutes: float) -> dict[str, Any]:
    """That a job of `of` had waited so long."""
    return {"eligible_at": at("2026-10-05 12:00") - timedelta(minutes=minutes)}


def of(
    number: int, lab: str | None, user: str, kwh: float | None, minutes: float = 1, **more: Any
) -> dict[str, list[Row]]:
    """A job of five hours at noon of 5 October."""
    rows = job_rows(number, "2026-10-05 12:00", 5, kwh, account=lab, user=user, **{**waited(minutes), **more})
    for row in rows["usage"]:
        row["device_energy_millijoules"] = row["energy_millijoules"]
    return rows


def gap(start: str | None, end: str, kwh: float | None, kind: str = "idle", cause: str | None = None) -> Row:
    """What a GPU used between two runs."""
    begun = None if start is None else at(start)
    return {
        "cluster": "lab", "node": "n1", "gpu_uuid": "GPU-1", "segment": "s", "from_at": begun,
        "to_at": at(end), "to_uptime_microseconds": round(at(end).timestamp()), "kind": kind, "cause": cause,
        "energy_millijoules": None if kwh is None else millijoules_from_kwh(kwh),
    }  # fmt: skip


def share_row(account: str, day: str, own: float | None) -> Row:
    """What Slurm granted an account, as asked at three in the morning."""
    return {
        "cluster": "lab", "account": account, "parent": "root", "day": at(f"{day} 00:00"), "raw_shares": 1,
        "level_share": own, "cluster_share": own, "own_share": own, "taken_at": at(f"{day} 03:00"),
    }  # fmt: skip


def tiny(ann: float, ben: float) -> dict[str, list[Row]]:
    """The lab of two people."""
    return together(of(31, "tiny", "ann", ann, 5), of(32, "tiny", "ben", ben, 90))


ROWS = together(
    of(11, "vision", "ada", 30.0, 10),
    of(12, "vision", "bo", 20.0, 20),
    of(13, "vision", "cy", 10.0, 30, gpus=2),
    of(14, "vision", "cy", 4.0, eligible_at=None),
    of(21, "speech", "zoe", 12.0, 0),
    of(22, "speech", "yan", 8.0, 0),
    of(23, "speech", "xia", 2.0, 240),
    tiny(3.0, 5.0),
    of(41, None, "dan", 6.0),
    {
        "gaps": [
            gap("2026-10-06 00:00", "2026-10-06 12:00", 0.5),
            gap("2026-09-30 22:30", "2026-10-01 01:00", 0.25),
            gap("2026-10-31 23:00", "2026-11-01 01:00", 0.2),
            gap("2026-10-07 00:00", "2026-10-07 01:00", 0.1, "unattributed", "not_metered"),
            gap(None, "2026-10-08 00:00", None, "unattributed", "counter_reset"),
        ],
        "results": [
            result_row(1, 0.90, ["11"]),
            result_row(2, 0.95, ["12"]),
            result_row(3, 0.91, ["21"], user="zoe"),
            result_row(4, 0.80, ["31"], user="ann"),
            result_row(5, 0.99, ["23"], task="kinetics-400", user="xia"),
        ],
    },
)  # fmt: skip


def view(rows: Mapping[str, Iterable[Row]] | None = None, **more: Any) -> ClusterView:
    """The view of the cluster's October, of other rows or settings where they are given."""
    given = {"config": CONFIG, "period": OCTOBER, "provenance": DATA, "salt": SALT, **more}
    return cluster_view(MemoryTables(ROWS if rows is None else rows), **given)


def lab(name: str, of_view: ClusterView) -> LabLine:
    """The line of a lab."""
    return next(line for line in of_view.labs if line.lab == name)
