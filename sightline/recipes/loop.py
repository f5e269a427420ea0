"""The exact engine: the loop as people write it, with ``torch.optim`` and autograd, and a record of it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from sightline.data import DataError
from sightline.recipes.batches import Batch
from sightline.recipes.job import Job, Keeper, LossFunction, Moment
from sightline.recipes.steps import Diverged, advance, closure_step, plain_step
from sightline.recipes.trace import State, TrainingTrace

__all__ = ["Job", "Keeper", "Loop", "LossFunction", "Moment", "run"]

SAID_EVERY = 0.2  # seconds between two lines of progress


def run(job: Job) -> None:
    """Train ``job.module`` in place; the weights after each step are those of a loop without any record.

    The loop stops, with ``job.stopped`` saying why, on Ctrl-C, at the time limit, when the callback returns True, when
    the ``DataLoader`` ends before it should, and when the loss or the weights are no longer finite.  Then the weights
    are those after the last whole and finite step.
    """
    Loop(job).go()


class Loop:
    """One training on its way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.kept = Kept([p.detach() for p in job.module.parameters()])
        self.within = False  # a step is being taken
        self.batch: Batch | None = None
        self.epoch, self.number = job.done
        self.buffered = next(job.module.buffers(), None) is not None

    def go(self) -> None:
        """All epochs, or as many as there is time for."""
        job = self.job
        if not len(job.trace):
            self._note(job.rate)
        try:
            self._epochs()
            if not self.kept.finite():
                raise Diverged(job.value)
            if job.keeper is not None and job.stopped:
                job.keeper.keep(job, self.epoch, self.number)
            elif job.keeper is not None:
                job.keeper.begin_epoch(job)
                job.keeper.keep(job, job.recipe.epochs + 1, 0)
        except KeyboardInterrupt:
            job.stopped = "interrupted"
            job.trace.cut(job.steps)
            if self.within:
                self.kept.back_to(job.steps)
        except Diverged as error:
            job.stopped, job.detail = self._diverged(error.loss)
        if job.trace.step[-1] != job.steps:
            self._note(job.rate)

    def _epochs(self) -> None:
        job, recipe, kept, keeper = self.job, self.job.recipe, self.kept, self.job.keeper
        take = closure_step(job) if job.closure else plain_step(job)
        begun = time.perf_counter()
        limit = math.inf if job.time_limit is None else begun + job.time_limit
        say = begun + SAID_EVERY if job.progress is not None else math.inf
        per_step = job.scheduler is not None and recipe.schedule_per == "step"
        for epoch in range(job.done[0], recipe.epochs + 1):
            self.epoch = epoch
            if epoch > job.done[0] or not job.done[1]:
                job.epoch_sum = 0.0
            if keeper is not None:
                keeper.begin_epoch(job)
            for number, batch in self._remaining():
                self.number, self.batch = number, batch
                rate = job.rate
                kept.keep(job.steps)
                self.within = True
                job.value = loss = take(*batch)
                job.steps += 1
                self.within = False
                job.epoch_sum += loss
                if per_step:
                    advance(job.scheduler, loss)
                if job.recorded(job.steps):
                    self._note(rate)
                now = time.perf_counter()
                if keeper is not None and keeper.due(job.steps, now):
                    keeper.keep(job, epoch, number)
                if now > say and job.progress is not None:
                    job.progress(job.steps, epoch, loss)
                    say = now + SAID_EVERY
                if job.callback is not None:
                    moment = Moment(job.steps, epoch, loss, job.module, job.optimizer)
                    if job.callback(moment):
                        job.stopped = "stopped by the callback"
                        return
                if now > limit:
                    job.stopped = f"time_limit={job.time_limit:g} s"
                    return
            if self._ended_early():
                return
            if job.scheduler is not None and not per_step:
                advance(job.scheduler, job.epoch_sum / max(self.number, 1))

    def _remaining(self) -> Iterator[tuple[int, Batch]]:
        """The batches of this epoch and their numbers, without those done before the training was resumed."""
        job = self.job
        done = job.done[1] if self.epoch == job.done[0] else 0
        self.number = 0
        batches = iter(job.batches.epoch())
        for self.number in range(1, done + 1):
            next(batches, None)
        # Here, and not with the next batch, which may draw random numbers when it is made.
        self._go_on()
        yield from enumerate(batches, done + 1)

    def _go_on(self) -> None:
        if self.job.resumed is not None:
            self.job.resumed()
            self.job.resumed = None

    def _ended_early(self) -> bool:
        """Whether the epoch had fewer batches than it should."""
        job, expected = self.job, self.job.batches.per_epoch
        if self.number == 0 and job.steps == 0:
            raise DataError("the DataLoader is empty: its first epoch gave no batch, so there is nothing to train on.")
        if expected is None:
            job.batches.per_epoch = self.number
        if expected is None or self.number >= expected:
            return False
        job.stopped = f"the DataLoader ended early in epoch {self.epoch}"
        job.detail = f"It gave {self.number} batches where {expected} were expected."
        if self.epoch > 1:
            job.detail += " An iterator is used up once: give a Dataset, or an IterableDataset that starts anew."
        return True

    def _note(self, rate: float) -> None:
        job, per_epoch = self.job, self.job.batches.per_epoch
        epoch = self.epoch - 1 + (self.number / per_epoch if per_epoch else 0.0) if job.steps else 0.0
        job.trace.record(job.steps, epoch, job.value, rate, time.perf_counter() - job.begun, self._state())

    def _state(self) -> State:
        """A copy of parameters and buffers; the way to the buffers is slow, and most linear modules have none."""
        if self.buffered:
            return self.job.snapshot()
        return tuple(p.clone() for p in self.kept.parameters)

    def _diverged(self, loss: float) -> tuple[str, str]:
        """Put back the last finite weights; which step was not finite, and why."""
        job = self.job
        bad = [
            name for name, t in zip(("X", "y"), self.batch or ())
            if isinstance(t, Tensor) and t.is_floating_point() and not bool(torch.isfinite(t).all())
        ]  # fmt: skip
        within, self.within = self.within, False
        if within and bad:
            why = f"{bad[0]} of its batch (batch {self.number} of epoch {self.epoch}) holds NaN or infinity."
        elif within and self.kept.finite():
            why = f"the loss was {loss:g} on its batch. The learning rate may be too large."
        else:
            why = "it gave weights that are not finite. The learning rate may be too large."
            job.steps = self.kept.back_to_finite(job.trace)
            job.trace.cut(job.steps)
        return f"diverged in step {job.steps + 1}", why


