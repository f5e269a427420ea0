"""The first steps, run by PyTorch itself on copies: what a step costs there, and what the compiled loop must give."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
import torch
from torch import Tensor

from sightline.recipes.compiled.errors import NotCompiled
from sightline.recipes.compiled.plan import Plan
from sightline.recipes.loop import Job

STEPS = 3
# Of the size of weights and steps: far above rounding, far below any mistake.
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10}


@dataclass(frozen=True)
class Rehearsal:
    """PyTorch's first steps.

    batches : (first row, last row + 1) of each.  seconds : of one step, the fastest.
    weight, bias : after them, (K, p) and (K,).
    """

    batches: list[tuple[int, int]]
    seconds: float
    weight: Tensor
    bias: Tensor | None

    def agrees(self, plan: Plan, job: Job) -> tuple[bool, float]:
        """Whether the compiled loop gives the same, and the seconds of one of its steps, the fastest.

        Raises
        ------
        NoLibrary : there is no compiled loop on this machine.
        """
        loop = plan.loop(job.optimizer)
        weight, bias = loop.weight.clone(), None if loop.bias is None else loop.bias.clone()
        groups = job.optimizer.param_groups
        rates = np.array([[float(groups[g]["lr"]) for g in plan.groups(job.optimizer)]])
        seconds = math.inf
        for first, last in self.batches:
            begun = time.perf_counter()
            done, _ = loop.run(np.arange(first, last), np.array([last - first]), rates, [])
            seconds = min(seconds, time.perf_counter() - begun)
            if not done:  # it diverges at once; the exact engine says so best
                return False, seconds
        return _same(loop.weight, self.weight, weight) and _same(loop.bias, self.bias, bias), seconds


def _same(have: Tensor | None, want: Tensor | None, start: Tensor | None) -> bool:
    if have is None or want is None or start is None:
        return True
    size = want.abs().max() + (want - start).abs().max()
    return bool((have - want).abs().max() <= TOLERANCE[want.dtype] * size)


def rehearse(job: Job, plan: Plan) -> Rehearsal:
    """Take the first steps, in the rows' own order, on copies of module and optimizer.

    Raises
    ------
    NotCompiled : the module cannot be copied, or a step fails.
    """
    ends = [int(end) for end in plan.order.ends[:STEPS]]
    batches = list(islice(cycle(zip([0, *ends[:-1]], ends)), STEPS))
    X, y, loss = plan.order.X, plan.order.y, job.loss
    seconds = []
    try:
        module, optimizer = copy.deepcopy((job.module, job.optimizer))
        for first, last in batches:
            begun = time.perf_counter()
            optimizer.zero_grad()
            loss(module(X[first:last]), y[first:last]).backward()
            optimizer.step()
            seconds.append(time.perf_counter() - begun)
    except Exception as error:
        raise NotCompiled(
            f"engine='compiled' first takes a few steps of PyTorch's on a copy of the module, and they failed: {error}"
        ) from error
    scores = plan.scores
    copies = {id(p): q.detach() for p, q in zip(job.module.parameters(), module.parameters())}
    weight = copies[id(scores.weight)]
    bias = None if scores.bias is None else copies[id(scores.bias)].reshape(-1)
    return Rehearsal(batches, min(seconds), (weight.T if scores.turned else weight).reshape(scores.outputs, -1), bias)
