"""The first steps, run by PyTorch itself on copies: what a step costs there, and what the compiled loop must give."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

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
    """seconds : of one step of PyTorch's, the fastest.  weight, bias : after ``ends``' steps, (K, p) and (K,)."""

    seconds: float
    ends: np.ndarray
    weight: Tensor
    bias: Tensor | None

    def agrees(self, plan: Plan, job: Job) -> tuple[bool, float]:
        """Whether the compiled loop gives the same, and the seconds of one of its steps.

        Raises
        ------
        NoLibrary : there is no compiled loop on this machine.
        """
        loop = plan.loop(job.optimizer)
        start = [loop.weight.clone(), None if loop.bias is None else loop.bias.clone()]
        rates = _rates(job, plan, len(self.ends))
        begun = time.perf_counter()
        done, _ = loop.run(np.arange(self.ends[-1]), self.ends, rates, [])
        seconds = (time.perf_counter() - begun) / len(self.ends)
        if done < len(self.ends):  # it diverges at once; the exact engine says so best
            return False, seconds
        same = True
        for have, want, first in zip((loop.weight, loop.bias), (self.weight, self.bias), start):
            if have is not None and want is not None and first is not None:
                size = want.abs().max() + (want - first).abs().max()
                same = same and bool((have - want).abs().max() <= TOLERANCE[want.dtype] * size)
        return same, seconds


def rehearse(job: Job, plan: Plan) -> Rehearsal:
    """Take the first steps, in the rows' own order, on copies of module and optimizer.

    Raises
    ------
    NotCompiled : the module cannot be copied, or a step fails.
    """
    ends = plan.order.ends[:STEPS]
    X, y, loss = plan.order.X, plan.order.y, job.loss
    seconds = []
    try:
        module, optimizer = copy.deepcopy((job.module, job.optimizer))
        for first, last in zip((0, *ends[:-1]), ends):
            begun = time.perf_counter()
            optimizer.zero_grad()
            loss(module(X[first:last]), y[first:last]).backward()
            optimizer.step()
            seconds.append(time.perf_counter() - begun)
    except Exception as error:
        raise NotCompiled(
            f"engine='compiled' first takes a few steps of PyTorch's on a copy of the module, and they failed: {error}"
        ) from error
    names = [name for name, _ in job.module.named_parameters()]
    after = dict(zip(names, (p.detach() for p in module.parameters())))
    where = {id(p): name for name, p in job.module.named_parameters()}
    scores = plan.scores
    weight = after[where[id(scores.weight)]]
    bias = None if scores.bias is None else after[where[id(scores.bias)]].reshape(-1)
    turned = weight.T if scores.turned else weight
    return Rehearsal(min(seconds), ends, turned.reshape(scores.outputs, -1), bias)


def _rates(job: Job, plan: Plan, steps: int) -> np.ndarray:
    """The optimizer's present learning rates, (steps, 2)."""
    groups = job.optimizer.param_groups
    return np.tile([float(groups[g]["lr"]) for g in plan.groups(job.optimizer)], (steps, 1))
