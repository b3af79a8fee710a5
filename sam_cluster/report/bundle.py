"""The files of one report, as bytes: the page, the same figures as JSON and CSV, and a manifest of all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from ..core.times import iso
from ..core.units import MICROSECONDS_PER_SECOND, kwh_from_millijoules
from .documents import JOB_KEYS, job_object, result_object
from .ledger import Amount
from .manifest import ENDING, json_bytes, manifest_object
from .render import group_page
from .text import csv_text
from .view import GroupView, MissingLine

CSV_KEYS = (*JOB_KEYS, "gpu_seconds_in_period", "energy_millijoules_in_period", "energy_kwh_in_period")


#: Makes a PDF of a page.
Printer = Callable[[str], bytes]


def group_files(view: GroupView, printer: Printer | None = None) -> dict[str, bytes]:
    """The contents of NAME-PERIOD.html, .json, .csv and .manifest.json, and .pdf with a printer, by name."""
    stem = f"{file_name(view.group)}-{view.period.label}"
    html, data, table = f"{stem}.html", f"{stem}.json", f"{stem}.csv"
    page, document = group_page(view, csv_name=table, json_name=data), group_object(view)
    files = {
        html: page.encode("utf-8"),
        data: json_bytes(document),
        table: csv_text(_jobs(view), CSV_KEYS).encode("utf-8"),
    }
    if printer is not None:
        files[f"{stem}.pdf"] = printer(page)
    manifest = manifest_object({"group": view.group}, document, files)
    return {**files, f"{stem}{ENDING}": json_bytes(manifest)}


def file_name(group: str) -> str:
    """The name of a lab as a part of a file's name. One that could mean more than that is written by its
    harmless characters and its digest."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", group):
        return group
    harmless = re.sub(r"[^A-Za-z0-9]+", "-", group[:40]).strip("-") or "group"
    return f"{harmless}-{hashlib.sha256(group.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def group_object(view: GroupView) -> dict[str, Any]:
    """Every figure of the page, in base units."""
    zone = ZoneInfo(view.period.timezone)
    totals = view.totals
    return {
        "group": view.group,
        "clusters": list(view.clusters),
        "period": _period(view),
        "tables": _tables(view),
        "settings": asdict(view.settings),
        "simulated": view.is_simulated,
        "totals": {
            **_amount(totals.amount),
            "jobs": totals.jobs,
            "gpu_seconds": totals.gpu_microseconds / MICROSECONDS_PER_SECOND,
            "jobs_without_gpu_time": totals.jobs_without_gpu_time,
            "energy_share": totals.energy_share,
            "gpu_share": totals.gpu_share,
            "kwh_per_gpu_hour": totals.kwh_per_gpu_hour,
            "cost": totals.cost,
            "carbon_grams": totals.carbon_grams,
        },
        "coverage": [
            {
                "quality": line.quality.value,
                "jobs": line.jobs,
                "gpu_seconds": line.gpu_microseconds / MICROSECONDS_PER_SECOND,
            }
            for line in view.coverage
        ],
        "energy_over_time": [{"label": line.label, **_amount(line.amount)} for line in view.days],
        "endings": [
            {"ending": line.ending, "runs": line.runs, **_amount(line.amount)} for line in view.endings
        ],
        "people": [
            {
                "user": line.user,
                "jobs": line.jobs,
                "gpu_seconds": line.gpu_microseconds / MICROSECONDS_PER_SECOND,
                **_amount(line.amount),
            }
            for line in view.people
        ],
        "jobs": [
            {**job, "runs": job_object(line.job, zone)["runs"]}
            for job, line in zip(_jobs(view), view.jobs, strict=True)
        ],
        "results": [result_object(result, zone) for result in view.results.all],
        "results_left_out": _counts(view.results.left_out),
        "missing": _counts(view.missing),
    }


def _jobs(view: GroupView) -> list[dict[str, Any]]:
    zone = ZoneInfo(view.period.timezone)
    rows = []
    for line in view.jobs:
        inside, time = _amount(line.amount), line.gpu_microseconds
        job = job_object(line.job, zone)
        rows.append(
            {
                **{key: job[key] for key in JOB_KEYS},
                "gpu_seconds_in_period": None if time is None else time / MICROSECONDS_PER_SECOND,
                "energy_millijoules_in_period": inside["energy_millijoules"],
                "energy_kwh_in_period": inside["energy_kwh"],
            }
        )
    return rows


def _amount(amount: Amount) -> dict[str, Any]:
    energy = amount.energy_millijoules
    return {
        "energy_millijoules": energy,
        "energy_kwh": None if energy is None else kwh_from_millijoules(energy),
        "quality": amount.quality.value if amount.quality else None,
        "metered_gpu_seconds": amount.held_microseconds / MICROSECONDS_PER_SECOND,
    }


def _counts(lines: Iterable[MissingLine]) -> dict[str, int]:
    return {line.word: line.count for line in lines}


def _period(view: GroupView) -> dict[str, Any]:
    zone = ZoneInfo(view.period.timezone)
    return {
        "label": view.period.label,
        "start": iso(view.period.start, zone),
        "end": iso(view.period.end, zone),
        "timezone": view.period.timezone,
        "preliminary": view.period.is_preliminary,
    }


def _tables(view: GroupView) -> dict[str, Any]:
    zone = ZoneInfo(view.period.timezone)
    return {
        "commit": view.provenance.commit,
        "committed_at": iso(view.provenance.committed_at, zone),
        "digest": view.provenance.digest,
    }
