"""Checks of Slurm's configuration, as `scontrol show config` gives it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sam_cluster.accounting.commands import complaint
from sam_cluster.cli.findings import Finding, Status, judged
from sam_cluster.cli.slurm_commands import Ask
from sam_cluster.core.config import Config
from sam_cluster.resources import directory

SCONTROL = ("scontrol", "show", "config")

#: Each of these makes the prolog run on every node when a job is given its resources.
ALLOC_FLAGS = {"ALLOC", "CONTAIN", "X11", "RUNINJOB", "DEFERBATCH", "NOHOLD", "FORCEREQUEUEONFAIL"}

#: What scontrol says of a slurm.conf that is not there: where none is named and DNS names none, where one is
#: named (it looks again for a minute), and in the end.
WITHOUT_CONF = ("establish a configuration source", "cannot stat file", "process configuration file")

#: How the releases write that there is no limit.
NO_LIMIT = {"", "0", "65534", "INFINITE", "UNLIMITED", "(NULL)"}


def settings_of(text: str) -> dict[str, str]:
    """`Name = value` lines, names as Slurm writes them."""
    return {
        match["name"]: match["value"].strip()
        for line in text.splitlines()
        if (match := re.fullmatch(r"(?P<name>[A-Za-z0-9_./\[\]]+)\s*=(?P<value>.*)", line.strip()))
    }


def check_slurm(config: Config, ask: Ask) -> Iterator[Finding]:
    """What slurm.conf must hold for a job to be metered and found again."""
    answer = ask(SCONTROL)
    if answer.code != 0 and any(sign in answer.err for sign in WITHOUT_CONF):
        yield Finding(
            "Slurm", Status.WRONG, "there is no slurm.conf here that can be read",
            "set SLURM_CONF to where it is, or run doctor on a host that has it",
        )  # fmt: skip
        return
    if answer.code is None:
        yield Finding(
            "Slurm", Status.SKIPPED, answer.err or "scontrol is not here", "run doctor where Slurm is"
        )
        return
    if answer.code != 0:
        reason = complaint(answer.err) or "scontrol gave no answer"
        yield Finding("Slurm", Status.WRONG, reason, "does slurmctld run, and munge on this host?")
        return
    settings = settings_of(answer.out)
    yield Finding("Slurm", Status.OK, settings.get("SLURM_VERSION", "answers"))
    yield _cluster_name(config, settings)
    yield from _prolog_flags(settings)
    yield from _hook(settings, "Prolog", "prolog.sh")
    yield from _hook(settings, "Epilog", "epilog.sh")
    yield _timeout(settings)
    yield _tres(settings)
    yield _private_data(settings)


def _cluster_name(config: Config, settings: Mapping[str, str]) -> Finding:
    name = settings.get("ClusterName", "")
    return judged(
        "cluster name",
        config.cluster_name in (None, name),
        f"{name}"
        if config.cluster_name is None
        else f"{name} in Slurm, {config.cluster_name} in the configuration",
        "set name in [cluster] to Slurm's ClusterName, or leave it out",
    )


def _prolog_flags(settings: Mapping[str, str]) -> Iterator[Finding]:
    text = settings.get("PrologFlags", "")
    flags = {flag.strip().upper() for flag in text.split(",")}
    yield judged(
        "PrologFlags",
        bool(flags & ALLOC_FLAGS),
        text or "none",
        "PrologFlags=Alloc,Contain in slurm.conf: without it a node on which no step starts runs no prolog",
    )
    if "RUNINJOB" in flags:
        found = "RunInJob puts the hooks, and an agent they start, into the job's cgroup"
        yield Finding(
            "PrologFlags RunInJob", Status.ADVICE, found, "let systemd start the agent: sam-agent.path"
        )


def _hook(settings: Mapping[str, str], name: str, file: str) -> Iterator[Finding]:
    """Whether one of the scripts that slurmd runs is ours, can be run, and comes in its turn; a path may be a
    pattern, or a list of paths."""
    # slurm.conf may have several, shown as Prolog[0], Prolog[1], … from 24.05 on.
    values = [value for key, value in settings.items() if re.fullmatch(rf"{name}(\[\d+\])?", key)]
    patterns = [part for value in values for part in value.split(",") if part and part.upper() != "(NULL)"]
    ours = (directory("slurm") / file).read_bytes()
    mend = (
        f"{name}={directory('slurm') / file} in slurm.conf, or a line in yours that calls it; "
        "then scontrol reconfigure"
    )
    if not patterns:
        yield Finding(name, Status.WRONG, "none", mend)
        return
    shown = ", ".join(patterns)
    absolute = [pattern.lstrip("/") for pattern in patterns if pattern.startswith("/")]
    scripts = [path for pattern in absolute for path in sorted(Path("/").glob(pattern))]
    if not scripts:
        yield Finding(name, Status.SKIPPED, f"{shown}: not on this host", "run doctor on a GPU node too")
        return
    mine = [script for script in scripts if _calls(script, ours, file)]
    yield judged(name, bool(mine), shown if mine else f"{shown}: leaves no event for the agent", mend)
    if closed := [script for script in scripts if not script.stat().st_mode & 0o111]:
        found = f"{', '.join(map(str, closed))}: not executable"
        mend = "chmod 755 it: slurmd drains a node whose hook it cannot run"
        yield Finding(f"{name} can be run", Status.WRONG, found, mend)
    if mine and not _is_in_turn(mine[0], scripts, is_last=name == "Prolog"):
        turn, word = ("last", "00") if name == "Prolog" else ("first", "zz")
        found = f"{mine[0]} does not come {turn}: slurmd goes through {mine[0].parent} from Z to A"
        mend = f"name it {word}-sam-cluster, so that no hook that resets GPUs or fails stands in its way"
        yield Finding(f"{name} order", Status.ADVICE, found, mend)


def _is_in_turn(mine: Path, scripts: Sequence[Path], *, is_last: bool) -> bool:
    """Whether ours is the last, or the first, of a directory's hooks, which run in reverse alphabetical
    order (the first that fails stops the rest)."""
    names = sorted(script.name for script in scripts if script.parent == mine.parent)
    return mine.name == names[0 if is_last else -1]


def _calls(script: Path, ours: bytes, file: str) -> bool:
    try:
        content = script.read_bytes()
    except OSError:
        return False
    return content == ours or (b"sam-cluster" in content and file.encode() in content)


def _timeout(settings: Mapping[str, str]) -> Finding:
    names = ("PrologEpilogTimeout", "PrologTimeout", "EpilogTimeout")
    found = {name: settings[name] for name in names if name in settings}
    limited = [name for name, value in found.items() if value.split(" ")[0].upper() not in NO_LIMIT]
    return judged(
        "PrologEpilogTimeout",
        bool(limited),
        ", ".join(f"{name}={found[name]}" for name in limited) or "no limit",
        "PrologEpilogTimeout=60 in slurm.conf: so that no hook, whosever it is, holds a node for ever",
        Status.ADVICE,
    )


def _tres(settings: Mapping[str, str]) -> Finding:
    text = settings.get("AccountingStorageTRES", "")
    tracked = {tres.strip().lower() for tres in text.split(",")}
    shared = {kind.strip().lower() for kind in settings.get("GresTypes", "").split(",")} & {"shard", "mps"}
    wanted = ["gres/gpu", *(f"gres/{kind}" for kind in sorted(shared))]
    return judged(
        "AccountingStorageTRES",
        tracked.issuperset(wanted),
        text or "none",
        f"AccountingStorageTRES={','.join(wanted)} in slurm.conf: without it accounting does not say how "
        "many GPUs, or what part of one, a job was given",
    )


def _private_data(settings: Mapping[str, str]) -> Finding:
    text = settings.get("PrivateData", "")
    hidden = {word.strip().lower() for word in text.split(",")} & {"jobs", "all"}
    return judged(
        "PrivateData",
        not hidden,
        text or "none",
        "sacct shows the service user nothing of others, unless it is an operator: "
        "sacctmgr modify user SERVICE_USER set adminlevel=operator",
        Status.ADVICE,
    )
