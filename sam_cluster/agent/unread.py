"""What is not read of a run: how long it is waited for, and why there is no figure."""

from __future__ import annotations

from sam_cluster.core.model import Kind, Reason

from .gpus import Gpus
from .run import OpenRun, Waiting

#: How long the last reading of a run is waited for when NVML does not answer.
PATIENCE_MICROSECONDS = 120_000_000


def is_hopeless(run: OpenRun, item: Waiting | None, gpus: Gpus, uptime_microseconds: int) -> bool:
    """No reading will come for a boundary (None: nor will it be known of which GPUs): patience is over, or
    NVML said so at the run's end."""
    since = run.ending_since
    if since is None and item and item.kind is Kind.HOUR:
        since = item.instant.uptime_microseconds
    uuid = item.gpu_uuid if item else None
    if since is None:
        return False
    is_late = uptime_microseconds - since > PATIENCE_MICROSECONDS
    return is_late or gpus.refuses(uuid, ever_read=uuid in run.since)


def reasons_of(run: OpenRun, gpus: Gpus) -> tuple[dict[str, Reason], Reason | None]:
    """Why GPUs of a run that is over have no figure, by the word that named them; and why it has none."""
    if run.gpus is None:
        reasons = {word: gpus.trouble_of(None) for word in run.facts.devices}
    else:
        reasons = {
            gpu.requested: gpu.reason or gpus.trouble_of(gpu.uuid)
            for gpu in run.gpus
            if gpu.uuid not in run.since
        }
    return reasons, None if run.since else next(iter(reasons.values()), gpus.trouble_of(None))
