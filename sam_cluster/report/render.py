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
        numbers.accuracy, numbers.count, numbers.energy, numbers.gpu_hours, numbers.grams, numbers.kwh,
        numbers.minute, numbers.number, numbers.percent, numbers.setting, period_title, shortened,
    ):  # fmt: skip
        found.filters[function.__name__] = function
    return found


def period_title(period: PeriodView) -> str:
    """What a period is called in a heading: `October 2026`; its label where that is no month."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}", period.label):
        return f"{period.start.astimezone(ZoneInfo(period.timezone)):%B %Y}"
    return period.label.replace("--", " to ")


def page(template: str, view: View, *, csv_name: str, json_name: str) -> str:
    """A page as HTML from its template. The names are those of the files that will lie beside it."""
    style = Markup("\n" + (directory("templates") / "report.css").read_text("utf-8"))  # noqa: S704  (our own file)
    return (
        environment()
        .get_template(template)
        .render(
            view=view,
            zone=ZoneInfo(view.period.timezone),
            style=style,
            content_security_policy=content_security_policy(style),
            csv_name=csv_name,
            json_name=json_name,
            words=words,
        )
    )


def content_security_policy(style: str) -> str:
    """A policy that lets the page do nothing but show itself with this one style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
