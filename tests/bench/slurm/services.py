"""munged and mariadbd, each with its own key or data, reachable by a socket in the bench's directory."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from tests.bench.slurm.conf import Layout
from tests.bench.slurm.processes import BenchError, Daemon
from tests.bench.slurm.requirements import client_environment

# The data are thrown away, so that nothing has to survive a crash.
_MARIADB = (
    "--no-defaults",
    "--user=root",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=32M",
)


def start_munge(layout: Layout) -> Daemon:
    layout.munge.mkdir(mode=0o755)
    key = layout.munge / "key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    daemon = Daemon(
        "munged",
        (
            "munged",
            "--foreground",
            "--num-threads=4",
            f"--key-file={key}",
            f"--socket={layout.munge_socket}",
            f"--pid-file={layout.munge}/pid",
            f"--seed-file={layout.munge}/seed",
            f"--log-file={layout.munge}/log",
        ),
        log=layout.log("munged"),
        environment=client_environment(),
    )
    daemon.start()
    return daemon


def start_database(layout: Layout) -> Daemon:
    """Makes an empty database and starts its daemon, where only root may log in."""
    installed = subprocess.run(
        (
            "mariadb-install-db",
            *_MARIADB,
            f"--datadir={layout.database}",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=client_environment(),
        cwd=layout.root,
    )
    if installed.returncode != 0:
        raise BenchError(f"mariadb-install-db failed\n{installed.stdout}{installed.stderr}")
    daemon = Daemon(
        "mariadbd",
        (
            "mariadbd",
            *_MARIADB,
            f"--datadir={layout.database}",
            f"--socket={layout.database_socket}",
            f"--pid-file={layout.root}/run/mariadbd.pid",
            "--skip-networking",
            "--innodb-lock-wait-timeout=900",
        ),
        log=layout.log("mariadbd"),
        environment=client_environment(),
    )
    daemon.start()
    return daemon


def answers(path: Path) -> bool:
    """Whether somebody accepts connections on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
