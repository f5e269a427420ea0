"""A compiled training on its way: calls of the loop, the record between them, Ctrl-C and the time limit."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
from torch import Tensor

from sightline.recipes.chosen import Every, Significant
from sightline.recipes.compiled.loop import Kept
from sightline.recipes.compiled.plan import Plan
from sightline.recipes.compiled.rates import Rates
from sightline.recipes.loop import SAID_EVERY, Job
from sightline.recipes.trace import State

CALL = 0.1  # seconds of one call of the loop: how long Ctrl-C and the time limit may wait
FIRST_CALL = 1000  # steps, from which the pace is taken
MOST_ROWS = 4_000_000  # row numbers handed over in one call, but for an epoch that has more


class Running:
    """One training on its way."""

    def __init__(self, job: Job, plan: Plan, rates: Rates) -> None:
        self.job, self.plan, self.rates = job, plan, rates
        self.loop = plan.loop(job.optimizer)
        self.groups = plan.groups(job.optimizer)
        self.buffers = tuple(b.clone() for b in job.module.buffers())
        self.call = FIRST_CALL  # steps
        self.recorded = 0  # the last step recorded
        self.loss, self.rate = math.nan, float(job.optimizer.param_groups[0]["lr"])

    def go(self, interrupted: threading.Event | None = None) -> None:
        """All epochs, or as many as there is time for; ``job`` has the outcome.

        interrupted : ends the training when it is set; by default Ctrl-C does.
        """
        job, loop = self.job, self.loop
        try:
            with interrupts() if interrupted is None else nullcontext(interrupted) as interrupted:
                self._record(0, job.snapshot())
                self._epochs(interrupted)
        except KeyboardInterrupt:  # by a handler that is not Python's own
            job.stopped = "interrupted"
        finally:
            self.plan.deliver(loop, job.optimizer)
            job.steps = loop.steps
            if self.recorded != loop.steps:
                self._record(loop.steps, job.snapshot())

    def _epochs(self, interrupted: threading.Event) -> None:
        job, loop, order = self.job, self.loop, self.plan.order
        said = time.perf_counter() + SAID_EVERY
        limit = math.inf if job.time_limit is None else job.begun + job.time_limit
        done = 0
        while done < job.recipe.epochs:
            most = min(self.call // order.steps, MOST_ROWS // int(order.ends[-1]), job.recipe.epochs - done)
            count = max(most, 1)
            rows, ends = order.epochs(count)
            rates = self.rates.epochs(count)
            first = 0
            while first < len(ends):
                last = min(first + self.call, len(ends))
                before = int(ends[first - 1]) if first else 0
                own = rates if len(rates) == 1 else rates[first:last]
                if not self._take(rows[before:], ends[first:last] - before, own):
                    return
                if interrupted.is_set():
                    job.stopped = "interrupted"
                    return
                now = time.perf_counter()
                if job.progress is not None and now > said:
                    job.progress(loop.steps, done + 1 + (last - 1) // order.steps, self.loss)
                    said = now + SAID_EVERY
                if now > limit:
                    job.stopped = f"time_limit={job.time_limit:g} s"
                    return
                first = last
            done += count

    def _take(self, rows: np.ndarray, ends: np.ndarray, rates: np.ndarray) -> bool:
        """Some steps in one call, recorded; False where the training diverged."""
        job, loop = self.job, self.loop
        before, steps = loop.steps, len(ends)
        keep = _among(job.recorded, before + 1, before + steps)
        also = [] if keep and keep[-1] == before + steps else [before + steps]  # its loss, should it be the last
        begun = time.perf_counter()
        places = [step - before - 1 for step in keep + also]
        done, kept = loop.run(rows, ends, np.ascontiguousarray(rates[:, self.groups]), places)
        took = time.perf_counter() - begun
        self.call = max(int(CALL / max(took / max(done, 1), 1e-9)), 1)
        self._keep(before, keep, kept, begun - job.begun, rates)
        if done < steps:
            self._diverged(float(rates[min(done, len(rates) - 1), 0]))
            return False
        self.loss, self.rate = float(kept.batch_loss[-1]), float(rates[-1, 0])
        return True

    def _keep(self, before: int, steps: list[int], kept: Kept, begun: float, rates: np.ndarray) -> None:
        """Enter recorded steps into the trace."""
        count = min(len(steps), len(kept.seconds))
        if not count:
            return
        trace, numbers, per_epoch = self.job.trace, np.array(steps[:count]) - 1, self.plan.order.steps
        trace.step += steps[:count]
        trace.epoch += (numbers // per_epoch + (numbers % per_epoch + 1) / per_epoch).tolist()
        trace.batch_loss += kept.batch_loss[:count].tolist()
        trace.learning_rate += rates[numbers - before if len(rates) > 1 else 0 * numbers, 0].tolist()
        trace.seconds += (kept.seconds[:count] + begun).tolist()
        trace.states += self._states(kept.weight[:count], kept.bias[:count])
        self.recorded = steps[count - 1]

    def _diverged(self, rate: float) -> None:
        """Say which step was not finite, in the exact engine's words."""
        job, loop = self.job, self.loop
        job.stopped = f"diverged in step {loop.steps + 1}"
        self.loss, self.rate = loop.loss_now, rate
        if math.isfinite(self.loss):
            job.detail = "the weights were no longer finite after it; a smaller learning rate may help."
        else:
            what = "NaN" if math.isnan(self.loss) else "infinite"
            job.detail = f"the loss was {what} on its batch; a smaller learning rate may help."

    def _record(self, step: int, state: State) -> None:
        """Enter the start, or an end that no rule chose."""
        per_epoch, seconds = self.plan.order.steps, time.perf_counter() - self.job.begun
        epoch = (step - 1) // per_epoch + ((step - 1) % per_epoch + 1) / per_epoch if step else 0.0
        self.job.trace.record(step, epoch, self.loss, self.rate, seconds, state)
        self.recorded = step

    def _states(self, weight: Tensor, bias: Tensor) -> list[State]:
        """Weights (m, K, p) and biases (m, K) as the module's parameters and buffers, in its order."""
        scores, m = self.plan.scores, len(weight)
        turned = weight.transpose(1, 2) if scores.turned else weight
        shaped: dict[int, tuple[Tensor, ...]] = {id(scores.weight): turned.reshape(m, *scores.weight.shape).unbind(0)}
        if scores.bias is not None:
            shaped[id(scores.bias)] = bias.reshape(m, *scores.bias.shape).unbind(0)
        columns = [shaped[id(p)] for p in self.job.module.parameters()]
        return [(*state, *self.buffers) for state in zip(*columns)]


def _among(recorded: Callable[[int], bool], first: int, last: int) -> list[int]:
    """The steps to record from ``first`` up to ``last``."""
    if isinstance(recorded, Every | Significant):
        return recorded.among(first, last)
    return [step for step in range(first, last + 1) if recorded(step)]


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Ctrl-C as an event, looked at between two calls: so that it falls on whole steps."""
    seen = threading.Event()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield seen
        return
    signal.signal(signal.SIGINT, lambda *_: seen.set())
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
