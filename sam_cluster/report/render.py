"""From a view to the page: one environment, everything escaped, what is not there an error, and the same
view always the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from ..resources import directory
from . import numbers, words
from .text import shortened
from .view import PeriodView, View


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates with the filters of `numbers` and `text`."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for function in (
        numbers.accuracy, numbers.change_percent, numbers.count, numbers.duration, numbers.energy,
        numbers.gpu_hours, numbers.grams, numbers.kwh, numbers.minute, numbers.number, numbers.percent,
        numbers.points, numbers.setting, numbers.size, period_title, shortened,
    ):  # fmt: skip
        found.filters[function.__name__] = function
    return found


_TIME = re.compile(r"T([0-9]{2})([0-9]{2})([0-9]{2})")


def period_title(period: PeriodView) -> str:
    """What a period is called in a heading: `October 2026`, `2026-10-05 09:00 to 10:00`; its label where it
    is neither a month nor from a time of day to another."""
    zone = ZoneInfo(period.timezone)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}", period.label):
        return f"{period.start.astimezone(zone):%B %Y}"
    first, _, last = _TIME.sub(r" \1:\2:\3", period.label).partition("--")
    first, last = first.removesuffix(":00"), last.removesuffix(":00")
    day, _, time = last.partition(" ")
    if time and first.startswith(f"{day} "):
        last = time
    return f"{first} to {last}" if last else first


def load(template: str) -> jinja2.Template:
    """A template, compiled once: of a large one that takes as long as some pictures."""
    return environment().get_template(template)


def page(template: str, view: View, *, csv_name: str, json_name: str, pictures: object) -> str:
    """A page as HTML from its template. The names are those of the files that will lie beside it."""
    return rendered(
        template,
        ZoneInfo(view.period.timezone),
        view=view,
        pictures=pictures,
        csv_name=csv_name,
        json_name=json_name,
    )


def rendered(template: str, zone: ZoneInfo, **values: object) -> str:
    """A template with its values, and what every page has: style, script, and the policy that allows them."""
    style, script = _own("report.css"), _own("sort.js")
    return load(template).render(
        **values,
        zone=zone,
        style=style,
        script=script,
        content_security_policy=content_security_policy(style, script),
        words=words,
    )


def _own(name: str) -> Markup:
    """A file of ours that stands in the page as it is."""
    return Markup("\n" + (directory("templates") / name).read_text("utf-8"))  # noqa: S704  (nobody else's)


def content_security_policy(style: str, script: str) -> str:
    """A policy that lets the page show itself with this one style sheet, sort its tables with this one
    script, and do nothing else."""
    return (
        f"default-src 'none'; style-src '{_source(style)}'; script-src '{_source(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
    return f"sha256-{digest}"
