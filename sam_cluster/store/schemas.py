"""The tables' columns: one Arrow schema each, explicit, with its version. Never inferred.

A file says the version that it was written in. A column that came with a later one is null in its rows,
and is there when the file is next written; a file of a later version than is known here is not read.

Every column that carries a quantity names its unit. Instants are microseconds UTC. `meaning` in a
field's metadata is what the documentation of the tables is made from; `since` is the version of the
schema that brought a column in. A file of an earlier version has nothing to say there (see `upgrade.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

FIRST_VERSION = 1

INSTANT = pa.timestamp("us", tz="UTC")
WORDS = pa.list_(pa.string())


def _column(name: str, kind: pa.DataType, meaning: str, since: int = FIRST_VERSION) -> pa.Field:
    # The first columns say no version, as in the files that were written before there was a second.
    later = {"since": str(since)} if since > FIRST_VERSION else {}
    return pa.field(name, kind, metadata={"meaning": meaning, **later})


def _schema(table: str, columns: list[pa.Field]) -> pa.Schema:
    version = max(since(column) for column in columns)
    metadata = {"sam_cluster.table": table, "sam_cluster.schema": str(version)}
    return pa.schema(columns, metadata=metadata)


def since(column: pa.Field) -> int:
    """The version of the schema that a column came with."""
    return int(column.metadata.get(b"since", FIRST_VERSION))


def version(metadata: Mapping[bytes, bytes] | None) -> int:
    """The version that the metadata of a schema or of a file name. Raises KeyError where they name none."""
    return int((metadata or {})[b"sam_cluster.schema"])


CLUSTER = _column("cluster", pa.string(), "name of the Slurm cluster")
RUN_ID = _column("run_id", pa.string(), "one attempt of a job: its SLUID, or JOBID.RESTART")
RAW_JOB_ID = _column("raw_job_id", pa.int64(), "Slurm's own number of the job (JobIDRaw)")
NODE = _column("node", pa.string(), "the node's Slurm name")
GPU = _column("gpu_uuid", pa.string(), "UUID of the GPU")
FLAGS = _column("flags", WORDS, "what to know of the figure, sorted")
QUALITY = _column("quality", pa.string(), "measured, estimated, lower_bound or unknown")
RUN_STARTED_AT = _column("started_at", INSTANT, "when the run began on this node")
GPU_MODEL = _column("gpu_model", pa.string(), "the GPU's name by NVML; null where it is not known", since=2)
BRIDGED = _column("bridged_millijoules", pa.int64(), "of it, by power over resets of the counter", since=2)
COVERED = _column("covered_microseconds", pa.int64(), "of the time held, how much the figure is for", since=2)
HELD = _column(
    "held_microseconds", pa.int64(), "how long GPUs were held, summed over all that are heard of", since=2
)
POWER_ENERGY = _column(
    "power_energy_millijoules", pa.int64(),
    "the same energy, less what is bridged, by the second meter, the integral of power; null where that "
    "does not cover all of it", since=2,
)  # fmt: skip
IDLE = _column(
    "idle_microseconds", pa.int64(),
    "of the time held, in how much the GPU did nothing, by the driver's samples of its utilisation; null "
    "where those do not cover all of it", since=3,
)  # fmt: skip
IDLE_ENERGY = _column("idle_energy_millijoules", pa.int64(), "the energy of that time", since=3)
METERS_RATIO = _column(
    "meters_ratio", pa.float64(),
    "counter over integral of power, where both are known, of the GPU that is farthest from 1", since=2,
)  # fmt: skip
ENERGY_BY_MODEL = _column(
    "energy_by_model",
    pa.list_(pa.struct([pa.field("gpu_model", pa.string()), pa.field("energy_millijoules", pa.int64())])),
    "its energy by model of GPU, sorted: what the sensors' error is correlated over", since=2,
)  # fmt: skip
BOUNDARY_UNCERTAINTY = _column(
    "boundary_uncertainty_millijoules", pa.int64(), "of the uncertainty, what boundaries and samples bring",
    since=2,
)  # fmt: skip
HOST_ENERGY = _column(
    "host_energy_millijoules", pa.int64(),
    "apart from the GPUs: the part of its nodes' CPUs and memory that is counted as its own", since=2,
)  # fmt: skip
HOST_QUALITY = _column("host_quality", pa.string(), "of that: estimated or unknown", since=2)
HOST_REASONS = _column("host_reasons", WORDS, "why that, or a part of it, is missing, sorted", since=2)
DIGEST = _column("shard_digest", pa.string(), "SHA-256 of the shard it comes from")

SHARDS = _schema("shards", [
    CLUSTER, RUN_ID, RAW_JOB_ID,
    _column("restart", pa.int32(), "restart count that the prolog saw"),
    _column("sluid", pa.string(), "Slurm's own id of the run, from 25.11 on"),
    NODE,
    _column("part", pa.int32(), "number of the part, of a run sealed each day"),
    _column("final", pa.bool_(), "whether the run ended with this part"),
    _column("boot_id", pa.string(), "the kernel's id of the node's boot"),
    _column("started_at", INSTANT, "when the run began on this node"),
    _column("ended_at", INSTANT, "last boundary of this part"),
    _column("uid", pa.int64(), "owner's UID as the prolog saw it"),
    _column("user", pa.string(), "owner as the prolog saw it"),
    _column("account", pa.string(), "Slurm account as the prolog saw it"),
    _column("partition", pa.string(), "partition as the prolog saw it"),
    _column("nodes_expected", pa.int32(), "nodes of the run as the prolog saw it"),
    _column("het_job_id", pa.int64(), "leader of a heterogeneous job"),
    _column("gpus", pa.list_(pa.struct([
        pa.field("uuid", pa.string()), pa.field("requested", pa.string()), pa.field("rung", pa.string()),
        pa.field("name", pa.string()), pa.field("mig_uuid", pa.string()),
        pa.field("power_limit_milliwatts", pa.int64()), pa.field("reason", pa.string()),
    ])), "the GPUs given to the run here, and how each was identified"),
    FLAGS,
    _column("reason", pa.string(), "why there is no figure, where there is none"),
    _column("agent_version", pa.string(), "version of the agent"),
    _column("driver_version", pa.string(), "version of the NVIDIA driver"),
    _column("agent_cpu_microseconds", pa.int64(), "CPU time of the node's agent, all of it, over this part",
            since=2),
    _column("agent_resident_bytes", pa.int64(), "memory of the agent at the end of this part", since=2),
    _column("nvml_calls", pa.int64(), "calls of the agent into NVML over this part", since=2),
    _column("nvml_microseconds", pa.int64(), "how long they took, all together", since=2),
    _column("nvml_longest_microseconds", pa.int64(), "how long the longest of them took", since=2),
    _column("missed_ticks", pa.int64(), "readings of a GPU that were due, and did not come", since=2),
    _column("cpus", pa.int32(), "CPUs that the run held here, where the prolog says it", since=2),
    _column("is_exclusive", pa.bool_(), "whether no other job was let onto the node", since=2),
    _column("node_cpus", pa.int32(), "CPUs of the node, where its energy is metered", since=2),
    _column("host_domains", pa.list_(pa.struct([
        pa.field("name", pa.string()), pa.field("energy_millijoules", pa.int64()),
        pa.field("reason", pa.string()),
    ])), "energy of the whole node beside its GPUs over this part, by counter; null where it is not metered",
            since=2),
    DIGEST,
])  # fmt: skip

READINGS = _schema("readings", [
    CLUSTER, RUN_ID, RAW_JOB_ID, NODE, GPU, RUN_STARTED_AT,
    _column("part", pa.int32(), "part of the run's shard"),
    _column("kind", pa.string(), "start, hour, segment, end, idle"),
    _column("at", INSTANT, "instant of the boundary"),
    _column("uptime_microseconds", pa.int64(), "the same instant on the node's boot clock"),
    _column("segment", pa.string(), "stretch over which the counter only grew"),
    _column("energy_millijoules", pa.int64(), "the counter brought to the instant"),
    _column("counter_millijoules", pa.int64(), "the counter as it was read"),
    _column("lag_microseconds", pa.int64(), "how long after the instant it was read"),
    _column("uncertainty_millijoules", pa.int64(), "how far off the value brought to the instant may be"),
    _column("since_at", INSTANT, "instant of the run's boundary before it on this GPU"),
    _column("since_uptime_microseconds", pa.int64(), "the same instant on the node's boot clock"),
    _column("since_energy_millijoules", pa.int64(), "the counter there"),
    _column("previous_segment", pa.string(), "of a start: segment of the GPU's boundary before it"),
    _column("previous_at", INSTANT, "of a start: when that was"),
    _column("previous_uptime_microseconds", pa.int64(), "of a start: the same on the node's boot clock"),
    _column("previous_energy_millijoules", pa.int64(), "of a start: the counter there"),
    _column("since_power_millijoules", pa.int64(), "integral of power since the boundary before it", since=2),
    _column("since_power_uncertainty_millijoules", pa.int64(), "what lies between its samples", since=2),
    _column("since_covered_microseconds", pa.int64(), "how much of that time has samples of power", since=2),
    _column("since_idle_microseconds", pa.int64(), "how long of that time the GPU did nothing", since=3),
    _column("since_idle_millijoules", pa.int64(), "what it drew meanwhile", since=3),
    _column("gap_microseconds", pa.int64(), "of a segment's begin: within it the counter restarted", since=2),
    _column("bridged_millijoules", pa.int64(), "drawn in it and not counted, by samples of power", since=2),
    GPU_MODEL,
    _column("mig_slices", pa.int32(), "compute slices that the run holds of it; null without MIG", since=2),
    _column("gpus_held", pa.int32(), "GPUs that the run holds on the node", since=2),
    FLAGS, DIGEST,
])  # fmt: skip

SAMPLES = _schema("samples", [
    CLUSTER, RUN_ID, NODE, GPU,
    _column("at", INSTANT, "instant of the sample"),
    _column("uptime_microseconds", pa.int64(), "the same instant on the node's boot clock"),
    _column("counter_millijoules", pa.int64(), "the counter as it was read"),
    _column("power_energy_millijoules", pa.int64(), "integral of power since the sample before"),
    _column("power_milliwatts", pa.int64(), "mean power since the sample before"),
])  # fmt: skip

USAGE = _schema("usage", [
    CLUSTER, RUN_ID, RAW_JOB_ID, NODE, RUN_STARTED_AT, GPU,
    _column("hour", INSTANT, "beginning of the UTC hour"),
    _column("held_microseconds", pa.int64(), "how long the run held the GPU in that hour"),
    _column("device_energy_millijoules", pa.int64(), "energy of the whole GPU while the run held it"),
    _column("energy_millijoules", pa.int64(), "the run's part of it"),
    _column("uncertainty_millijoules", pa.int64(), "of the run's boundaries in that hour"),
    _column("holders", pa.int32(), "most runs that held the GPU at once, by their readings"),
    _column(
        "share_rule", pa.string(),
        "by what the device's energy is split: whole, mig_slices, shards, mps, equal; of several in the hour "
        "the last of these; null without a figure", since=2,
    ),
    BRIDGED, POWER_ENERGY, COVERED, IDLE, IDLE_ENERGY, GPU_MODEL, QUALITY, FLAGS,
])  # fmt: skip

GAPS = _schema("gaps", [
    CLUSTER, NODE, GPU,
    _column("segment", pa.string(), "stretch over which the counter only grew"),
    _column("from_at", INSTANT, "boundary before; null where it cannot be known"),
    _column("to_at", INSTANT, "boundary after, the start of the next run as a rule"),
    _column("from_uptime_microseconds", pa.int64(), "from_at on the node's boot clock; null over a reset"),
    _column("to_uptime_microseconds", pa.int64(), "to_at on the node's boot clock"),
    _column("kind", pa.string(), "idle where the chain of readings is unbroken, else unattributed"),
    _column("cause", pa.string(), "why it is unattributed: shard_missing, counter_reset, not_metered"),
    _column("energy_millijoules", pa.int64(), "the counter's increase; null where it cannot be known"),
])  # fmt: skip

RUNS = _schema("runs", [
    CLUSTER, RUN_ID, RAW_JOB_ID,
    _column("restart", pa.int32(), "restart count that the prolog saw"),
    _column("started_at", INSTANT, "first start on any node"),
    _column("ended_at", INSTANT, "last end on any node; while it is open, when it was last heard of"),
    _column("user", pa.string(), "owner as the prolog saw it"),
    _column("account", pa.string(), "Slurm account as the prolog saw it"),
    _column("nodes_expected", pa.int32(), "nodes that should have sent a shard"),
    _column("nodes_metered", pa.int32(), "nodes with a figure"),
    _column("gpus", pa.int32(), "GPUs that the run was given on the nodes heard of"),
    _column("gpus_metered", pa.int32(), "GPUs with a figure"),
    _column("gpu_microseconds", pa.int64(), "time held, summed over the GPUs with a figure"),
    _column("device_energy_millijoules", pa.int64(), "energy of the whole GPUs while held"),
    _column("energy_millijoules", pa.int64(), "the run's energy; null when unknown"),
    _column("uncertainty_millijoules", pa.int64(), "how far off it may be, relative to what NVML says"),
    BOUNDARY_UNCERTAINTY, ENERGY_BY_MODEL, BRIDGED, POWER_ENERGY, METERS_RATIO, HELD, COVERED,
    IDLE, IDLE_ENERGY,
    HOST_ENERGY, HOST_QUALITY, HOST_REASONS, QUALITY, FLAGS,
    _column("reasons", WORDS, "why something is missing, sorted"),
])  # fmt: skip

JOBS = _schema("jobs", [
    CLUSTER,
    _column("job_id", pa.string(), "as users name it: 123, 123_4, 123+1"),
    RAW_JOB_ID,
    _column("job_name", pa.string(), "the user's own text"),
    _column("user", pa.string(), "owner"),
    _column("account", pa.string(), "Slurm account"),
    _column("partition", pa.string(), "partition"),
    _column("qos", pa.string(), "quality of service"),
    _column("state", pa.string(), "Slurm's state of the last run"),
    _column("submitted_at", INSTANT, "when it was submitted"),
    _column("eligible_at", INSTANT, "when it became eligible to run"),
    _column("started_at", INSTANT, "start of its first run"),
    _column("ended_at", INSTANT, "end of its last run; while it is open, when it was last heard of"),
    _column("nodes", pa.int32(), "nodes of its last run"),
    _column("gpus", pa.int32(), "GPUs of its last run"),
    _column("gpu_microseconds", pa.int64(), "GPUs times time, over all runs, as allocated"),
    _column("energy_millijoules", pa.int64(), "sum over its runs; null when unknown"),
    _column("uncertainty_millijoules", pa.int64(), "how far off it may be, relative to what NVML says"),
    BOUNDARY_UNCERTAINTY, ENERGY_BY_MODEL, BRIDGED, POWER_ENERGY, METERS_RATIO, HELD, COVERED,
    IDLE, IDLE_ENERGY,
    HOST_ENERGY, HOST_QUALITY, HOST_REASONS, QUALITY, FLAGS,
    _column("reasons", WORDS, "why something is missing, sorted"),
    _column("run_ids", WORDS, "its runs, in the order of time"),
])  # fmt: skip

ACCOUNTING = _schema("accounting", [
    CLUSTER,
    _column("job_id", pa.string(), "as users name it"),
    RAW_JOB_ID,
    _column("array_job_id", pa.int64(), "of an array"),
    _column("array_task_id", pa.int64(), "of an array"),
    _column("het_job_id", pa.int64(), "leader of a heterogeneous job"),
    _column("het_offset", pa.int32(), "component of a heterogeneous job"),
    _column("sluid", pa.string(), "Slurm's own id of the run"),
    _column("restart", pa.int32(), "restart count"),
    _column("job_name", pa.string(), "the user's own text"),
    _column("user", pa.string(), "owner"),
    _column("uid", pa.int64(), "owner's UID"),
    _column("account", pa.string(), "Slurm account"),
    _column("partition", pa.string(), "partition"),
    _column("qos", pa.string(), "quality of service"),
    _column("state", pa.string(), "Slurm's state, its first word"),
    _column("exit_code", pa.string(), "code:signal"),
    _column("submitted_at", INSTANT, "when it was submitted"),
    _column("eligible_at", INSTANT, "when it became eligible to run"),
    _column("started_at", INSTANT, "when it began"),
    _column("ended_at", INSTANT, "when it ended"),
    _column("suspended_seconds", pa.int64(), "how long it was suspended"),
    _column("node_count", pa.int32(), "nodes"),
    _column("nodes", WORDS, "their names"),
    _column("gpus", pa.int32(), "GPUs allocated; null where the source cannot say"),
    _column("gpu_shards", pa.int32(), "shards of GPUs allocated"),
    _column("gpu_mps", pa.int32(), "percentages of GPUs allocated through MPS", since=2),
    _column("alloc_tres", pa.string(), "AllocTRES as it was"),
])  # fmt: skip

SHARES = _schema("shares", [
    CLUSTER,
    _column("account", pa.string(), "Slurm account"),
    _column("parent", pa.string(), "the account above it"),
    _column("day", INSTANT, "beginning of the UTC day that it was asked on, once"),
    _column("raw_shares", pa.int64(), "as Slurm has them; null where it has none of its own"),
    _column("level_share", pa.float64(), "part of what stands in its level, from 0 to 1"),
    _column("cluster_share", pa.float64(), "part of the cluster, with all accounts below it"),
    _column("own_share", pa.float64(), "part of the cluster, without the accounts below it"),
    _column("taken_at", INSTANT, "when Slurm was asked"),
])  # fmt: skip

RESULTS = _schema("results", [
    _column("submission_id", pa.string(), "id that the submission was given"),
    CLUSTER,
    _column("submitted_at", INSTANT, "as the submitter's clock had it"),
    _column("uid", pa.int64(), "author's UID"),
    _column("user", pa.string(), "author"),
    _column("accuracy", pa.float64(), "fraction, 0 to 1"),
    _column("task", pa.string(), "what it was measured on"),
    _column("metric", pa.string(), "name of the metric"),
    _column("dataset", pa.string(), "dataset"),
    _column("split", pa.string(), "split of the dataset"),
    _column("model", pa.string(), "the user's own text"),
    _column("note", pa.string(), "the user's own text"),
    _column("job_ids", WORDS, "every job that was spent on it, as users name them"),
    _column("supersedes", pa.string(), "submission that this one corrects"),
    _column("verdict", pa.string(), "accepted, pending or rejected"),
    _column("reason", pa.string(), "why it is not accepted"),
    _column("author_by", pa.string(), "munge or owner: how the author is known"),
    _column("digest", pa.string(), "SHA-256 of what was handed in"),
    _column("epochs", pa.float64(), "passes over the data that it was trained for", since=2),
    _column("data_fraction", pa.float64(), "fraction of the dataset that it was trained on", since=2),
    _column("checkpoint_sha256", pa.string(), "SHA-256 of the checkpoint", since=2),
    _column("ground", pa.string(), "why it is not accepted, in a word of a closed list", since=2),
])  # fmt: skip

CONFIRMATIONS = _schema("confirmations", [
    _column("submission_id", pa.string(), "the result it is on, which may not have come yet"),
    _column("submitted_at", INSTANT, "as the author's clock had it; their latest word counts"),
    _column("uid", pa.int64(), "author's UID"),
    _column("user", pa.string(), "author, who speaks for their own jobs only"),
    _column("confirmed", pa.bool_(), "false where it is declined"),
    _column("reason", pa.string(), "the author's own text: why it is declined"),
    _column("author_by", pa.string(), "munge or owner: how the author is known"),
    _column("digest", pa.string(), "SHA-256 of what was handed in"),
])  # fmt: skip

TABLES: dict[str, pa.Schema] = {
    "shards": SHARDS, "readings": READINGS, "samples": SAMPLES, "usage": USAGE, "gaps": GAPS,
    "runs": RUNS, "jobs": JOBS, "accounting": ACCOUNTING, "shares": SHARES, "results": RESULTS,
    "confirmations": CONFIRMATIONS,
}  # fmt: skip

#: The column whose UTC day a row is filed under; a table that is not here is one file.
DAY_COLUMN: dict[str, str] = {
    "shards": "ended_at", "readings": "at", "samples": "at", "usage": "hour", "gaps": "to_at",
    "runs": "ended_at", "jobs": "ended_at", "accounting": "ended_at", "shares": "day",
}  # fmt: skip

#: What a table's rows are sorted by, and by which at most one row exists. A run's id is one job's; where two
#: jobs have the same by what shards say, each has a run of its own.
KEYS: dict[str, tuple[str, ...]] = {
    "shards": ("cluster", "run_id", "raw_job_id", "node", "started_at", "part"),
    "readings": ("cluster", "node", "gpu_uuid", "at", "uptime_microseconds", "segment", "run_id",
                 "raw_job_id", "started_at", "kind", "part"),
    "samples": ("cluster", "node", "gpu_uuid", "at", "uptime_microseconds", "run_id"),
    "usage": ("cluster", "run_id", "raw_job_id", "node", "started_at", "gpu_uuid", "hour"),
    "gaps": ("cluster", "node", "gpu_uuid", "to_at", "segment", "to_uptime_microseconds"),
    "runs": ("cluster", "run_id", "raw_job_id", "started_at"),
    "jobs": ("cluster", "raw_job_id", "started_at"),
    "accounting": ("cluster", "raw_job_id", "started_at", "submitted_at"),
    "shares": ("cluster", "account", "day"),
    "results": ("submission_id", "digest"),
    "confirmations": ("submission_id", "digest"),
}  # fmt: skip

#: Of a table's keys the one up to which few of its rows are alike.
TELLING: dict[str, str] = {"readings": "at", "gaps": "to_at"}
