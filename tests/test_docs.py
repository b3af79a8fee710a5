"""The documentation of the commands and words is whole: what the parser and the lists have is in it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from sam_cluster.cli.ledger import LEDGER_KEYS
from sam_cluster.cli.main import COMMANDS, build_parser
from sam_cluster.core.model import Flag, Quality, Reason
from sam_cluster.metrics import ProjectionFlag, Refusal
from sam_cluster.report.documents import JOB_KEYS, RESULT_KEYS
from sam_cluster.report.projection import PROJECTION_KEYS

DOCS = Path(__file__).resolve().parent.parent / "docs"
CLI = (DOCS / "cli.md").read_text("utf-8")


def section(name: str) -> str:
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", CLI, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/cli.md has no section on {name}"
    return found[1]


def flags_of(command: str) -> set[str]:
    action = next(a for a in build_parser((command,))._actions if isinstance(a, argparse._SubParsersAction))
    actions = action.choices[command]._actions
    return {flag for each in actions for flag in each.option_strings} - {"-h", "--help"}


def written_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z0-9-]*", text))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_flag_is_documented(command: str) -> None:
    shared = written_in(section("Flags that several commands have"))
    long = {"-S": "--starttime", "-E": "--endtime", "-j": "--jobs", "-A": "--account", "-u": "--user"}
    text = section(command)
    as_another = section("jobs") if "Flags as `jobs`" in text else ""
    written = written_in(text + as_another)
    written |= {long[flag] for flag in written & set(long)} & shared
    assert flags_of(command) - written == set()


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("jobs", JOB_KEYS),
        ("ledger", LEDGER_KEYS),
        ("results", RESULT_KEYS),
        ("project", (*PROJECTION_KEYS, *Refusal, *ProjectionFlag)),
    ],
)
def test_every_json_key_is_documented(command: str, keys: tuple[str, ...]) -> None:
    assert {key for key in keys if f"`{key}`" not in section(command)} == set()


def test_every_word_of_the_closed_lists_is_documented() -> None:
    text = (DOCS / "report.md").read_text("utf-8")
    words = {word.value for kind in (Flag, Reason, Quality) for word in kind}
    assert {word for word in words if f"| `{word}` |" not in text} == set()


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        (page.name, target)
        for page in DOCS.glob("*.md")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
