"""What sshare prints, as each account's part of the cluster."""

from __future__ import annotations

import subprocess
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_cluster.accounting.sshare import SshareSource
from sam_cluster.accounting.sshare_text import parse
from sam_cluster.core.errors import AccountingUnavailable

#: As Slurm 22.05 prints it: `sshare -a -P -n --format=Cluster,Account,User,RawShares,NormShares`.
PRINTED = b"""\
lab|root|||0.000000
lab| root|root|1|0.009901
lab| science||60|0.594059
lab|  bio||20|0.333333
lab|   bio|pia|1|1.000000
lab|  chem||30|0.500000
lab|  science|eva|10|0.166667
lab| vision||40|0.396040
lab|  vision|ada|1|0.500000
lab|  vision|bo|1|0.500000
"""


def shares(printed: bytes = PRINTED) -> dict[str, tuple[float | None, float | None]]:
    return {share.account: (share.cluster_share, share.own_share) for share in parse(printed)}


def test_a_part_of_the_cluster_is_the_product_of_the_parts_of_each_level() -> None:
    found = shares()
    assert found["vision"] == pytest.approx((0.4, 0.4))
    assert found["bio"] == pytest.approx((0.6 * 20 / 60, 0.6 * 20 / 60))


def test_what_sub_accounts_do_not_have_is_the_accounts_own_people() -> None:
    assert shares()["science"] == pytest.approx((0.6, 0.6 * 10 / 60))


def test_slurms_own_user_below_the_root_takes_no_part() -> None:
    assert sum(own for _, own in shares().values() if own is not None) == pytest.approx(1.0)


def test_an_account_with_its_parents_shares_has_none_of_its_own() -> None:
    found = shares(PRINTED.replace(b"lab|  chem||30|", b"lab|  chem||parent|"))
    assert found["chem"] == (None, None)
    assert found["bio"] == pytest.approx((0.6 * 20 / 30,) * 2)


def test_parents_are_read_from_the_tree() -> None:
    assert {share.account: share.parent for share in parse(PRINTED)} == {
        "bio": "science", "chem": "science", "science": "root", "vision": "root",
    }  # fmt: skip


def test_nothing_printed_is_no_shares() -> None:
    assert parse(b"") == []


def test_without_fair_share_slurm_prints_raw_shares_that_nobody_granted() -> None:
    """As Slurm 22.05 prints it with PriorityType=priority/basic."""
    assert parse(b"bench|root|||\nbench| root|root|1|\nbench| bio||1|\nbench|  bio|carol|1|\n") == []


@pytest.mark.parametrize(
    "printed",
    [
        b"lab|root||1\n",
        b"lab|root|||1.0\nlab| a|b||40|0.4\n",
        b"lab|root|||1.0\nlab|   vision||40|0.4\n",
        b"lab|root|||1.0\nlab| vision||many|0.4\n",
    ],
)
def test_a_tree_with_a_row_that_cannot_be_read_says_nothing(printed: bytes) -> None:
    with pytest.raises(AccountingUnavailable, match="sshare printed"):
        parse(printed)


@st.composite
def trees(draw: st.DrawFn) -> bytes:
    """A tree of accounts, each with the raw shares of its own and perhaps with people of its own."""
    lines = ["lab|root|||0.000000", "lab| root|root|1|0.5"]
    number = 0

    def grow(depth: int) -> None:
        nonlocal number
        for _ in range(draw(st.integers(1 if depth == 1 else 0, 3))):
            number += 1
            name, blanks = f"a{number}", " " * depth
            lines.append(f"lab|{blanks}{name}||{draw(st.integers(1, 100))}|0.0")
            if draw(st.booleans()):
                lines.append(f"lab|{blanks} {name}|ada|{draw(st.integers(1, 5))}|0.0")
            if depth < 4:
                grow(depth + 1)

    grow(1)
    return "\n".join([*lines, ""]).encode()


@given(trees())
def test_what_all_accounts_have_of_their_own_is_the_whole_cluster(printed: bytes) -> None:
    found = parse(printed)
    assert sum(share.own_share or 0.0 for share in found) == pytest.approx(1.0)
    below: dict[str, float] = defaultdict(float)
    for share in found:
        below[share.parent] += share.cluster_share or 0.0
    for share in found:
        assert share.cluster_share == pytest.approx((share.own_share or 0.0) + below[share.account])


def failing(error: Exception) -> SshareSource:
    def run(command: object, environment: object) -> bytes:
        raise error

    return SshareSource({}, run)


def test_a_cluster_without_fair_share_has_no_shares_and_no_problem() -> None:
    said = b"You are not running a supported priority plugin\n(priority/basic).\n"
    assert failing(subprocess.CalledProcessError(1, "sshare", stderr=said)).shares() == []


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, "sshare", stderr=b"Unable to contact slurm controller"),
        FileNotFoundError("sshare"),
        subprocess.TimeoutExpired("sshare", 600),
    ],
)
def test_a_failing_sshare_is_unavailable(error: Exception) -> None:
    with pytest.raises(AccountingUnavailable, match="sshare"):
        failing(error).shares()


def test_slurms_variables_are_kept_from_it() -> None:
    seen = {}

    def run(command: list[str], environment: object) -> bytes:
        seen.update(command=command, environment=environment)
        return PRINTED

    source = SshareSource({"SLURM_CONF": "/c", "SLURM_CLUSTERS": "x", "PATH": "/bin"}, run)
    assert len(source.shares()) == 4
    assert seen == {
        "command": ["sshare", "-a", "-P", "-n", "--format=Cluster,Account,User,RawShares,NormShares"],
        "environment": {"SLURM_CONF": "/c", "PATH": "/bin"},
    }
