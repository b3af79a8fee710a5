"""The keys of the configuration file: what each is called inside, and what it may hold.

A reader gives the value, or raises ValueError whose text completes "must be …".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

SAM_SCOPES = ("gpu", "facility")
ELECTRICITY_UNITS = ("kWh", "Wh", "MJ", "J")
LONGEST_CURRENCY = 8
#: How people appear outside their lab.
PEOPLE = ("pseudonyms", "names")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text in quotes")
    return value


def absolute_path(value: Any) -> Path:
    """An absolute path."""
    path = Path(_text(value))
    if not path.is_absolute():
        raise ValueError("an absolute path in quotes")
    return path


def _number(value: Any, *, least: float = 0.0, above: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        raise ValueError(f"a number of at least {least:g}")
    if value == float("inf") or (above and value == least):
        raise ValueError(f"a finite number above {least:g}")
    return float(value)


def _above_zero(value: Any) -> float:
    return _number(value, above=True)


def _pue(value: Any) -> float:
    return _number(value, least=1.0)


def fraction(value: Any, wanted: str = "a fraction between 0 and 1, such as 0.02 for 2 %") -> float:
    """A part of a whole."""
    if _number(value) > 1:
        raise ValueError(wanted)
    return float(value)


def _share(value: Any) -> float:
    return fraction(value, "a share between 0 and 1")


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number of at least 1")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("a list of texts")
    return tuple(_text(item) for item in value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false, without quotes")
    return value


def _day(value: Any) -> date:
    if type(value) is not date:
        raise ValueError("a date such as 2026-01-01, without quotes")
    return value


def _unit(value: Any) -> str:
    if value not in ELECTRICITY_UNITS:
        raise ValueError("one of " + ", ".join(ELECTRICITY_UNITS))
    return str(value)


def _scope(value: Any) -> str:
    if value not in SAM_SCOPES:
        raise ValueError("one of " + ", ".join(SAM_SCOPES))
    return str(value)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _bucket(value: Any) -> str:
    """Where tables lie in an object store; without a slash at its end."""
    address = _text(value).rstrip("/")
    name = r"[A-Za-z0-9][A-Za-z0-9._=-]*"
    if not re.fullmatch(rf"s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9](/{name})*", address):
        raise ValueError(
            'the address of a bucket and what is before each name in it: "s3://bucket/prefix"; the name of a '
            "bucket has 3 to 63 small letters, digits, dots and hyphens, the first and last a letter or digit"
        )
    return address


def gpu_device(value: Any) -> str:
    """A GPU's UUID, or its device file."""
    if not re.fullmatch(r"GPU-[0-9A-Fa-f-]+|/dev/nvidia[0-9]+", _text(value)):
        raise ValueError('a GPU\'s UUID ("GPU-…") or device file ("/dev/nvidia0")')
    return str(value)


def _currency(value: Any) -> str:
    if not _text(value).isprintable() or len(value) > LONGEST_CURRENCY:
        raise ValueError(f'a code or sign of at most {LONGEST_CURRENCY} characters, such as "EUR"')
    return str(value)


def _people(value: Any) -> str:
    if value not in PEOPLE:
        raise ValueError("one of " + ", ".join(f'"{word}"' for word in PEOPLE))
    return str(value)


Reader = Callable[[Any], Any]
SECTIONS: dict[str, dict[str, tuple[str, Reader]]] = {
    "cluster": {"name": ("cluster_name", _text)},
    "paths": {name: (name, absolute_path) for name in ("spool", "events", "store", "powercap")},
    "store": {
        "keep_samples_days": ("keep_samples_days", _count),
        "tables": ("tables", _bucket),
        "single_writer": ("single_writer", _switch),
    },
    "agent": {
        "interval_seconds": ("interval_seconds", _above_zero),
        "publish_as": ("publish_as", _text),
        "host_energy": ("host_energy", _switch),
    },
    "sam": {
        "alpha": ("alpha", _above_zero),
        "beta": ("beta", _above_zero),
        "unit": ("unit", _unit),
        "scope": ("sam_scope", _scope),
    },
    "report": {
        "timezone": ("timezone", _text),
        "carbon_g_per_kwh": ("carbon_g_per_kwh", _number),
        "price_per_kwh": ("price_per_kwh", _number),
        "currency": ("currency", _currency),
        "pue": ("pue", _pue),
        "people": ("people", _people),
        "least_people": ("least_people", _count),
    },
}
GROUP_KEYS: dict[str, tuple[str, Reader]] = {
    "accounts": ("accounts", _texts),
    "members": ("members", _count),
    "share": ("share", _share),
    "coordinators": ("coordinators", _texts),
    "from": ("since", _day),
}
TASK_KEYS: dict[str, tuple[str, Reader]] = {
    "metric": ("metric", _text),
    "dataset": ("dataset", _text),
    "split": ("split", _text),
    "aliases": ("aliases", _texts),
    "lower_is_better": ("lower_is_better", _yes_or_no),
}
