"""The compiled engine: the loop of a linear training in C, in calls of a tenth of a second.

The trajectory is the exact engine's up to rounding. Whether the loop pays is measured, not guessed: the first steps are
rehearsed with PyTorch on a copy, which says what a step costs there and what the loop must give. Where it would not pay
(a short training while nothing is compiled yet, steps so large that PyTorch's matrix products are faster), or cannot be
had (no C compiler), the exact engine runs, and ``job.engine`` says so.
"""

from __future__ import annotations

from sightline.recipes.compiled import library
from sightline.recipes.compiled.building import NoLibrary
from sightline.recipes.compiled.losses import Slopes
from sightline.recipes.compiled.plan import Plan, plan_of
from sightline.recipes.compiled.rates import Rates
from sightline.recipes.compiled.rehearsal import rehearse
from sightline.recipes.compiled.running import Running
from sightline.recipes.loop import Job
from sightline.recipes.loop import run as run_exact

FEWEST = 100  # steps below which there is nothing to gain
FEWEST_COLD = 1000  # the same while nothing is compiled
COMPILING = 0.15  # seconds that must be gained before it pays to compile
SLOWER = 1.0  # times PyTorch's seconds a step that the compiled loop may take
# Seconds of the loop for a product of a row's entry with a weight, forth and back, and for a score's loss: for a guess
# of what is gained before the loop is there to be timed.
PRODUCT, SCORE = 0.4e-9, 15e-9


def run(job: Job) -> None:
    """Train ``job.module`` in place, as ``loop.run`` does.

    Raises
    ------
    NotCompiled : the training holds something that the compiled loop cannot do; the message says what it can.
    """
    running = make_ready(job)
    if running is None:
        run_exact(job)
    else:
        running.go()


def make_ready(job: Job, slopes: Slopes | None = None) -> Running | None:
    """The compiled training, ready to go; None where the exact engine is to run it.  ``job.engine`` says which and why.

    slopes : of the loss, where they are known from the same module, loss and rows.

    Raises
    ------
    NotCompiled : as ``run``.
    """
    instead = _too_short(job)
    if not instead:
        plan = plan_of(job, slopes)
        rates = Rates(job, plan.order.steps)
        instead = _why_exact(job, plan)
    job.engine = f"exact, because {instead}" if instead else "compiled"
    return None if instead else Running(job, plan, rates)


def _too_short(job: Job) -> str:
    """Why a training of so few steps is not even looked at, as the end of a sentence; empty where it is."""
    steps = (job.batches.per_epoch or 0) * job.recipe.epochs
    if not steps or steps >= FEWEST_COLD:
        return ""
    if steps < FEWEST:
        return f"there are only {steps} steps"
    dtype = next(job.module.parameters()).dtype
    return "" if library.is_built(dtype) else f"compiling for only {steps} steps would not pay"


def _why_exact(job: Job, plan: Plan) -> str:
    """Why the exact engine is the better choice, as the end of a sentence; empty where it is not."""
    rehearsal = rehearse(job, plan)
    steps = plan.order.steps * job.recipe.epochs
    rows, (outputs, columns) = int(plan.order.ends[0]), (plan.scores.outputs, plan.X.shape[1])
    guess = rows * outputs * (columns * PRODUCT + SCORE)
    if not library.is_built(plan.X.dtype) and steps * (rehearsal.seconds - guess) < COMPILING:
        return f"compiling would not pay for the {steps * rehearsal.seconds:.2g} s that PyTorch needs"
    try:
        same, seconds = rehearsal.agrees(plan, job)
    except NoLibrary as error:
        return str(error)
    if not same:
        return "the first steps are so sensitive to rounding that the compiled loop's differ"
    if seconds > SLOWER * rehearsal.seconds:
        return "PyTorch is faster on steps of this size"
    return ""
