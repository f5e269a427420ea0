"""The parent's end of `bench.child`: start it with its threads pinned, ask it, end it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
START_UP = 120.0
"""CPU seconds that loading the data and the priming fit may take."""
POOLS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "BLIS", "VECLIB_MAXIMUM")


def pinned(threads: int) -> dict[str, str]:
    """An environment in which every thread pool has this size."""
    env = os.environ | {f"{pool}_NUM_THREADS": str(threads) for pool in POOLS}
    env |= {"BENCH_THREADS": str(threads), "PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0"}
    env["PYTHONPATH"] = os.pathsep.join(p for p in (str(ROOT), env.get("PYTHONPATH", "")) if p)
    return env


def cpu_of(pid: int) -> float:
    """CPU seconds a process has used, all threads together; 0 where the kernel does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Child:
    """A process for one problem."""

    def __init__(self, what: list[Any], threads: int) -> None:
        self.entered = ""
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.child", json.dumps(what)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=pinned(threads),
            cwd=ROOT,
        )

    def enter(self, name: str) -> dict[str, Any]:
        """Make a contender ready."""
        self.entered = name
        return self.ask({"enter": name}, START_UP)

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The reply, or ``{"late": True}`` and the child is gone, or ``{"error": ...}``."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"error": self._last_words()}
        if not self._replies_within(seconds):
            self.close()
            return {"late": True}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": self._last_words()}

    def _replies_within(self, seconds: float) -> bool:
        """Whether a line comes before this CPU time is spent; the wall's clock may show four times as much."""
        start, spent = time.monotonic(), cpu_of(self.process.pid)
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
            while not selector.select(0.1):
                if cpu_of(self.process.pid) - spent > seconds or time.monotonic() - start > 4 * seconds + 1:
                    return False
        return True

    def _last_words(self) -> str:
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return f"ended with {self.process.returncode}: {lines[-1][:200] if lines else 'no word'}"

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.process.poll() is None

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            if stream:
                stream.close()
