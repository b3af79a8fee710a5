"""What the agent's children cost a node, however many cores it has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sam_cluster.agent.children import ENVIRONMENT

CORES = 128
#: Preloaded, the machine seems to have so many.
MANY_CORES = f"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

long sysconf(int name)
{{
    long (*next)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    return name == _SC_NPROCESSORS_CONF || name == _SC_NPROCESSORS_ONLN ? {CORES} : next(name);
}}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask)
{{
    (void)pid;
    memset(mask, 0, size);
    for (size_t core = 0; core < {CORES} && core < 8 * size; core++)
        CPU_SET_S(core, size, mask);
    return 0;
}}
"""

COUNT = "import os, sam_cluster.agent.seal; print(len(os.listdir('/proc/self/task')))"


def test_a_child_that_seals_has_a_few_threads_however_many_cores_there_are(tmp_path: Path) -> None:
    # Of the unit's TasksMax= each takes one, and where that is reached the child is ended by its BLAS.
    source, library = tmp_path / "cores.c", tmp_path / "cores.so"
    source.write_text(MANY_CORES)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-I", "-c", COUNT],
        env={**ENVIRONMENT, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) <= 8
