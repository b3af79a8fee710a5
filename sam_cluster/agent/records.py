"""What a journal's records say, as values: those of a run that goes on, and the shard of a complete part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sam_cluster.core.model import (
    AgentCost,
    Boundary,
    Flag,
    GpuHeld,
    HostDomain,
    HostEnergy,
    Kind,
    Reason,
    Rung,
    RunKey,
    Sample,
    Shard,
)

from .facts import RunFacts
from .journal import Record


def shard_from_records(records: Iterable[Record]) -> Shard:
    """The shard that a complete part's journal holds. Raises KeyError, TypeError, ValueError."""
    head: Record = {}
    close: Record = {}
    gpus: tuple[GpuHeld, ...] = ()
    driver = None
    boundaries: list[Boundary] = []
    samples: list[Sample] = []
    for record in records:
        kind = record["r"]
        if kind == "run":
            head = record
        elif kind == "gpus":
            gpus, driver = tuple(gpu_of(gpu) for gpu in record["gpus"]), record["driver"]
        elif kind == "boundary":
            boundaries.append(boundary_of(record))
        elif kind == "sample":
            samples.append(sample_of(record))
        elif kind == "close":
            close = record
    facts = facts_of(head["facts"])
    reasons = {word: Reason(reason) for word, reason in close["reasons"].items()}
    if not gpus:  # never resolved: the words that named them are all there is
        gpus = tuple(GpuHeld(uuid=None, requested=word, rung=Rung.UNRESOLVED) for word in facts.devices)
    return Shard(
        key=facts.key,
        node=head["node"],
        part=head["part"],
        final=close["final"],
        boot_id=head["boot_id"],
        started_at_microseconds=head["started"]["at_microseconds"],
        ended_at_microseconds=close["ended"]["at_microseconds"],
        gpus=tuple(replace(gpu, reason=reasons.get(gpu.requested, gpu.reason)) for gpu in gpus),
        boundaries=tuple(boundaries),
        samples=tuple(samples),
        uid=facts.uid,
        user=facts.user,
        account=facts.account,
        partition=facts.partition,
        nodes_expected=facts.nodes_expected,
        het_job_id=facts.het_job_id,
        flags=tuple(Flag(flag) for flag in close["flags"]),
        reason=Reason(close["reason"]) if close["reason"] else None,
        agent_version=head["version"],
        driver_version=driver,
        cpus=facts.cpus,
        is_exclusive=facts.is_exclusive,
        agent_cost=AgentCost(**close["cost"]) if close.get("cost") else None,
        host=_host(close["host"]) if close.get("host") else None,
    )


def facts_of(document: dict[str, Any]) -> RunFacts:
    """What the prolog said. Raises KeyError, TypeError, as all here do, where it does not hold that."""
    return RunFacts(**{
        **document, "key": RunKey(**document["key"]), "devices": tuple(document["devices"])
    })  # fmt: skip


def gpu_of(document: dict[str, Any]) -> GpuHeld:
    """A GPU that a run was given. Raises ValueError for a word that is none of the closed lists."""
    reason = document["reason"]
    return GpuHeld(**{
        **document, "rung": Rung(document["rung"]), "reason": Reason(reason) if reason else None
    })  # fmt: skip


def boundary_of(record: Record) -> Boundary:
    """A settled boundary. Raises ValueError for a word that is none of the closed lists."""
    document = _without_kind(record)
    flags = tuple(Flag(flag) for flag in document["flags"])
    return Boundary(**{**document, "kind": Kind(document["kind"]), "flags": flags})


def sample_of(record: Record) -> Sample:
    """A tick that was kept."""
    return Sample(**_without_kind(record))


def _host(document: dict[str, Any]) -> HostEnergy:
    domains = tuple(
        HostDomain(**{**domain, "reason": Reason(domain["reason"]) if domain["reason"] else None})
        for domain in document["domains"]
    )
    return HostEnergy(cpus=document["cpus"], domains=domains)


def _without_kind(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "r"}
