"""`sam-agent`: run · status · publish · release."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial

from sam_cluster import __version__
from sam_cluster.core.config import Config, load
from sam_cluster.core.errors import EXIT_DONE, EXIT_FAILED, SamClusterError

from .events import leave_event, uptime_of
from .facts import NAME
from .journal import Journal
from .lock import AgentLock, holder
from .spool import Spool, service_account

BOOT_ID = "/proc/sys/kernel/random/boot_id"
PATH_UNIT = "/etc/systemd/system/multi-user.target.wants/sam-agent.path"
MOST_INHERITED = 65_536


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
    publish = commands.add_parser("publish", help="bring to the store what is sealed and still here")
    publish.add_argument(
        "--readings", action="store_true", help="also have the GPUs read that nobody holds (the timer does)"
    )
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
            return _publish(config, with_readings=chosen.readings)
        return _release(config, chosen.wait)
    except (SamClusterError, OSError) as error:
        sys.stderr.write(f"sam-agent: {error}\n")
        return error.exit_code if isinstance(error, SamClusterError) else EXIT_FAILED


def node_name(environ: Mapping[str, str]) -> str:
    """SLURMD_NODENAME where it is a name, else the host's up to the first dot."""
    named = environ.get("SLURMD_NODENAME", "")
    return named if NAME.fullmatch(named) else os.uname().nodename.partition(".")[0]


def _run(config: Config, environ: Mapping[str, str]) -> int:
    os.closerange(3, MOST_INHERITED)  # whoever waits for the end of one of them does not wait for us
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
    account = partial(service_account, config.publish_as)
    Agent(config, node_name(environ), _boot_id(), clock, readers, account).run(lock)
    # A thread that hangs in the driver must not keep the process.
    os._exit(EXIT_DONE)


def _status(config: Config) -> int:
    process = holder(str(config.events))
    print(f"agent: running, process {process}" if process else "agent: not running (the hooks start it)")
    spool = Spool(str(config.spool))
    journal = Journal(spool.journal)
    status = journal.read_state("status.json") or {}
    print(f"open runs: {', '.join(status.get('runs', [])) or 'none'}")
    print(f"not sealed yet: {', '.join(status.get('unsealed', [])) or 'nothing'}")
    try:
        print(f"sealed, not in the store yet: {len(spool.waiting())}")
    except OSError as error:
        print(f"sealed, not in the store yet: unknown ({error})")
    if cost := status.get("cost"):
        print(f"cost: {cost_in_words(cost)}")
    for problem in status.get("problems", []):
        seconds, _, text = problem.partition(" ")
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(int(seconds)))} {text}")
    return EXIT_DONE


def _publish(config: Config, *, with_readings: bool) -> int:
    from .publish import publish

    if with_readings and os.path.isdir(str(config.events)):
        try:
            _ask_for_readings(config)
        except OSError as error:  # no reason to keep back what is sealed
            sys.stderr.write(f"sam-agent: GPUs are not read this time: {error}\n")
    account = service_account(config.publish_as)
    if account.switch:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
    spool = Spool(str(config.spool))
    moved = publish(spool, str(config.store)) if os.path.isdir(spool.outbox) else 0
    print(f"published: {moved}")
    return EXIT_DONE


def cost_in_words(cost: Mapping[str, int]) -> str:
    """What an agent cost since it began, as `status` says it."""
    calls = cost["nvml_calls"]
    mean = cost["nvml_microseconds"] / calls / 1000 if calls else 0.0
    return (
        f"{cost['cpu_microseconds'] / 1e6:.1f} s of CPU, {cost['resident_bytes'] / 1e6:.1f} MB resident, "
        f"{calls} NVML calls ({mean:.2f} ms each, the longest {cost['nvml_longest_microseconds'] / 1000:.1f} "
        f"ms), {cost['missed_ticks']} readings missed"
    )


def _release(config: Config, seconds: float) -> int:
    events = str(config.events)
    if holder(events) is None:
        return EXIT_DONE
    uptime = _leave(config, "release")
    if not seconds:
        return EXIT_DONE
    asked = uptime_of(*uptime.split("."))
    journal = Journal(Spool(str(config.spool)).journal)
    until = time.monotonic() + seconds
    while keeps := _keeps_nvml(events, asked, journal):
        if time.monotonic() >= until:
            sys.stderr.write(f"sam-agent: NVML is not let go of within {seconds:g} s: {keeps}\n")
            return EXIT_FAILED
        time.sleep(0.05)
    return EXIT_DONE


def _keeps_nvml(events: str, asked: int, journal: Journal) -> str | None:
    """Why the agent may have NVML open still, after it was asked to let go of it (uptime); None: it has not,
    or there is none."""
    process = holder(events)
    if process is None:
        return None
    status = journal.read_state("status.json") or {}
    release = status.get("release") or {}
    if status.get("process") != process or release.get("asked", 0) < asked:
        return f"the agent, process {process}, has not seen the request"
    if not release["done"]:
        waits_for = ", ".join(release["waits_for"]) or "the driver"
        return f"a call of the agent, process {process}, has not come back: {waits_for}"
    return f"process {process} has a device file open" if _holds_devices(process) else None


def _leave(config: Config, kind: str) -> str:
    """Leave an event of this moment, and say which that is by /proc/uptime."""
    with open("/proc/uptime", encoding="ascii") as file:
        uptime = file.read().split()[0]
    leave_event(str(config.events), kind, uptime, _boot_id())
    return uptime


def _is_started_by_systemd() -> bool:
    """Whether a path unit starts the agent where there is an event: as the hooks have it."""
    return os.path.isdir("/run/systemd/system") and os.path.exists(PATH_UNIT)


def _ask_for_readings(config: Config) -> None:
    """GPUs are read by an agent, which alone knows what is held: where none runs, one starts, reads, lets go
    of NVML and ends."""
    _leave(config, "idle")
    if holder(str(config.events)) is None and not _is_started_by_systemd():
        _start_agent()


def _start_agent() -> None:
    """As the hooks start it: in a session of its own, with nothing open that somebody waits for."""
    subprocess.Popen(
        [sys.executable, "-m", "sam_cluster.agent.main", "run"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _boot_id() -> str:
    with open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()


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
