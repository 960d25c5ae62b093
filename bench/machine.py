"""The machine that the run is on, and which core does what."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from bench.errors import BenchError


class Machine:
    """The server under measurement has the first core for itself; load, upstream and Valkey share the others."""

    def __init__(self) -> None:
        if not Path("/proc/self/stat").exists():
            raise BenchError("the benchmarks read CPU time and memory from /proc: they run on Linux only")
        cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
        self.pinned = len(cores) > 1 and shutil.which("taskset") is not None
        self.server = _on(cores[:1]) if self.pinned else []
        self.others = _on(cores[1:]) if self.pinned else []
        self._cores = len(cores)

    def described(self) -> dict[str, object]:
        model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
        return {"cpu": model, "cores": self._cores, "pinned": self.pinned, "python": platform.python_version(), "load": os.getloadavg()[0]}


def _on(cores: list[str]) -> list[str]:
    return ["taskset", "--cpu-list", ",".join(cores)]
