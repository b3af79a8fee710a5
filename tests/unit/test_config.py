"""The configuration: what it may hold, and what is said of what it may not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sam_cluster.core.config import Config, Group, load, locate, parse
from sam_cluster.core.errors import ConfigError

WHOLE = """
[cluster]
name = "lab"
[paths]
spool = "/var/lib/sam-cluster"
store = "/shared/sam-cluster"
[agent]
interval_seconds = 5
publish_as = "meter"
[gpus]
0 = "/dev/nvidia3"
1 = "GPU-0a1b2c3d-0000-0000-0000-000000000000"
[sam]
alpha = 2
unit = "Wh"
scope = "facility"
[[groups.vision]]
accounts = ["vision", "cv-*"]
members = 12
share = 0.25
from = 2026-01-01
[[groups.vision]]
accounts = ["vision"]
coordinators = ["ada"]
from = 2026-06-01
[groups.nlp]
[tasks.imagenet-1k]
metric = "top-1"
aliases = ["imagenet"]
[tasks.depth]
metric = "AbsRel"
lower_is_better = true
[report]
timezone = "Europe/London"
pue = 1.2
"""


def test_an_empty_file_is_a_configuration() -> None:
    assert parse("") == Config()


def test_every_key_of_the_design_is_read() -> None:
    config = parse(WHOLE)
    assert (config.cluster_name, config.publish_as, config.interval_seconds) == ("lab", "meter", 5.0)
    assert config.gpus == {0: "/dev/nvidia3", 1: "GPU-0a1b2c3d-0000-0000-0000-000000000000"}
    assert (config.alpha, config.beta, config.unit) == (2.0, 5.0, "Wh")
    assert Group(name="nlp", accounts=("nlp",)) in config.groups
    assert config.task_named("imagenet").name == "imagenet-1k"
    assert (config.task_named("depth").lower_is_better, config.task_named("imagenet").lower_is_better) == (
        True,
        False,
    )
    assert (config.sam_scope, config.electricity_factor) == ("facility", 1.2)
    assert (config.timezone, config.pue) == ("Europe/London", 1.2)


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("[cluster]\nnmae = 'x'", 2, "nmae"),
        ("\n\n[clusters]\nname = 'x'", 3, "clusters"),
        ("[agent]\ninterval_seconds = 0", 2, "interval_seconds"),
        ('[agent]\nhost_energy = "yes"', 2, "host_energy"),
        ('[paths]\npowercap = "sys"', 2, "powercap"),
        ("[store]\nkeep_samples_days = 0", 2, "keep_samples_days"),
        ("[store]\ntables = '/shared/tables'", 2, "s3://bucket/prefix"),
        ("[store]\ntables = 's3://'", 2, "s3://bucket/prefix"),
        ("[store]\ntables = 's3://b/p'", 2, "3 to 63"),
        ("[store]\ntables = 's3://lab/../x'", 2, "s3://bucket/prefix"),
        ("[store]\ntables = 's3://lab?key=secret'", 2, "s3://bucket/prefix"),
        ("[store]\nsingle_writer = 1", 2, "true or false"),
        ("[agent]\ninterval_seconds = inf", 2, "interval_seconds"),
        ("[report]\n\npue = 0.9", 3, "pue"),
        ("[sam]\nunit = 'BTU'", 2, "unit"),
        ("[report]\ncurrency = 'pounds sterling'", 2, "currency"),
        ('[report]\ncurrency = "\\u202e$"', 2, "currency"),
        ("[paths]\nstore = 'relative'", 2, "store"),
        ("[groups.a]\nmembers = 3\n[groups.b]\nmembers = 0", 4, "members"),
        ("[groups.a]\nshare = 1.5", 2, "share"),
        ("[sam]\n[groups.'a/b.c']\nshare = 1.5", 3, "share"),
        ('[sam]\n[groups.""]\nshare = 1.5', 3, "share"),
        ("[groups.a]\nfrom = '2026-01-01'", 2, "from"),
        ("[tasks.t]\nmetrics = 'x'", 2, "metrics"),
        ("[tasks.t]\nlower_is_better = 'yes'", 2, "lower_is_better"),
        ("[groups.a]\ncoordinators = 'ada'", 2, "coordinators"),
        ("[sam]\nscope = 'building'", 2, "scope"),
        ("[sam]\n\nscope = 'facility'", 3, "needs pue in [report]"),
        ("[gpus]\n0 = '/etc/passwd'", 2, "0"),
        ("[gpus]\nfirst = '/dev/nvidia0'", 2, "first"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(text: str, line: int, named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, Path("/etc/sam-cluster/config.toml"))
    assert f"/etc/sam-cluster/config.toml, line {line}:" in str(refused.value)
    assert named in str(refused.value)


def test_energy_beside_the_gpus_is_off_unless_it_is_asked_for() -> None:
    assert not parse("").host_energy
    config = parse('[agent]\nhost_energy = true\n[paths]\npowercap = "/fake/powercap"')
    assert config.host_energy
    assert config.powercap == Path("/fake/powercap")


def test_a_bucket_is_of_the_store_that_is_configured_and_of_no_other(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[paths]\nstore = "/shared/one"\n[store]\ntables = "s3://lab/tables/"\n')
    for environ, tables in (
        ({}, "s3://lab/tables"),
        ({"SAM_CLUSTER_STORE": "/shared/one/"}, "s3://lab/tables"),
        ({"SAM_CLUSTER_STORE": "/shared/two"}, None),
    ):
        assert load(environ, path).tables == tables


def test_models_of_gpus_are_calibrated_by_name() -> None:
    text = '[calibration]\n"NVIDIA A100-SXM4-80GB" = 0.02\nH100 = 0\n'
    assert parse(text).calibration == {"NVIDIA A100-SXM4-80GB": 0.02, "H100": 0.0}
    with pytest.raises(ConfigError, match=r"line 2: 'A100' in \[calibration\] must be a fraction"):
        parse("[calibration]\nA100 = 2\n")


def test_what_is_no_toml_is_refused_with_the_place() -> None:
    with pytest.raises(ConfigError, match="line 2"):
        parse("[cluster]\nname = lab\n")


def test_an_account_belongs_to_the_lab_that_had_it_on_the_day() -> None:
    config = parse(WHOLE)
    assert config.group_of("cv-video", date(2026, 3, 1)) == "vision"
    assert config.group_of("vision", date(2026, 7, 1)) == "vision"
    assert config.group_of("nobodys") == "nobodys"
    assert config.group_of(None) is None


def test_a_coordinator_is_one_of_the_lab_that_had_the_account_on_the_day() -> None:
    config = parse(WHOLE)
    assert config.coordinators_of("vision", date(2026, 7, 1)) == ("ada",)
    assert config.coordinators_of("vision", date(2026, 5, 31)) == ()
    assert config.coordinators_of("vision") == ("ada",)
    assert config.coordinators_of("nobodys") == config.coordinators_of(None) == ()


def test_the_scope_of_sam_is_the_gpus_where_nothing_is_said() -> None:
    assert parse("[report]\npue = 1.5").electricity_factor == 1.0


def test_a_flag_stands_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.toml", tmp_path / "other.toml"
    mine.write_text("[paths]\nstore = '/mine'")
    other.write_text("[paths]\nstore = '/other'")
    environ = {"SAM_CLUSTER_CONFIG": str(other)}
    assert load(environ).store == Path("/other")
    assert load(environ, mine).store == Path("/mine")
    assert load({**environ, "SAM_CLUSTER_STORE": "/third"}).store == Path("/third")


def test_a_node_name_that_is_no_name_names_no_file() -> None:
    assert locate({"SLURMD_NODENAME": "../../tmp/evil"}) is None


def test_a_file_that_cannot_be_read_is_an_error_and_not_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load({"SAM_CLUSTER_CONFIG": str(tmp_path / "none.toml")})
