"""Which method for which problem, and why."""

from __future__ import annotations

from sightline.objective import Objective
from sightline.solvers.base import Solver
from sightline.solvers.direct import Direct
from sightline.solvers.lbfgs import LBFGS
from sightline.solvers.margin import InteriorPoint
from sightline.solvers.newton import Newton
from sightline.solvers.proximal import Proximal
from sightline.solvers.sampled import SampledNewton

SOLVERS: dict[str, type[Solver]] = {c.name: c for c in (Direct, Newton, SampledNewton, LBFGS, Proximal, InteriorPoint)}

NEWTON_WEIGHTS = 1500  # most weights for which a Hessian is factored at every step
NEWTON_CLASSES_WEIGHTS = 150  # the same for several classes, whose Hessian costs K² / 2 Gram matrices
SAMPLED_ELEMENTS = 2_000_000  # least rows · columns for which sampling pays


def choose(objective: Objective, wanted: str | Solver = "auto") -> tuple[Solver, str]:
    """The solver for a problem and the reason for it.

    Raises
    ------
    ValueError : no solver has that name, or the one asked for cannot solve this problem.
    """
    if wanted == "auto":
        return automatic(objective)
    if isinstance(wanted, str):
        if wanted not in SOLVERS:
            raise ValueError(f"solver={wanted!r} is not a solver; choose one of auto, {', '.join(SOLVERS)}.")
        wanted = SOLVERS[wanted]()
    refusal = wanted.refuses(objective)
    if refusal:
        raise ValueError(f"solver {wanted.name!r} {refusal}; leave solver='auto'.")
    return wanted, "asked for"


def automatic(objective: Objective) -> tuple[Solver, str]:
    """The method for this problem: the first whose reason holds."""
    if not objective.loss.smooth:
        refusal = InteriorPoint().refuses(objective)
        if refusal:
            instead = "loss='squared_hinge'" if objective.loss.name == "hinge" else "loss='huber'"
            raise ValueError(f"the {objective.loss} loss needs the solver that {refusal}; {instead} has no such limit.")
        return InteriorPoint(), "a loss with a kink"
    few = min(objective.n, objective.p) if objective.penalty.smooth else 5 * objective.p
    if objective.loss.name == "huber" and few <= NEWTON_WEIGHTS:
        return InteriorPoint(), "a loss with straight pieces"
    if not objective.penalty.smooth:
        what = "an L1 part" if objective.penalty.l1 else "a sign constraint"
        return Proximal(), f"a smooth loss and {what}"
    return smooth(objective)


def smooth(objective: Objective) -> tuple[Solver, str]:
    """The method for a smooth loss and a smooth penalty."""
    if objective.loss.quadratic and Direct().refuses(objective) is None:
        return Direct(), "least squares with a matrix small enough to factor"
    outputs, design = objective.outputs, objective.data.design
    weights = (objective.p + 1) * (outputs or 1)
    if objective.n * objective.p >= SAMPLED_ELEMENTS and SampledNewton().refuses(objective) is None:
        return SampledNewton(), "a smooth loss and many more rows than columns"
    if design.sparse and objective.p > 300 and objective.penalty.l2 > 0:
        return LBFGS(), "a smooth loss and a sparse design matrix"
    if weights <= (NEWTON_WEIGHTS if outputs is None or objective.penalty.l2 == 0 else NEWTON_CLASSES_WEIGHTS):
        return Newton(), "a smooth loss and few weights"
    return LBFGS(), "a smooth loss and many weights"
