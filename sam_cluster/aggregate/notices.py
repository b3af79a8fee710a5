"""What is wrong although nothing failed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from sam_cluster.store.tables import Snapshot

from .accounting import Asked


def foreign_clusters(shards: pa.Table, cluster: str | None) -> str | None:
    """Shards that name another cluster than the configuration does; None where there are none."""
    foreign = sorted({*pc.unique(shards["cluster"]).to_pylist()} - {cluster})
    if cluster is None or not foreign:
        return None
    return (
        f"shards of cluster {', '.join(foreign)} came, while the configuration here names {cluster}, whose "
        "accounting does not know their jobs: let [cluster] name be the same on all of its hosts"
    )


def hidden_accounting(snapshot: Snapshot, shards: pa.Table, asked: Asked, cluster: str | None) -> str | None:
    """That accounting shows none of the jobs whose shards came: sacct then gives no error, and no rows."""
    jobs = {
        (its, number)
        for its, number in zip(shards["cluster"].to_pylist(), shards["raw_job_id"].to_pylist(), strict=True)
        if number and cluster in (None, its)
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
