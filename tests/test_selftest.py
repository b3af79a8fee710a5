"""`sam-cluster selftest`: passes on the stand-in, fails where the agent's arithmetic is broken."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from sam_cluster.core.config import Config
from sam_cluster.core.model import Quality
from sam_cluster.selftest.cases import CASES, Case
from sam_cluster.selftest.flow import selftest
from sam_cluster.selftest.stages import Finding, Stage, judged
from sam_cluster.standin.standin import Standin

STEADY = CASES[0]

#: `sam-agent` with one thing that its arithmetic rests on replaced.
DOCTORED = """\
import sys
from sam_cluster.agent import {module} as module
from sam_cluster.agent.main import main
{change}
sys.exit(main())
"""
#: A counter that is read 2 % too high.
READS_TOO_MUCH = (
    "nvml",
    """
count = module.Nvml._count
def _count(*about):
    at, millijoules = count(*about)
    return at, millijoules * 102 // 100
module.Nvml._count = _count
""",
)
#: The counter as it was read is right, and 3 % too high once it is brought to an event.
BRINGS_TOO_FAR = (
    "meter",
    """
from dataclasses import replace
bring = module.bring_to
def bring_to(*about):
    brought = bring(*about)
    return replace(brought, energy_millijoules=brought.energy_millijoules * 103 // 100)
module.bring_to = bring_to
""",
)
#: The second meter's constant is off by a tenth.
INTEGRATES_TOO_MUCH = (
    "meter",
    """
from sam_cluster.energy import series
series.HALF_NANOJOULES_PER_MILLIJOULE = 1_800_000
""",
)


def command(*words: object, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sam_cluster", "selftest", *map(str, words)],
        capture_output=True, text=True, timeout=110, env={**os.environ, **environ},
    )  # fmt: skip


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory that any user may go through, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="sst-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_every_stage_of_every_case_is_within_its_bound() -> None:
    done = command("--seconds", 8, "--format", "json")
    findings = json.loads(done.stdout)
    assert [each for each in findings if not each["passed"]] == []
    assert done.returncode == 0
    assert {each["case"] for each in findings} == {case.name for case in CASES}
    assert {each["stage"] for each in findings} == set(Stage)
    figures = [each for each in findings if each["stage"] == "shard"]
    assert all(each["expected_millijoules"] > 500_000 for each in figures)
    assert all(abs(each["error_millijoules"]) <= each["bound_millijoules"] for each in figures)


@pytest.mark.parametrize(
    ("doctoring", "stages"),
    [
        (READS_TOO_MUCH, {Stage.READING, Stage.SHARD}),
        (BRINGS_TOO_FAR, {Stage.SHARD}),
        (INTEGRATES_TOO_MUCH, {Stage.INTEGRAL}),
    ],
    ids=["reads too much", "brings too far", "integrates too much"],
)
def test_it_fails_where_the_agents_arithmetic_is_broken(
    root: Path, doctoring: tuple[str, str], stages: set[Stage]
) -> None:
    module, change = doctoring
    agent = root / "doctored.py"
    agent.write_text(DOCTORED.format(module=module, change=change))
    words = (sys.executable, str(agent))
    node = root / "node"
    node.mkdir(mode=0o755)
    findings = selftest(node, Config(), lambda text: None, seconds=6, agent=words, cases=[STEADY])
    assert {each.stage for each in findings if not each.passed} >= stages
    by_stage = {each.stage: each for each in findings}
    assert by_stage[Stage.EVENT].passed and by_stage[Stage.TABLES].passed


def test_a_figure_passes_up_to_its_bound_and_a_missing_one_never() -> None:
    def passes(got: int | None) -> bool:
        return judged(STEADY, Stage.SHARD, Fraction(1_000), got, 10).passed

    assert passes(990) and passes(1_010)
    assert not passes(989) and not passes(1_011) and not passes(None)
    missing: Finding = judged(STEADY, Stage.SHARD, 1_000, None, 10)
    assert missing.error_millijoules is None


def test_each_case_can_be_told_by_its_name_and_says_how_good_its_figure_is() -> None:
    cases: tuple[Case, ...] = CASES
    assert len({case.name for case in cases}) == len(cases)
    assert {case.quality for case in cases} == set(Quality) - {Quality.UNKNOWN}


def test_without_a_compiler_it_is_a_line_that_says_what_to_install(tmp_path: Path) -> None:
    done = command(PATH=str(tmp_path))
    assert done.returncode == 1
    assert "no C compiler" in done.stderr and "Traceback" not in done.stderr


def test_what_it_keeps_must_not_lie_on_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    done = command("--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not empty" in done.stderr


def test_the_two_meters_of_a_gpu_are_put_beside_each_other(tmp_path: Path) -> None:
    standin = Standin.create(tmp_path / "state", gpus=2, averages_power=0)
    standin.constant(1, 300_000)
    standin.set_counter(1, step_us=50_000)
    words = ("--gpu", standin.uuid(1), "--seconds", 5, "--format", "csv")
    done = command(*words, **standin.environment())
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert done.returncode == 0, done.stderr
    assert row["agree"] in ("True", "true")
    seconds = float(row["seconds"])
    assert int(row["counter_millijoules"]) == pytest.approx(300_000 * seconds, abs=16_000)
    assert int(row["power_millijoules"]) == pytest.approx(300_000 * seconds, rel=0.01)
    assert 45_000 <= int(row["counter_step_microseconds"]) <= 75_000

    standin.set_counter(1, gain_ppm=2_000_000)
    doubled = command(*words[:2], "--seconds", 8, **standin.environment())
    assert doubled.returncode == 1
    assert "What this cannot tell" in doubled.stdout

    standin.configure(1, supports_energy=0)
    lacking = command(*words, **standin.environment())
    assert lacking.returncode == 3

    unknown = command("--gpu", "GPU-none", **standin.environment())
    assert unknown.returncode == 1
    assert standin.uuid(0) in unknown.stderr and "Traceback" not in unknown.stderr
