"""The configuration file: TOML, every key optional, a key that is not known refused with its line.

[cluster]  name
[paths]    spool, events, store, powercap
[store]    keep_samples_days, tables, single_writer
[agent]    interval_seconds, publish_as, host_energy
[gpus]     GRES index = "GPU-UUID" or "/dev/nvidiaN"        (of one node)
[calibration]   "MODEL" = error of its sensors, a fraction  (default 0.05)
[sam]      alpha, beta, unit, scope
[groups.NAME]   accounts, members, share, coordinators, from   (a list of tables where it changes)
[tasks.NAME]    metric, dataset, split, aliases, lower_is_better
[report]   timezone, carbon_g_per_kwh, price_per_kwh, currency, pue, people, least_people
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .config_keys import GROUP_KEYS, SECTIONS, TASK_KEYS, Reader, absolute_path, fraction, gpu_device
from .config_source import Source
from .errors import ConfigError
from .tasks import Task

DEFAULT_DIRECTORY = Path("/etc/sam-cluster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A lab as it is from a day on: the Slurm accounts it owns, its head count, what it was granted."""

    name: str
    accounts: tuple[str, ...]  # patterns as of fnmatch: cv-*
    members: int | None = None
    share: float | None = None
    coordinators: tuple[str, ...] = ()  # users who may hand in results for its jobs
    since: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings, with their defaults."""

    source: Path | None = None
    cluster_name: str | None = None
    spool: Path = Path("/var/lib/sam-cluster")
    events: Path = Path("/run/sam-cluster/events")
    store: Path = Path("/shared/sam-cluster")
    powercap: Path = Path("/sys/class/powercap")
    keep_samples_days: int | None = None  # None: for ever
    tables: str | None = None  # s3://bucket/prefix; None: in the store
    single_writer: bool = False
    interval_seconds: float = 10.0
    publish_as: str = "samcluster"
    host_energy: bool = False
    gpus: Mapping[int, str] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)
    alpha: float = 5.0
    beta: float = 5.0
    unit: str = "kWh"
    sam_scope: str = "gpu"
    groups: tuple[Group, ...] = ()
    tasks: tuple[Task, ...] = ()
    timezone: str = "UTC"
    carbon_g_per_kwh: float | None = None
    price_per_kwh: float | None = None
    currency: str | None = None
    pue: float | None = None
    people: str = "pseudonyms"
    least_people: int = 3

    def with_store(self, store: Path) -> Config:
        """The same with another store; the bucket of this one's tables is not that one's."""
        if store == self.store:
            return self
        return replace(self, store=store, tables=None)

    def group_as_of(self, name: str, on: date) -> Group | None:
        """A lab as it is configured for a day: what was said last by then. None for one that is not."""
        ours = [g for g in self.groups if g.name == name and (g.since is None or g.since <= on)]
        return max(ours, key=lambda g: g.since or date.min, default=None)

    @property
    def electricity_factor(self) -> float:
        """What measured GPU energy is multiplied by to be the electricity that SAM counts: the PUE where the
        scope is the facility. The one place where that is decided; the measurement itself stays as it is."""
        if self.sam_scope == "gpu":
            return 1.0
        if self.pue is None:
            raise ConfigError("scope in [sam] is facility, which needs pue in [report]")
        return self.pue

    def group_of(self, account: str | None, on: date | None = None) -> str | None:
        """The lab that owns an account on a day (default: as configured last); the account itself
        where no lab claims it; None where the account is unknown."""
        owner = self._owner_of(account, on)
        return owner.name if owner else account

    def coordinators_of(self, account: str | None, on: date | None = None) -> tuple[str, ...]:
        """The users who may hand in results for the jobs of an account that ended on a day."""
        owner = self._owner_of(account, on)
        return owner.coordinators if owner else ()

    def _owner_of(self, account: str | None, on: date | None) -> Group | None:
        if account is None:
            return None
        for group in sorted(self.groups, key=lambda g: g.since or date.min, reverse=True):
            started = group.since is None or on is None or group.since <= on
            if started and any(fnmatchcase(account, pattern) for pattern in group.accounts):
                return group
        return None

    def task_named(self, name: str) -> Task:
        """The configured task of this name or alias; one that knows only its name where none is."""
        for task in self.tasks:
            if name == task.name or name in task.aliases:
                return task
        return Task(name=name)


def _read_table(
    table: Any, known: Mapping[str, tuple[str, Reader]], section: str, source: Source
) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise source.error(section, None, f"[{section}] must be a table")
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise source.error(
                section, key, f"unknown key {key!r} in [{section}]; known are {', '.join(known)}"
            )
        name, reader = known[key]
        try:
            found[name] = reader(value)
        except ValueError as wanted:
            raise source.error(section, key, f"{key} in [{section}] must be {wanted}") from None
    return found


def _read_groups(tables: Any, source: Source) -> tuple[Group, ...]:
    groups = []
    for name, value in _named(tables, "groups", source):
        for table in value if isinstance(value, list) else [value]:
            found = _read_table(table, GROUP_KEYS, f"groups.{name}", source)
            groups.append(Group(name=name, **{"accounts": (name,), **found}))
    return tuple(groups)


def _named(tables: Any, section: str, source: Source) -> list[tuple[str, Any]]:
    if not isinstance(tables, dict):
        raise source.error(section, None, f"[{section}] must hold tables such as [{section}.NAME]")
    return list(tables.items())


def _read_gpus(table: Any, source: Source) -> dict[int, str]:
    if not isinstance(table, dict):
        raise source.error("gpus", None, "[gpus] must be a table of GRES index = device")
    found = {}
    for key, value in table.items():
        if not key.isdecimal():
            raise source.error("gpus", key, f"unknown key {key!r} in [gpus]; a key is a GRES index")
        try:
            found[int(key)] = gpu_device(value)
        except ValueError as wanted:
            raise source.error("gpus", key, f"{key} in [gpus] must be {wanted}") from None
    return found


def _read_calibration(table: Any, source: Source) -> dict[str, float]:
    if not isinstance(table, dict):
        raise source.error("calibration", None, "[calibration] must be a table of GPU model = fraction")
    found = {}
    for model, value in table.items():
        try:
            found[model] = fraction(value)
        except ValueError as wanted:
            raise source.error("calibration", model, f"{model!r} in [calibration] must be {wanted}") from None
    return found


def parse(text: str, path: Path | None = None) -> Config:
    """The configuration that a text holds. Raises ConfigError with the line of what is wrong."""
    source = Source(text, path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path or 'configuration'}: not TOML: {error}") from None
    values: dict[str, Any] = {"source": path}
    for section, table in tables.items():
        if section == "groups":
            values["groups"] = _read_groups(table, source)
        elif section == "gpus":
            values["gpus"] = _read_gpus(table, source)
        elif section == "calibration":
            values["calibration"] = _read_calibration(table, source)
        elif section == "tasks":
            values["tasks"] = tuple(
                Task(name=name, **_read_table(value, TASK_KEYS, f"tasks.{name}", source))
                for name, value in _named(table, "tasks", source)
            )
        elif section in SECTIONS:
            values.update(_read_table(table, SECTIONS[section], section, source))
        else:
            known = ", ".join([*SECTIONS, "gpus", "calibration", "groups", "tasks"])
            raise source.error(section, section, f"unknown section [{section}]; known are {known}")
    config = Config(**values)
    try:
        _ = config.electricity_factor
    except ConfigError as error:
        raise source.error("sam", "scope", str(error)) from None
    return config


def locate(environ: Mapping[str, str]) -> Path | None:
    """The file to read: SAM_CLUSTER_CONFIG, else this node's own, else the common one, if it is there."""
    if named := environ.get("SAM_CLUSTER_CONFIG"):
        return Path(named)
    node = environ.get("SLURMD_NODENAME", "")
    names = [f"{node}.toml"] if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", node) else []
    for name in [*names, "config.toml"]:
        if (path := DEFAULT_DIRECTORY / name).is_file():
            return path
    return None


def load(environ: Mapping[str, str], path: Path | None = None) -> Config:
    """The configuration in force. A path given stands before SAM_CLUSTER_CONFIG, and SAM_CLUSTER_STORE
    and SAM_CLUSTER_EVENTS before what the file says."""
    path = path or locate(environ)
    try:
        config = parse(path.read_text("utf-8"), path) if path else Config()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read the configuration {path}: {why}") from None
    for variable, name in (("SAM_CLUSTER_STORE", "store"), ("SAM_CLUSTER_EVENTS", "events")):
        if value := environ.get(variable):
            try:
                path = absolute_path(value)
            except ValueError as wanted:
                raise ConfigError(f"{variable} must be {wanted}, not {value!r}") from None
            config = config.with_store(path) if name == "store" else replace(config, events=path)
    return config
