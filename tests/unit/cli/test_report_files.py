"""Whose a report's files are, and who may read them."""

from __future__ import annotations

import grp
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sam_cluster.cli.report_files import MOST_NAMED, Access, access_of_lab, remarks, write

NOBODY = 65534


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def a_group() -> grp.struct_group:
    """A group that the caller may give files to: of all, where the caller is root."""
    mine = {os.getegid(), *os.getgroups()}
    return next(g for g in grp.getgrall() if (g.gr_gid in mine) != (os.geteuid() == 0))


def test_files_of_a_lab_with_a_unix_group_are_the_groups_and_nobody_elses(tmp_path: Path) -> None:
    group = a_group()
    (path,) = write({"page.html": b"x"}, tmp_path, access_of_lab(group.gr_name))
    assert (path.stat().st_gid, mode_of(path)) == (group.gr_gid, 0o640)


@pytest.mark.parametrize("lab", ["no such lab", "", "../x", "a:b", "\x00", "x" * 10_000, "é\u202e"])
def test_without_such_a_group_the_umask_decides_and_it_is_said(tmp_path: Path, lab: str) -> None:
    before = os.umask(0o027)
    access = access_of_lab(lab)
    try:
        (path,) = write({"page.html": b"x"}, tmp_path, access)
    finally:
        os.umask(before)
    assert mode_of(path) == 0o640
    (said,) = remarks({lab: access})
    assert said.startswith("there is no unix group ") and said.isprintable() and len(said) < 300


def test_one_line_says_it_for_any_number_of_labs() -> None:
    labs = {f"lab{number}": Access() for number in range(MOST_NAMED + 5)}
    open_to, kept = remarks({**labs, "own": Access(mode=0o600), "given": Access(gid=7, mode=0o640)})
    assert "'lab0', 'lab1'" in open_to and f"'lab{MOST_NAMED - 1}' and 5 more: " in open_to
    assert kept.endswith("'own'")
    assert remarks({}) == remarks({"given": Access(gid=7, mode=0o640)}) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_files_that_the_caller_may_not_give_away_stay_the_callers_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    code = (
        "import sys; from pathlib import Path;"
        "from sam_cluster.cli.report_files import access_of_lab, remarks, write;"
        "access = access_of_lab(sys.argv[1]); print(*remarks({sys.argv[1]: access}));"
        f"write({{'page.html': b'x'}}, Path({str(tmp_path / 'out')!r}), access)"
    )
    for parent in tmp_path.parents:
        if parent.is_relative_to("/tmp/") and parent.stat().st_uid == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    out = tmp_path / "out"
    out.mkdir()
    os.chown(out, NOBODY, NOBODY)
    done = subprocess.run(
        [sys.executable, "-c", code, "root"], user=NOBODY, group=NOBODY, extra_groups=[],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert mode_of(out / "page.html") == 0o600
    assert "the files stay yours alone" in done.stdout


def test_a_file_has_never_more_readers_than_it_will_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = os.fchmod

    def fchmod(descriptor: int, mode: int) -> None:
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        real(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", fchmod)
    write({"page.html": b"x"}, tmp_path, Access(gid=os.getegid(), mode=0o640))
    assert seen == [0o600]