class Kept:
    """Copies of the weights after the last two whole steps, to go back to."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        self.copies = [[p.clone() for p in parameters] for _ in range(2)]
        self.steps = [-1, -1]

    def keep(self, step: int) -> None:
        """Copy the weights after this step."""
        torch._foreach_copy_(self.copies[step & 1], self.parameters)
        self.steps[step & 1] = step

    def finite(self) -> bool:
        """Whether the weights are."""
        return all_finite(self.parameters)

    def back_to(self, step: int) -> None:
        """The weights after a step that is kept."""
        if self.steps[step & 1] == step:
            torch._foreach_copy_(self.parameters, self.copies[step & 1])

    def back_to_finite(self, trace: TrainingTrace) -> int:
        """The last finite weights, from here or, where the loss hid that they were not, from the trace; their step."""
        known = {step: copy for step, copy in zip(self.steps, self.copies) if step >= 0}
        known |= {step: list(state[: len(self.parameters)]) for step, state in zip(trace.step, trace.states)}
        for step in sorted(known, reverse=True):
            if all_finite(known[step]):
                torch._foreach_copy_(self.parameters, known[step])
                return step
        return 0


def all_finite(tensors: list[Tensor]) -> bool:
    """Whether they hold neither NaN nor infinity."""
    return all(bool(torch.isfinite(t).all()) for t in tensors)
