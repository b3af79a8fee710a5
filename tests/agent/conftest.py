"""Nodes for the tests of the agent's processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.agent.node import SERVICE_USER, AgentNode


def _reason_not_to_run() -> str | None:
    if os.geteuid() != 0:
        return "hooks and agent are root's"
    argv = [sys.executable, "-I", "-c", "import sam_cluster.agent.seal"]
    tried = subprocess.run(argv, user=SERVICE_USER, extra_groups=[], capture_output=True, text=True, cwd="/")
    if tried.returncode:
        return f"{SERVICE_USER} cannot run {sys.executable}: {tried.stderr.strip()}"
    return None


@pytest.fixture(scope="session")
def _can_run() -> None:
    try:
        reason = _reason_not_to_run()
    except OSError as error:
        reason = f"{SERVICE_USER} cannot run {sys.executable}: {error}"
    if reason and "CI" in os.environ:
        pytest.fail(f"the tests of the agent must run in CI: {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture
def make_node(_can_run: None) -> Iterator[Callable[..., AgentNode]]:
    """Makes nodes, with the arguments of AgentNode."""
    nodes: list[AgentNode] = []

    def make(**arguments: object) -> AgentNode:
        nodes.append(AgentNode(**arguments))  # type: ignore[arg-type]
        return nodes[-1]

    yield make
    for node in nodes:
        node.remove()


@pytest.fixture
def agent_node(make_node: Callable[..., AgentNode]) -> AgentNode:
    """A node with four GPUs."""
    return make_node()
