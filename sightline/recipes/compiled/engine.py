"""The compiled engine: the loop of a linear training in C, in calls of a tenth of a second.

The trajectory is the exact engine's up to rounding. Whether the loop pays is measured, not guessed: the first steps are
rehearsed with PyTorch on a copy, which says what a step costs there and what the loop must give. Where it would not pay
(a short training while nothing is compiled yet, steps so large that PyTorch's matrix products are faster), or cannot be
had (no C compiler), the exact engine runs, and ``job.engine`` says so.
"""

from __future__ import annotations

from sightline.recipes.compiled import library
from sightline.recipes.compiled.losses import Slopes
from sightline.recipes.compiled.plan import Plan, plan_of
from sightline.recipes.compiled.rates import Rates
from sightline.recipes.compiled.rehearsal import rehearse
from sightline.recipes.compiled.running import Running
from sightline.recipes.loop import Job
from sightline.recipes.loop import run as run_exact

FEWEST = 100  # steps of a training that is looked at; the rehearsal takes 3
COMPILING = 0.5  # seconds that a training must take with PyTorch before it pays to compile for it


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
    plan = plan_of(job, slopes)
    rates = Rates(job, plan.order.steps)
    instead = _why_exact(job, plan)
    job.engine = f"exact, because {instead}" if instead else "compiled"
    return None if instead else Running(job, plan, rates)


def _why_exact(job: Job, plan: Plan) -> str:
    """Why the exact engine is the better choice, as the end of a sentence; empty where it is not."""
    steps = plan.order.steps * job.recipe.epochs
    if steps < FEWEST:
        return f"there are only {steps} steps"
    rehearsal = rehearse(job, plan)
    expected = steps * rehearsal.seconds
    if not library.is_built(plan.X.dtype) and expected < COMPILING:
        return f"its {expected:.2g} s are less than compiling would take"
    try:
        same, seconds = rehearsal.agrees(plan, job)
    except library.NoLibrary as error:
        return str(error)
    if not same:
        return "the first steps are so sensitive to rounding that the compiled loop's differ"
    if seconds > rehearsal.seconds:
        return "PyTorch is faster on steps of this size"
    return ""
