"""Reading a store that answers slowly: `python -m tests.benchmarks.latency [--shards N]`.

A library in front of the C library's (LD_PRELOAD) lets each open of a *.parquet below the store take
5 ms longer, as on a network file system; in a process of its own, imports excluded, file cache warm. The
bare loop has pyarrow read one footer after another.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .generate import Size, generate

ROOT = Path(__file__).parents[2]
LATENCY_MICROSECONDS = 5_000

SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

static void wait_for(const char *path)
{
    const char *store = getenv("SLOW_STORE"), *microseconds = getenv("SLOW_MICROSECONDS");
    size_t length = strlen(path);
    if (!store || !microseconds || strncmp(path, store, strlen(store)) || length < 8 ||
        strcmp(path + length - 8, ".parquet"))
        return;
    long nanoseconds = atol(microseconds) * 1000;
    struct timespec left = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    while (nanosleep(&left, &left))
        ;
}

#define MODE va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest)
#define OPEN(name) \\
    int name(const char *path, int flags, ...) { MODE; wait_for(path); \\
        return ((int (*)(const char *, int, mode_t))dlsym(RTLD_NEXT, #name))(path, flags, mode); }
#define OPENAT(name) \\
    int name(int at, const char *path, int flags, ...) { MODE; wait_for(path); \\
        return ((int (*)(int, const char *, int, mode_t))dlsym(RTLD_NEXT, #name))(at, path, flags, mode); }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
"""


def compiled(directory: Path) -> Path:
    """The library, made by the C compiler."""
    source, library = directory / "slow.c", directory / "slow.so"
    source.write_text(SLOW)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def child(store: Path) -> None:
    """Prints how long the bare loop took and how long our reading, and in how many threads at most."""
    import threading

    import pyarrow.parquet as pq

    from sam_cluster.aggregate.arrivals import look
    from sam_cluster.aggregate.fold import concat, read_batch
    from sam_cluster.aggregate.spread.wiring import LocalExecutor
    from sam_cluster.store.paths import StorePaths

    arrivals, rejected, unread = look(StorePaths(store))
    files = arrivals.files(0, len(arrivals))
    assert not rejected
    assert not unread
    names = [str(file.path) for file in files]
    threads = 0

    def count(_: int) -> None:
        nonlocal threads
        threads = max(threads, threading.active_count() - 1)

    def loop() -> None:
        for name in names:
            pq.read_metadata(name)

    def ours() -> None:
        batch = concat(LocalExecutor().map(read_batch, files, count))
        assert len(batch.shards) == len(files)

    pq.read_metadata(names[0])
    read_batch(files[:8])
    print(json.dumps([seconds(loop), seconds(ours), threads]))


def measured(shards: int = 4_000) -> list[str]:
    """The table, as lines of Markdown."""
    lines = [
        f"| {shards:,} shards | bare loop, s | `aggregate`'s reading, s | threads | times as fast |",
        "|---|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "store"
        generate(store, Size(shards=shards, samples=90, gpus=4, seed=1))
        library = compiled(Path(name))
        for told, microseconds in (("as the disk is", 0), ("5 ms an open", LATENCY_MICROSECONDS)):
            environment = {
                **os.environ,
                "LD_PRELOAD": str(library),
                "SLOW_STORE": str(store),
                "SLOW_MICROSECONDS": str(microseconds),
            }
            command = [sys.executable, "-m", "tests.benchmarks.latency", "--child", str(store)]
            ran = subprocess.run(
                command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
            )
            loop, ours, threads = json.loads(ran.stdout)
            lines.append(f"| {told} | {loop:.2f} | {ours:.2f} | {threads} | {loop / ours:.1f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=4_000, help="default: %(default)s")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child)
    else:
        print("\n".join(measured(args.shards)))


if __name__ == "__main__":
    main()
