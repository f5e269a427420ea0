"""The process in which contenders fit one problem; started by `bench.race` and spoken to in lines of JSON.

``{"enter": name}`` makes a contender ready. After that each request is a setting and a number of repeats, and the
answer has the seconds of every repeat, the peak memory of the first, and what the solver says. The weights go to a
file: it is the parent that evaluates them.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from typing import Any, TextIO

import numpy as np

from bench.memory import Peak
from bench.peers import named
from bench.peers.base import Contender, Fitted, Inputs, Setting, threads
from bench.problems import PROBLEMS, Instance, load

PRIMING_ROWS = 256
SHORT = 0.02
"""Fits below this many seconds are repeated five times as often, and their first time is left out."""


def cpu_seconds() -> float:
    """CPU time of this process with all its threads, and of its finished children."""
    t = os.times()
    return time.process_time() + t.children_user + t.children_system


def timed(contender: Contender, inputs: Inputs, setting: Setting) -> tuple[Fitted, float, float]:
    """One fit with its wall and CPU seconds; as ``timeit`` does, without the garbage collector, whose walk through
    every object of the process would also empty the caches before a fit of a millisecond."""
    gc.disable()
    try:
        wall, cpu = time.perf_counter(), cpu_seconds()
        fitted = contender.fit(inputs, setting)
        return fitted, time.perf_counter() - wall, cpu_seconds() - cpu
    finally:
        gc.enable()


def answer(contender: Contender, inputs: Inputs, request: dict[str, Any]) -> dict[str, Any]:
    """Fit as often as asked."""
    gc.collect()
    peak = Peak()
    fitted, wall, cpu = timed(contender, inputs, request["setting"])
    memory = peak.bytes()
    np.savez(request["out"], coef=np.asarray(fitted.coef), intercept=np.asarray(fitted.intercept))
    walls, cpus = [wall], [cpu]
    short = wall < SHORT
    repeats, spend = (5 * request["repeats"] + 1, 1.0) if short else (request["repeats"], request["seconds"])
    while len(walls) < repeats and sum(walls) < spend:
        if not short:
            gc.collect()
        _, wall, cpu = timed(contender, inputs, request["setting"])
        walls.append(wall)
        cpus.append(cpu)
    return {"wall": walls[short:], "cpu": cpus[short:], "memory": memory, "says": fitted.says}


class Entered:
    """The contender being run, with its inputs; those of one with the same tastes are taken over."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.contender, self.inputs = instance, None, None
        self.taste: tuple[Any, ...] = ()

    def enter(self, name: str) -> dict[str, Any]:
        """Make the inputs and fit a few rows, so that imports, thread pools and compilation are not in the times."""
        self.contender = contender = named(name)
        taste = (contender.dtype, contender.order, contender.tensors, contender.signs)
        if taste != self.taste:
            self.inputs = None
            self.inputs, self.taste = contender.inputs(self.instance), taste
        start, said = time.perf_counter(), ""
        try:
            contender.fit(self.inputs.head(PRIMING_ROWS), contender.ladder[0])
        except Exception as error:
            said = f"{type(error).__name__}: {error}"[:300]
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads())
        return {"prime_seconds": time.perf_counter() - start, "prime_error": said}

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """To ``{"enter": name}`` or to a request for fits."""
        if "enter" in request:
            return self.enter(request["enter"])
        return answer(self.contender, self.inputs, request)


def serve(replies: TextIO) -> None:
    """Load, then answer until the parent closes the line."""
    name, scale, intercept = json.loads(sys.argv[1])
    entered = Entered(load(PROBLEMS[name].at_scale(scale, intercept)))
    for line in sys.stdin:
        try:
            reply = entered.reply(json.loads(line))
        except Exception as error:
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between the lines of JSON
    serve(line)
