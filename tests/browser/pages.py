"""The pages that are opened: what the command line writes for a few months, as a user would get them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.cli.stores import make_store, run
from tests.unit.report.month import ROWS, simulated
from tests.unit.report.tables import Row, at, gap_row, job_rows, result_row, together

CONFIG = """
[groups.vision]
accounts = ["vision", "cv-*"]
members = 12
share = 0.5
[groups.speech]
accounts = ["speech"]
members = 3
share = 0.5
[tasks.cifar-10]
metric = "top-1"
dataset = "CIFAR-10"
split = "test"
[report]
timezone = "Europe/London"
carbon_g_per_kwh = 120
price_per_kwh = 0.28
currency = "EUR"
pue = 1.2
"""

#: Each does something where it is not taken for text: all of them set `window.canary`, or change the page.
HOSTILE = {
    "script": "<script>window.canary = 'script'</script>",
    "handler": "\"><img src=x onerror=\"window.canary = 'handler'\"><b onmouseover='window.canary = 1'>",
    "attribute": "' autofocus tabindex='0' onfocus='window.canary = 2' x='",
    "formula": "=cmd|'/C calc'!A0",
    "formula behind blanks": "  @SUM(1+1)*cmd()",
    "bidi": "\u202egnp.exe\u2066 \u200b\u2028",
    "control": "\x1b[2J\x07\x9b31m\r\n=1+1",
    "long": "x" * 10_000,
    "wide": "\N{CJK UNIFIED IDEOGRAPH-6F22}" * 300,
    "template": "{{7*7}}{% for a in b %}${7*7}",
    "style": "</style></title><svg onload=\"window.canary = 'style'\"><style>*{display:none}",
    "comment": "<!-- --!> <script>window.canary = 'comment'</script>",
    "address": "javascript:window.canary='address'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Rows of tables, and the words of the command line that make a page of them."""

    rows: Mapping[str, Iterable[Row]]
    words: tuple[str, ...]
    config: str = CONFIG


def hostile_rows(text: str) -> dict[str, list[Row]]:
    """A job and its results with the text wherever a user can write one."""
    job = job_rows(1, "2026-10-05 09:00", 4, 5.0, user=text, job_name=text, account=f"cv-{text}")
    said: dict[str, Any] = dict.fromkeys(
        ("task", "metric", "dataset", "split", "model", "note", "user"), text
    )
    results = [result_row(n, 0.5 + n / 10, ["1"], **said) for n in range(1, 5)]
    return together(job, {"results": results})


def crowded_rows() -> dict[str, list[Row]]:
    """Many people, jobs and results, so that each table of a page is as long as it gets."""
    jobs = [
        job_rows(
            n, f"2026-10-{n % 28 + 1:02} 09:00", n % 9 + 1, 0.3 * n, user=f"user{n % 40}",
            account=("vision", "speech")[n % 2], job_name=f"job number {n} of a sweep",
        )
        for n in range(1, 201)
    ]  # fmt: skip
    results = [
        result_row(n, 0.5 + n / 400, [str(n)], model=f"model {n}", task=("cifar-10", "imagenet-1k")[n % 2])
        for n in range(1, 121)
    ]
    return together(*jobs, {"results": results})


def idle_on(day: str) -> dict[str, list[Row]]:
    """Something that was metered, and a job of long before."""
    return {
        "gaps": [gap_row("GPU-1", at(f"{day} 12:00"), 60, 60)],
        "jobs": job_rows(1, "2026-08-05 09:00", 4, 5.0)["jobs"],
    }


def _both(name: str, rows: Mapping[str, Iterable[Row]], **more: str) -> dict[str, Case]:
    """The pages of a lab and of the cluster."""
    period = ("--period", "2026-10")
    return {
        f"group, {name}": Case(rows=rows, words=("--group", "vision", *period), **more),
        f"cluster, {name}": Case(rows=rows, words=("--cluster", *period), **more),
    }


CASES: dict[str, Case] = {
    **_both("a month", ROWS),
    **_both("a crowded month", crowded_rows()),
    **_both("an empty month", idle_on("2026-10-05")),
    **_both("a simulated month", simulated(), config=""),
    **_both("a hostile month", together(*(hostile_rows(text) for text in HOSTILE.values()))),
    "group, an open month": Case(
        rows=together(ROWS, idle_on("2026-11-01")),
        words=("--group", "vision", "--period", "2026-11"),
    ),
}


def write_page(case: Case, directory: Path) -> Path:
    """The page of a case, with the files beside it."""
    store = make_store(directory / "store", case.rows)
    config = directory / "config.toml"
    config.write_text(case.config)
    out = directory / "pages"
    code = run("report", "--store", str(store), "--config", str(config), "-o", str(out), *case.words)
    assert code in (0, 3), f"sam-cluster report {' '.join(case.words)} ended with {code}"
    (page,) = out.glob("*.html")
    return page
