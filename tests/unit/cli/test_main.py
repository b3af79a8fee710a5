"""What holds for every command: help, errors, exit codes, and how little is loaded."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sam_cluster import __version__
from sam_cluster.cli import main as command_line
from sam_cluster.cli.demo import called_as
from sam_cluster.cli.main import COMMANDS, build_parser, main
from sam_cluster.core.errors import SamClusterError, StoreError, UsageError
from tests.unit.cli.stores import in_a_process, run

HEAVY = ("pandas", "dask", "distributed", "pyarrow", "numpy", "jinja2", "pynvml", "pyslurm")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"sam-cluster {__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"    {name}" not in shown] == []


@pytest.mark.parametrize("is_in_path", [True, False])
def test_the_program_is_named_as_it_was_called_and_in_short_where_it_is_in_path(
    is_in_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "sam-cluster"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path) if is_in_path else "/nowhere")
    monkeypatch.setattr(sys, "argv", [str(program), "demo"])
    assert called_as() == ["sam-cluster" if is_in_path else str(program)]
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "__main__.py"), "demo"])
    assert called_as() == [sys.executable, "-m", "sam_cluster"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    assert capsys.readouterr().out.startswith(f"usage: sam-cluster {name}")


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("jobs", "--nonsense"), ("score",), ("jobs", "--form", "json")]
)
def test_what_is_no_command_line_is_told_on_stderr_with_exit_code_2(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "usage:" in printed.err


def test_an_unknown_flag_is_told_with_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("jobs", "--nonsense") == 2
    printed = capsys.readouterr().err
    assert printed.startswith("usage: sam-cluster jobs")
    assert "--starttime" not in printed and "-S TIME" in printed
    assert printed.endswith("sam-cluster jobs: error: unrecognized arguments: --nonsense\n")


@pytest.mark.parametrize(
    "words",
    [
        *((name, "--help") for name in COMMANDS),
        ("--help",),
        ("score", "--accuracy", "0.8", "--kwh", "10"),
    ],
)
def test_help_and_score_load_no_table_library(words: tuple[str, ...]) -> None:
    source = (
        "import sys; from sam_cluster.cli.main import main; code = main(sys.argv[1:]); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", source, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def _command_that(act: object) -> object:
    def parser(commands: object = COMMANDS) -> argparse.ArgumentParser:
        found = argparse.ArgumentParser()
        found.set_defaults(run=act)
        return found

    return parser


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (SamClusterError("no such thing"), 1, "sam-cluster: no such thing\n"),
        (UsageError("not so"), 2, "sam-cluster: not so\n"),
        (StoreError("a \x1b[31m name"), 1, "sam-cluster: a \\u001b[31m name\n"),
        (PermissionError(13, "Permission denied", "/there"), 1, "sam-cluster: /there: Permission denied\n"),
        (KeyboardInterrupt(), 130, "sam-cluster: interrupted\n"),
    ],
)
def test_an_error_is_a_line_on_stderr_and_an_exit_code_and_no_traceback(
    error: BaseException,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(command_line, "build_parser", _command_that(fail))
    assert main([]) == code
    assert capsys.readouterr() == ("", told)


def test_a_fault_of_the_program_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(command_line, "build_parser", _command_that(fail))
    with pytest.raises(ZeroDivisionError):
        main([])


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sam_cluster", "score", "--accuracy", "0.8", "--kwh", "10"],
            stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_command_line_prints_what_its_terminal_cannot_show_as_codes() -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = in_a_process("score", "--help", env=environ)
    assert done.returncode == 0
    assert "\\xd7" in done.stdout  # the multiplication sign of the formula


def test_the_parser_of_one_command_imports_no_other() -> None:
    source = (
        "import sys; from sam_cluster.cli.main import build_parser; "
        "build_parser(('score',)); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert {name for name in COMMANDS if f"sam_cluster.cli.{name}" in modules} == {"score"}


def test_every_flag_has_a_help_text() -> None:
    silent = [
        (name, action.option_strings)
        for name, parser in subparsers().items()
        for action in parser._actions
        if action.help is None and action.option_strings
    ]
    assert silent == []


def subparsers() -> dict[str, argparse.ArgumentParser]:
    action = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def test_text_streams_that_cannot_be_reconfigured_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert run("score", "--accuracy", "0.8", "--kwh", "10") == 0
    assert "1.6384" in out.getvalue()
