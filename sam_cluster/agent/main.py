"""`sam-agent`: run · status · publish · release."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping

from sam_cluster import __version__
from sam_cluster.core.config import Config, load
from sam_cluster.core.errors import EXIT_DONE, EXIT_FAILED, SamClusterError

from .journal import Journal
from .lock import AgentLock
from .spool import Spool, service_account

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def main(arguments: list[str] | None = None) -> int:
    """The command. Errors go to stderr in a line, and their code is returned."""
    parser = argparse.ArgumentParser(
        prog="sam-agent",
        description="Meters the GPU jobs of this node. The hooks start it; nobody else need.",
    )
    parser.add_argument("--version", action="version", version=f"sam-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="meter until no run is open (what the hooks and systemd start)")
    commands.add_parser("status", help="what is open, what waits, what went wrong")
    commands.add_parser("publish", help="bring to the store what is sealed and still here")
    release = commands.add_parser("release", help="let go of NVML, so that a GPU can be reset")
    release.add_argument("--gpu", metavar="UUID", help="the GPU that is meant; NVML is let go of whole")
    release.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait until it is done, at most so long"
    )
    chosen = parser.parse_args(arguments)
    try:
        config = load(os.environ)
        if chosen.command == "run":
            return _run(config, os.environ)
        if chosen.command == "status":
            return _status(config)
        if chosen.command == "publish":
            return _publish(config)
        return _release(config, chosen.wait)
    except (SamClusterError, OSError) as error:
        sys.stderr.write(f"sam-agent: {error}\n")
        return error.exit_code if isinstance(error, SamClusterError) else EXIT_FAILED


def node_name(environ: Mapping[str, str]) -> str:
    """SLURMD_NODENAME, else the host's name up to the first dot."""
    return environ.get("SLURMD_NODENAME") or os.uname().nodename.partition(".")[0]


def _run(config: Config, environ: Mapping[str, str]) -> int:
    lock = AgentLock(str(config.events))
    if not lock.acquire():
        return EXIT_DONE
    # Only the agent that has the lock pays for what it needs.
    from .loop import Agent
    from .nvml import Nvml
    from .ports import SystemClock
    from .workers import ThreadedReaders

    os.chdir("/")
    os.umask(0o077)
    clock = SystemClock()
    readers = ThreadedReaders(Nvml(clock), clock)
    with open(BOOT_ID, encoding="ascii") as file:
        boot_id = file.read().strip()
    agent = Agent(
        config, node_name(environ), boot_id, clock, readers, lambda: service_account(config.publish_as)
    )
    agent.run(lock)
    # A thread that hangs in the driver must not keep the process.
    os._exit(EXIT_DONE)


def _status(config: Config) -> int:
    from .publish import waiting

    lock = AgentLock(str(config.events))
    holder = lock.holder()
    print(f"agent: {f'running, process {holder}' if holder else 'not running (it is started by the hooks)'}")
    spool = Spool(str(config.spool))
    journal = Journal(spool.journal)
    status = journal.read_state("status.json") or {}
    print(f"open runs: {', '.join(status.get('runs', [])) or 'none'}")
    print(f"not sealed yet: {', '.join(status.get('unsealed', [])) or 'nothing'}")
    try:
        print(f"sealed, not in the store yet: {len(waiting(spool.outbox))}")
    except OSError as error:
        print(f"sealed, not in the store yet: unknown ({error})")
    for problem in status.get("problems", []):
        seconds, _, text = problem.partition(" ")
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(int(seconds)))} {text}")
    return EXIT_DONE


def _publish(config: Config) -> int:
    from .publish import publish

    account = service_account(config.publish_as)
    if account.switch:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
    outbox = Spool(str(config.spool)).outbox
    moved = publish(outbox, str(config.store)) if os.path.isdir(outbox) else 0
    print(f"published: {moved}")
    return EXIT_DONE


def _release(config: Config, seconds: float) -> int:
    holder = AgentLock(str(config.events)).holder()
    if holder is None:
        return EXIT_DONE
    events = str(config.events)
    with open("/proc/uptime", encoding="ascii") as file:
        uptime = file.read().split()[0]
    with open(BOOT_ID, encoding="ascii") as file:
        boot_id = file.read().strip()
    path = os.path.join(events, f"{uptime}-{os.getpid()}")
    with open(path + ".part", "w", encoding="ascii") as event:
        event.write(f"sam-event 1 release {uptime} {boot_id}\n")
    os.rename(path + ".part", path + ".event")
    until = time.monotonic() + seconds
    while _holds_devices(holder):
        if time.monotonic() >= until:
            return EXIT_DONE if not seconds else EXIT_FAILED
        time.sleep(0.05)
    return EXIT_DONE


def _holds_devices(process: int) -> bool:
    """Whether a process has a file of the NVIDIA driver open."""
    try:
        names = os.listdir(f"/proc/{process}/fd")
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(f"/proc/{process}/fd/{name}").startswith("/dev/nvidia"):
                return True
        except OSError:
            continue
    return False


if __name__ == "__main__":
    sys.exit(main())
