"""sam-cluster doctor: each thing that can be wrong is named, with how to mend it."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

import pytest

from sam_cluster.cli import doctor_node
from sam_cluster.cli.doctor_node import check_node, check_nvml
from sam_cluster.cli.doctor_slurm import check_slurm, settings_of
from sam_cluster.cli.doctor_store import check_store
from sam_cluster.cli.findings import Finding, Status
from sam_cluster.cli.slurm_commands import Answer, Ask, asking
from sam_cluster.core.config import Config
from sam_cluster.resources import directory
from tests.unit.cli.stores import make_store, run
from tests.unit.report.month import ROWS

OK, WRONG, ADVICE, SKIPPED = Status.OK, Status.WRONG, Status.ADVICE, Status.SKIPPED


def answering(answer: Answer) -> Ask:
    def ask(words: Sequence[str]) -> Answer:
        return answer

    return ask


def found(findings: Sequence[Finding], check: str) -> Finding:
    return next(finding for finding in findings if finding.check == check)


# --- Slurm --------------------------------------------------------------------------------------------

GOOD = {
    "AccountingStorageTRES": "cpu,mem,energy,node,billing,fs/disk,vmem,pages,gres/gpu",
    "ClusterName": "lab",
    "Epilog": str(directory("slurm") / "epilog.sh"),
    "PrivateData": "none",
    "Prolog": str(directory("slurm") / "prolog.sh"),
    "PrologEpilogTimeout": "60",
    "PrologFlags": "Alloc,Contain",
    "SLURM_VERSION": "22.05.8",
}


def slurm(**changes: str | None) -> list[Finding]:
    settings = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    text = "Configuration data as of 2026-11-02T10:00:00\n"
    text += "".join(f"{name:<24}= {value}\n" for name, value in settings.items())
    return list(check_slurm(Config(cluster_name="lab"), answering(Answer(0, text))))


def test_a_right_slurm_conf_has_nothing_to_mend() -> None:
    assert {(finding.status, finding.mend) for finding in slurm()} == {(OK, "")}


@pytest.mark.parametrize(
    ("check", "setting", "value", "status", "mend"),
    [
        ("PrologFlags", "PrologFlags", "(null)", WRONG, "PrologFlags=Alloc,Contain"),
        ("PrologFlags", "PrologFlags", "Serial", WRONG, "PrologFlags=Alloc,Contain"),
        ("PrologFlags RunInJob", "PrologFlags", "RunInJob", ADVICE, "systemd"),
        ("Prolog", "Prolog", "(null)", WRONG, "Prolog=/"),
        ("Prolog", "Prolog", "/bin/true", WRONG, "Prolog=/"),
        ("Epilog", "Epilog", None, WRONG, "Epilog=/"),
        ("Epilog", "Epilog", "/nowhere/epilog", SKIPPED, "on a GPU node"),
        ("PrologEpilogTimeout", "PrologEpilogTimeout", "65534", ADVICE, "PrologEpilogTimeout=60"),
        ("PrologEpilogTimeout", "PrologEpilogTimeout", None, ADVICE, "PrologEpilogTimeout=60"),
        ("AccountingStorageTRES", "AccountingStorageTRES", "cpu,mem", WRONG, "gres/gpu"),
        ("AccountingStorageTRES", "GresTypes", "gpu,mps,shard", WRONG, "gres/gpu,gres/mps,gres/shard"),
        ("PrivateData", "PrivateData", "jobs,usage", ADVICE, "operator"),
        ("cluster name", "ClusterName", "other", WRONG, "ClusterName"),
    ],
)
def test_what_is_wrong_in_slurm_conf_is_named_with_how_to_mend_it(
    check: str, setting: str, value: str | None, status: Status, mend: str
) -> None:
    finding = found(slurm(**{setting: value}), check)
    assert finding.status is status
    assert mend in finding.mend


def test_a_prolog_that_calls_ours_is_ours_and_so_is_one_of_several(tmp_path: Path) -> None:
    script = tmp_path / "90-site"
    script.write_text("#!/bin/sh\n/opt/sam-cluster/slurm/prolog.sh\n")
    (tmp_path / "50-other").write_text("#!/bin/sh\nexit 0\n")
    assert found(slurm(Prolog=f"{tmp_path}/*"), "Prolog").status is OK
    several = {"Prolog": None, "Prolog[0]": f"{tmp_path}/50-other", "Prolog[1]": str(script)}
    assert found(slurm(**several), "Prolog").status is OK
    script.unlink()
    assert found(slurm(Prolog=f"{tmp_path}/*"), "Prolog").status is WRONG


def test_a_hook_that_cannot_be_run_is_wrong_for_slurmd_drains_the_node(tmp_path: Path) -> None:
    script = tmp_path / "sam-cluster-epilog.sh"
    script.write_bytes((directory("slurm") / "epilog.sh").read_bytes())
    script.chmod(0o644)
    assert found(slurm(Epilog=str(script)), "Epilog can be run").status is WRONG
    script.chmod(0o755)
    assert {finding.status for finding in slurm(Epilog=str(script))} == {OK}


@pytest.mark.parametrize(
    ("name", "ours", "other", "is_right"),
    [
        ("Prolog", "00-sam-cluster", "50-reset-gpus", True),
        ("Prolog", "zz-sam-cluster", "50-reset-gpus", False),
        ("Epilog", "zz-sam-cluster", "50-reset-gpus", True),
        ("Epilog", "00-sam-cluster", "50-reset-gpus", False),
    ],
)
def test_among_several_hooks_ours_is_the_last_prolog_and_the_first_epilog(
    tmp_path: Path, name: str, ours: str, other: str, is_right: bool
) -> None:
    # slurmd runs them from Z to A, and stops at the first that fails.
    (tmp_path / ours).write_bytes((directory("slurm") / f"{name.lower()}.sh").read_bytes())
    (tmp_path / other).write_text("#!/bin/sh\nexit 0\n")
    for script in tmp_path.iterdir():
        script.chmod(0o755)
    findings = slurm(**{name: f"{tmp_path}/*"})
    assert [f.status for f in findings if f.check == f"{name} order"] == ([] if is_right else [ADVICE])


def test_a_slurm_that_is_not_here_is_skipped_and_one_that_does_not_answer_is_wrong() -> None:
    config = Config()
    assert [f.status for f in check_slurm(config, answering(Answer(None, err="scontrol: gone")))] == [SKIPPED]
    assert [f.status for f in check_slurm(config, answering(Answer(1, err="error: no controller")))] == [
        WRONG
    ]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(
            1,
            err="scontrol: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n"
            "scontrol: error: fetch_config: DNS SRV lookup failed\n"
            "scontrol: fatal: Could not establish a configuration source\n",
        ),
        Answer(
            None, err="scontrol did not answer in 10 s: s_p_parse_file: cannot stat file /x/slurm.conf: No"
        ),
        Answer(1, err="scontrol: fatal: Unable to process configuration file"),
    ],
)
def test_that_there_is_no_slurm_conf_is_said_in_plain_words(answer: Answer) -> None:
    (finding,) = check_slurm(Config(), answering(answer))
    assert (finding.status, finding.found) == (WRONG, "there is no slurm.conf here that can be read")
    assert "SLURM_CONF" in finding.mend


def test_what_a_command_said_that_ran_out_of_time_is_kept(tmp_path: Path) -> None:
    script = tmp_path / "scontrol"
    script.write_text("#!/bin/sh\necho 'cannot stat file' >&2\nexec sleep 60\n")
    script.chmod(0o755)
    answer = asking(os.environ, timeout_seconds=0.5)([str(script)])
    assert answer.code is None
    assert answer.err.endswith("did not answer in 0.5 s: cannot stat file")


def test_settings_are_read_as_scontrol_writes_them() -> None:
    assert settings_of("Prolog[0]               = /a=b\nnonsense\nPluginDir = \n") == {
        "Prolog[0]": "/a=b",
        "PluginDir": "",
    }


# --- the store ----------------------------------------------------------------------------------------

ME = pwd.getpwuid(os.getuid()).pw_name


def config_of(root: Path) -> Config:
    return Config(store=root, publish_as=ME)


def checks(findings: Sequence[Finding]) -> dict[str, Status]:
    return {finding.check: finding.status for finding in findings if finding.check != "service user"}


def test_a_store_that_was_aggregated_into_is_right(tmp_path: Path) -> None:
    findings = list(check_store(config_of(make_store(tmp_path / "store", ROWS))))
    assert set(checks(findings).values()) == {OK}


def test_a_store_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    assert checks(list(check_store(config_of(tmp_path / "none")))) == {"store": WRONG}


def test_a_user_that_does_not_exist_is_wrong(tmp_path: Path) -> None:
    findings = list(check_store(Config(store=tmp_path, publish_as="no-such-user")))
    assert found(findings, "service user").status is WRONG
    assert "useradd --system no-such-user" in found(findings, "service user").mend


@pytest.mark.parametrize(
    ("name", "mode", "check"),
    [("submissions", 0o777, "submissions"), ("inbox", 0o777, "inbox"), ("tables", 0o770, "tables")],
)
def test_a_directory_that_others_may_write_to_is_wrong(
    name: str, mode: int, check: str, tmp_path: Path
) -> None:
    store = make_store(tmp_path / "store", ROWS)
    (store / name).chmod(mode)
    finding = found(list(check_store(config_of(store))), check)
    assert (finding.status, f"mode {mode:o}" in finding.found) == (WRONG, True)


def test_a_link_in_place_of_a_directory_is_wrong(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", ROWS)
    (store / "inbox").rmdir()
    (store / "inbox").symlink_to(tmp_path)
    assert found(list(check_store(config_of(store))), "inbox").status is WRONG


def test_what_lies_in_quarantine_is_counted(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", ROWS)
    (store / "quarantine" / "n1.7.0-1.0.parquet").write_bytes(b"torn")
    finding = found(list(check_store(config_of(store))), "quarantined files")
    assert (finding.status, finding.found) == (ADVICE, "1 files that could not be taken")


def test_a_commit_that_cannot_be_read_is_wrong(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", ROWS)
    for commit in (store / "tables" / "commits").iterdir():
        commit.write_text("{")
    assert found(list(check_store(config_of(store))), "tables can be read").status is WRONG


# --- the node -----------------------------------------------------------------------------------------


def nvml(*has_counter: bool) -> Ask:
    gpus = [{"uuid": f"GPU-{n}", "has_counter": each} for n, each in enumerate(has_counter)]
    return answering(Answer(0, json.dumps({"driver_version": "550.54", "gpus": gpus})))


def test_gpus_with_counters_are_right_and_one_without_is_told() -> None:
    assert checks(list(check_nvml(nvml(True, True)))) == {"NVML": OK, "energy counter": OK}
    findings = list(check_nvml(nvml(True, False)))
    assert found(findings, "energy counter").found == "1 of 2 GPUs without one"


def test_a_driver_that_does_not_answer_is_wrong_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = answering(Answer(None, err="python did not answer in 10 s"))
    monkeypatch.setattr(doctor_node, "CONTROL_DEVICE", tmp_path / "none")
    assert checks(list(check_nvml(hung))) == {"NVML": SKIPPED}
    monkeypatch.setattr(doctor_node, "CONTROL_DEVICE", tmp_path)
    assert checks(list(check_nvml(hung))) == {"NVML": WRONG}


def test_the_agents_directories_are_roots_alone(tmp_path: Path) -> None:
    config = Config(spool=tmp_path / "spool", events=tmp_path / "events")
    (tmp_path / "spool" / "journal").mkdir(parents=True)
    (tmp_path / "spool").chmod(0o711)
    (tmp_path / "spool" / "journal").chmod(0o755)
    findings = checks(list(check_node(config, nvml(True))))
    assert (findings["spool"], findings["journal"], findings["events"]) == (OK, WRONG, OK)
    assert findings["events of the hooks"] is ADVICE  # the hooks know nothing of the configuration


# --- the command --------------------------------------------------------------------------------------


def test_doctor_gives_exit_code_3_where_something_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"PATH": "/nonexistent"}
    assert run("doctor", "--store", str(tmp_path / "none"), "--format", "json", environ=environ) == 3
    rows = json.loads(capsys.readouterr().out)
    assert {tuple(row) for row in rows} == {("check", "status", "found", "mend")}
    assert {"check": "Slurm", "status": "skipped"}.items() <= next(
        r for r in rows if r["check"] == "Slurm"
    ).items()


def test_doctor_gives_exit_code_0_where_nothing_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    store = make_store(tmp_path / "store", ROWS)
    service = next(user.pw_name for user in pwd.getpwall() if user.pw_uid == (os.getuid() or 1))
    config.write_text(f'[paths]\nstore = "{store}"\n[agent]\npublish_as = "{service}"\n')
    if os.getuid() == 0:
        for path in (store, *store.iterdir()):
            os.chown(path, pwd.getpwnam(service).pw_uid, -1)
    assert run("doctor", "--config", str(config), environ={"PATH": "/nonexistent"}) == 0
    assert "wrong" not in capsys.readouterr().out


def test_doctor_says_which_line_of_the_configuration_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[paths]\nstor = '/x'\n")
    assert run("doctor", "--config", str(config), environ={}) == 3
    assert "line 2: unknown key 'stor'" in capsys.readouterr().out
