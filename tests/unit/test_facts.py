"""What is read of a hook's environment, as real and documented releases of Slurm give it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.agent.events import Event, parse_event
from sam_cluster.agent.facts import VARIABLES, run_facts
from sam_cluster.core.errors import EventError

RECORDED = Path(__file__).parents[1] / "data" / "environ"
HEADER = b"sam-event 1 prolog 12.34 11111111-2222-3333-4444-555555555555\n"
GPU = "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77"
MIG = "MIG-41b3359c-e721-56e5-8009-12e5797ed514"


def recorded(name: str) -> Event:
    return parse_event("1.event", HEADER + (RECORDED / f"22.05-{name}.environ").read_bytes(), 0)


@pytest.mark.parametrize(
    ("name", "job", "restart", "devices", "nodes"),
    [
        ("prolog-gpu-n1", 1, 0, ("0", "1"), 2),
        ("epilog-gpu-n2", 1, 0, ("0", "1"), 2),
        ("prolog-shard", 8, 0, ("0",), 1),
        ("prolog-nogpu", 7, 0, (), 1),
        ("prolog-requeue-1", 9, 1, ("0",), 1),
    ],
)
def test_a_recorded_environment_is_understood(
    name: str, job: int, restart: int, devices: tuple[str, ...], nodes: int
) -> None:
    facts = run_facts(recorded(name).environ)
    assert (facts.key.cluster, facts.key.job_id, facts.key.restart) == ("bench", job, restart)
    assert facts.key.sluid is None
    assert facts.devices == devices
    assert facts.nodes_expected == nodes
    assert facts.node in ("n1", "n2", "n3")


def test_a_part_of_a_heterogeneous_job_names_the_whole() -> None:
    facts = [run_facts(recorded(f"prolog-het-{part}").environ) for part in (0, 1)]
    assert facts[0].het_job_id == facts[1].het_job_id
    assert facts[0].key.job_id != facts[1].key.job_id


def test_the_first_epilog_of_a_requeued_run_counts_one_more_than_its_prolog() -> None:
    prolog, epilog = (run_facts(recorded(f"{kind}-requeue-0").environ) for kind in ("prolog", "epilog"))
    assert (prolog.key.restart, epilog.key.restart) == (0, 1)


def test_what_a_user_writes_into_a_comment_is_not_read() -> None:
    event = recorded("prolog-comment")
    assert b"SLURM_JOB_USER=root" in (RECORDED / "22.05-prolog-comment.environ").read_bytes()
    assert run_facts(event.environ).user == "carol"
    assert run_facts(event.environ).key.job_id == 5
    assert set(event.environ) <= set(VARIABLES)
    assert not {"COMMENT", "WORK_DIR", "STDIN", "STDOUT", "EXTRA"} & {
        name.removeprefix("SLURM_JOB_") for name in VARIABLES
    }


#: The GPUs' variables as each release gives them (CUDA_VISIBLE_DEVICES, SLURM_JOB_GPUS).
RELEASES = [
    pytest.param("0,1", "0,1", ("0", "1"), id="22.05 and 24.11: indices"),
    pytest.param("0,1,2,3", "0-3", ("0", "1", "2", "3"), id="a range"),
    pytest.param(f"{GPU}", "2", (GPU,), id="25.11 with AutoDetect=nvml: UUIDs"),
    pytest.param("2", "2", ("2",), id="25.11 without"),
    pytest.param(f"{MIG},{MIG[:-1]}5", "0,1", (MIG, f"{MIG[:-1]}5"), id="MIG"),
    pytest.param("MIG-GPU-5d5ba0d6/1/0", "0", ("MIG-GPU-5d5ba0d6/1/0",), id="MIG before driver 470"),
    pytest.param("1", "", ("1",), id="only CUDA_VISIBLE_DEVICES"),
    pytest.param("NoDevFiles", "", (), id="no GPUs"),
    pytest.param("", "0,nonsense", ("0", "nonsense"), id="a word that names nothing"),
]


@pytest.mark.parametrize(("visible", "indices", "devices"), RELEASES)
def test_the_words_that_name_gpus_are_found(visible: str, indices: str, devices: tuple[str, ...]) -> None:
    environ = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": visible, "SLURM_JOB_GPUS": indices}
    assert run_facts(environ).devices == devices


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("64", 64),
        ("64(x4)", 64),
        ("64,32", None),
        ("64(x2),32", None),
        ("", None),
        ("-1", None),
        ("9" * 9, None),
    ],
)
def test_cpus_are_those_of_this_node_where_all_have_as_many(text: str, cpus: int | None) -> None:
    assert run_facts({"SLURM_JOB_ID": "7", "SLURM_JOB_CPUS_PER_NODE": text}).cpus == cpus


@pytest.mark.parametrize(
    ("text", "is_exclusive"), [("NO", True), ("OK", False), ("YES", False), ("USER", False), ("", False)]
)
def test_a_node_is_a_jobs_own_where_it_is_not_shared_at_all(text: str, is_exclusive: bool) -> None:
    assert run_facts({"SLURM_JOB_ID": "7", "SLURM_JOB_OVERSUBSCRIBE": text}).is_exclusive == is_exclusive


def test_a_sluid_is_the_run_from_25_11_on() -> None:
    environ = {"SLURM_JOB_ID": "7", "SLURM_JOB_SLUID": "sD6X0WQ4EGR00"}
    assert run_facts(environ).key.run_id == "sD6X0WQ4EGR00"
    assert run_facts(environ | {"SLURM_JOB_SLUID": "../etc"}).key.run_id == "7.0"


@pytest.mark.parametrize("job_id", ["", "0", "-1", "7\n8", "seven", "٣", "1" * 19])
def test_without_a_job_id_there_is_no_run(job_id: str) -> None:
    with pytest.raises(EventError, match="no job id"):
        run_facts({"SLURM_JOB_ID": job_id})


@pytest.mark.parametrize("name", ["../n1", "/etc", ".hidden", "n1/x", "n\n1", "", "x" * 129])
def test_a_name_that_is_no_name_is_no_part_of_a_path(name: str) -> None:
    facts = run_facts({"SLURM_JOB_ID": "7", "SLURMD_NODENAME": name, "SLURM_CLUSTER_NAME": name})
    assert facts.node is None
    assert facts.key.cluster == "cluster"


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(st.characters(codec="utf-8"), max_size=40)))
def test_whatever_an_environment_holds_it_is_a_run_or_no_event(environ: dict[str, str]) -> None:
    try:
        facts = run_facts(environ)
    except EventError:
        return
    assert 0 < facts.key.job_id < 10**18
    assert all(0 < len(word) <= 128 and min(word) >= " " for word in facts.devices)
    assert len(facts.devices) <= 64
