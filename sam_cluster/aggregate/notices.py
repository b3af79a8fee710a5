"""What is wrong although nothing failed."""

from __future__ import annotations

from collections.abc import Sequence

from sam_cluster.store.tables import Snapshot

from .accounting import Asked
from .fold import Row


def foreign_clusters(shards: Sequence[Row], cluster: str | None) -> str | None:
    """Shards that name another cluster than the configuration does; None where there are none."""
    foreign = sorted({row["cluster"] for row in shards} - {cluster})
    if cluster is None or not foreign:
        return None
    return (
        f"shards of cluster {', '.join(foreign)} came, while the configuration here names {cluster}, whose "
        "accounting does not know their jobs: let [cluster] name be the same on all of its hosts"
    )


def hidden_accounting(
    snapshot: Snapshot, shards: Sequence[Row], asked: Asked, cluster: str | None
) -> str | None:
    """That accounting shows none of the jobs whose shards came: sacct then gives no error, and no rows."""
    jobs = {
        (row["cluster"], row["raw_job_id"])
        for row in shards
        if row["raw_job_id"] and cluster in (None, row["cluster"])
    }
    if asked.problems or not jobs or jobs & asked.jobs:
        return None
    stored = snapshot.read(
        "accounting", raw_job_ids={number for _, number in jobs}, columns=["cluster", "raw_job_id"]
    )
    if any((row["cluster"], row["raw_job_id"]) in jobs for row in stored.to_pylist()):
        return None
    return (
        f"accounting not visible: it shows none of the {len(jobs)} jobs whose shards came. With "
        "PrivateData=jobs sacct hides other people's jobs; make the service user an operator: "
        "sacctmgr modify user NAME set adminlevel=Operator"
    )
