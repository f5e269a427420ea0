"""Which method for which problem, and why."""

from __future__ import annotations

from sightline.objective import Objective
from sightline.solvers.base import Solver
from sightline.solvers.newton import Newton

SOLVERS: dict[str, type[Solver]] = {Newton.name: Newton}


def choose(objective: Objective, wanted: str | Solver = "auto") -> tuple[Solver, str]:
    """The solver for a problem and the reason for it.

    Raises
    ------
    ValueError : no solver has that name, or the one asked for cannot solve this problem.
    """
    if wanted == "auto":
        return Newton(), "few columns and a smooth loss"
    if isinstance(wanted, str):
        if wanted not in SOLVERS:
            raise ValueError(f"solver={wanted!r} is not a solver; choose one of auto, {', '.join(SOLVERS)}.")
        wanted = SOLVERS[wanted]()
    refusal = wanted.refuses(objective)
    if refusal:
        raise ValueError(f"solver {wanted.name!r} {refusal}; leave solver='auto'.")
    return wanted, "asked for"
