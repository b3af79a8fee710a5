"""The states of jobs as sacct's -s takes them: whole, or by their short names, in whatever case."""

from __future__ import annotations

from sam_cluster.core.errors import UsageError

SHORT = {
    "BF": "BOOT_FAIL", "CA": "CANCELLED", "CD": "COMPLETED", "DL": "DEADLINE", "F": "FAILED",
    "NF": "NODE_FAIL", "OOM": "OUT_OF_MEMORY", "PR": "PREEMPTED", "R": "RUNNING", "RQ": "REQUEUED",
    "RS": "RESIZING", "RV": "REVOKED", "S": "SUSPENDED", "TO": "TIMEOUT",
}  # fmt: skip


def parse_states(text: str) -> tuple[str, ...]:
    """The whole names of a list. Raises UsageError for what is no state of a job that began."""
    found = []
    for name in (part.strip().upper() for part in text.split(",")):
        state = SHORT.get(name, name)
        if state not in SHORT.values():
            known = ", ".join(f"{whole} ({short})" for short, whole in SHORT.items())
            raise UsageError(f"-s: {name!a:.40} is no state of a job that began; they are {known}")
        found.append(state)
    return tuple(dict.fromkeys(found))
