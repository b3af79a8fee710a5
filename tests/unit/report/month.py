"""October 2026 of a lab, small enough to be added up by hand, with one of everything that can be amiss."""

from __future__ import annotations

from sam_cluster.core.config import Config, Group, Task
from sam_cluster.core.model import Quality
from sam_cluster.core.units import millijoules_from_kwh
from sam_cluster.report.group.build import group_view
from sam_cluster.report.group.view import GroupView
from sam_cluster.report.view import PeriodView, Provenance
from tests.unit.report.tables import MemoryTables, Row, at, gap_row, hour_rows, job_rows, result_row, together

CONFIG = Config(
    timezone="Europe/London",
    groups=(Group(name="vision", accounts=("vision", "cv-*"), members=12),),
    tasks=(Task(name="cifar-10", metric="top-1", dataset="CIFAR-10", split="test"),),
    carbon_g_per_kwh=120.0,
    price_per_kwh=0.28,
    currency="EUR",
    pue=1.2,
)

OCTOBER = PeriodView(
    label="2026-10",
    start=at("2026-09-30 23:00"),  # midnight in London
    end=at("2026-11-01 00:00"),
    timezone="Europe/London",
    is_preliminary=False,
)

DATA = Provenance(commit=42, committed_at=at("2026-11-02 03:15"), digest="5e1f" * 16, version="0.1.0")


def requeued() -> dict[str, list[Row]]:
    """A job of 3 kWh whose first attempt of 1 kWh was thrown away."""
    rows = job_rows(207, "2026-10-14 08:00", 6, 3.0, user="bo", gpus=2)
    first = dict(rows["runs"][0], run_id="207.0", restart=0, ended_at=at("2026-10-14 10:00"))
    second = dict(rows["runs"][0], run_id="207.1", restart=1, started_at=at("2026-10-14 11:00"))
    first["energy_millijoules"], second["energy_millijoules"] = (millijoules_from_kwh(n) for n in (1.0, 2.0))
    usage = hour_rows("207.0", at("2026-10-14 08:00"), 2, millijoules_from_kwh(1.0), gpus=2)
    usage += hour_rows("207.1", at("2026-10-14 11:00"), 3, millijoules_from_kwh(2.0), gpus=2)
    rows["jobs"][0]["run_ids"] = ["207.0", "207.1"]
    return {"jobs": rows["jobs"], "runs": [first, second], "usage": usage}


def without_shard() -> dict[str, list[Row]]:
    """A job that was given GPUs and of which no node has sent anything."""
    rows = job_rows(
        212, "2026-10-20 06:00", 3, None, user="cy", quality=Quality.UNKNOWN, flags=["no_shard"],
        reasons=["no_shard"], run_ids=[],
    )  # fmt: skip
    return {"jobs": rows["jobs"]}


ROWS = together(
    job_rows(201, "2026-09-30 20:00", 6, 6.0, job_name="warm-up"),  # three hours of it in October
    job_rows(202, "2026-10-01 09:00", 20, 12.5, gpus=4, job_name="resnet-50 baseline"),
    job_rows(203, "2026-10-05 09:00", 30, 24.0, gpus=4, user="bo", job_name="vit-base"),
    job_rows(204, "2026-10-08 21:00", 5, 2.0, state="FAILED", account="cv-new"),
    job_rows(205, "2026-10-10 10:00", 2, 0.3, state="CANCELLED", user="cy"),
    job_rows(206, "2026-10-11 10:00", 12, 4.2, state="TIMEOUT", user="cy", flags=["shared"]),
    requeued(),
    job_rows(208, "2026-10-16 12:00", 1, 0.0000004, user="cy", job_name="smoke test"),
    job_rows(
        209,
        "2026-10-17 12:00",
        8,
        5.0,
        gpus=8,
        nodes=2,
        quality=Quality.LOWER_BOUND,
        flags=["node_missing"],
        reasons=["no_shard"],
        job_name="two nodes",
    ),
    job_rows(
        210,
        "2026-10-18 12:00",
        4,
        0.5,
        user="bo",
        job_id="210_0",
        quality=Quality.ESTIMATED,
        flags=["interpolated"],
        job_name="sweep",
    ),
    job_rows(211, "2026-10-18 12:00", 4, 0.25, user="bo", job_id="210_1", job_name="sweep"),
    without_shard(),
    job_rows(213, "2026-10-21 12:00", 24, 60.0, gpus=8, account="speech", user="zoe"),
    {"jobs": [dict(job_rows(214, "2026-10-22 12:00", 1, None, gpus=0)["jobs"][0], run_ids=[])]},
    # What the one GPU draws when nobody holds it; and nodes were followed since August.
    {
        "gaps": [
            gap_row("GPU-1", at("2026-08-31 12:00"), 60, 55),
            gap_row("GPU-1", at("2026-10-13 00:00"), 60, 60),
        ]
    },
    {
        "results": [
            result_row(1, 0.941, ["202"], model="ResNet-50"),
            result_row(2, 0.962, ["203", "204"], model="ViT-B/16", user="bo"),
            result_row(3, 0.888, ["210"], model="MobileNetV2", user="bo"),
            result_row(4, 0.951, ["209"], model="EfficientNet-B4"),
            result_row(5, 0.5, ["202"], model="ResNet-50, wrong", submitted_at=at("2026-10-29 12:00")),
            result_row(6, 0.93, ["206"], model="rejected", verdict="rejected", reason="not cy's"),
            result_row(7, 0.71, ["207"], task="kinetics-400", model="SlowFast", user="bo"),
            result_row(8, 0.9, ["213"], model="of another lab", user="zoe"),
            result_row(9, 0.9415, ["202"], model="ResNet-50", supersedes=f"{5:032x}"),
        ]
    },
)


def view(rows: dict[str, list[Row]] | None = None, **more: object) -> GroupView:
    """The view of the lab's October, of other rows or settings where they are given."""
    given = {"config": CONFIG, "group": "vision", "period": OCTOBER, "provenance": DATA, **more}
    return group_view(MemoryTables(ROWS if rows is None else rows), **given)  # type: ignore[arg-type]


def simulated() -> dict[str, list[Row]]:
    """One job of a simulated cluster."""
    return job_rows(301, "2026-10-05 09:00", 2, 1.0, flags=["simulated"])
