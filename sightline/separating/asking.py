"""``sl.separation``: complete, quasi-complete or none, with the proof, before any fit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.coefficient import INTERCEPT
from sightline.cone import Cone, Mask
from sightline.exact import Floats, Integers
from sightline.objective import Objective
from sightline.separability import Falling, falling_direction
from sightline.separating.dependent import dependent_exactly
from sightline.separating.extents import FINITE, UNKNOWN, fates, null_space
from sightline.separating.overlap import Overlap, Problem
from sightline.separating.question import Question, ask, fallen, question, row_weight
from sightline.separating.separation import Direction, Fate, Kind, Separation

ALIASED = "aliased"


def separation(
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    offset: Any = None,
    fit_intercept: bool = True,
    classes: Sequence[Any] | None = None,
    columns: Sequence[str] | None = None,
    reference: Any = None,
    seconds: float = 60.0,
) -> Separation:
    """Whether classes are separated by a linear model: which rows, which coefficients, and the direction as proof.

    Parameters
    ----------
    X : (n, p) tensor, array, frame or SciPy sparse matrix.  y : (n,) labels of two or more classes.
    sample_weight : (n,) >= 0.  Separation does not depend on positive weights; rows of weight zero have no part in it.
    offset : (n,) added to the scores; it matters to ``limit_fit`` alone.
    fit_intercept : whether the model has an intercept.  classes : all labels where y may lack some.
    columns : names of the columns.  reference : with more than two classes, the one against which coefficients are
        told; the first by default.
    seconds : what the search may take; what it has not settled by then is said to be open.

    Returns
    -------
    Separation.  Its direction is verified in exact arithmetic (or to within the rounding of the data, which it says).
    The fates of the coefficients come from linear programs in float64.

    Raises
    ------
    DataError : the rows cannot be used; the message names column and row.

    Sources: Albert & Anderson, Biometrika 71 (1984); Konis, "Linear programming algorithms for detecting separated
    data in binary logistic regression models" (2007); Geyer, Electron. J. Statist. 3 (2009) for the limit.

    >>> import sightline as sl
    >>> found = sl.separation([[1.0, 3], [2, 1], [3, 2], [3, 2]], [0, 0, 1, 0], columns=["dose", "age"])
    >>> found.kind, found.n_rows
    ('quasi-complete', 2)
    """
    asked = ask(
        X, y, sample_weight=sample_weight, offset=offset, fit_intercept=fit_intercept, classes=classes,
        columns=columns, reference=reference,
    )  # fmt: skip
    return answer(asked, seconds)


def separation_of(objective: Objective, seconds: float = 60.0) -> Separation:
    """``separation`` for those who have a logistic or softmax ``Objective``; its penalty plays no part.

    Raises
    ------
    ValueError : the loss has no classes, or its labels are soft.
    """
    if objective.loss.name not in ("logistic", "softmax") or getattr(objective.loss, "soft", False):
        raise ValueError(f"the {objective.loss} loss has no separation: it is about logistic and softmax models.")
    return answer(question(objective), seconds)


def answer(asked: Question, seconds: float) -> Separation:
    """Work it out."""
    deadline = time.perf_counter() + seconds
    falling = falling_direction(asked.reduced, seconds=seconds)
    if falling is None and not asked.whole:
        # A column that is a combination of others in float64 may not be one exactly.
        found = falling_direction(asked.objective, seconds=seconds)
        if found is not None:
            falling, asked = found, asked.with_all_columns()
    cone = Cone(asked.reduced)
    fall = np.zeros_like(cone.active) if falling is None else falling.fall
    tight = cone.active & ~fall
    offset = asked.objective.data.offset
    shift = None if offset is None or cone.codes is not None else offset.cpu().numpy()
    problem, known = None, None
    if tight.any():
        problem = Problem(cone, tight, row_weight(asked.objective), shift)
        known = problem.solve(deadline)
    rows = asked.rows
    kind: Kind = "none" if falling is None else "complete" if not tight.any() else "quasi-complete"
    data = asked.objective.data
    assert data.classes is not None
    moved = fallen(fall)
    return Separation(
        kind=kind,
        rows=rows[moved],
        settled=rows[np.asarray(falling.settled)] if falling is not None else rows[:0],
        direction=None if falling is None else _direction(asked, falling),
        coefficients=tuple(_coefficients(asked, cone, falling, tight, problem, deadline)),
        overlap=_overlap(cone, tight, problem, known, falling),
        n=asked.objective.n,
        classes=data.classes,
        reference=data.classes[asked.reference],
        absent=_absent(asked.objective),
        _question=asked, _problem=problem, _known=known,
    )  # fmt: skip


def _overlap(
    cone: Cone, tight: Mask, problem: Problem | None, known: Overlap | None, falling: Falling | None
) -> str:
    if problem is None:
        return ""
    if not problem.feasible:
        return "not proven"
    if len(problem.columns) == 0:
        return "proven"  # these margins are zero in every direction
    if known is None or not known.radius < 1:
        return "not proven"
    dependent = problem.width - len(problem.columns)
    # One dimension is that of the direction itself, under which these margins are zero exactly.
    exact = falling is not None and falling.witness.verified == "exact"
    if dependent == 0 or (dependent == 1 and exact):
        return "proven"
    return "proven" if exact and dependent_exactly(cone, tight, problem.columns, problem.width) else "rounding"


def _absent(objective: Objective) -> tuple[Any, ...]:
    """Classes without rows."""
    y, known = objective.data.y, objective.data.classes
    assert known is not None
    codes = (y > 0).long() if objective.outputs is None else y
    have = set(codes.unique().tolist())
    return tuple(label for k, label in enumerate(known) if k not in have)


def _direction(asked: Question, falling: Falling) -> Direction:
    """The direction over all columns, those left out at zero."""
    U, p = falling.direction, asked.objective.p
    outputs = U.shape[1]
    whole: Integers = np.zeros((outputs, p + 1), dtype=object)
    inner = len(asked.kept) if len(U) >= len(asked.kept) else 0
    if inner:
        whole[:, asked.kept] = U[:inner].T
    if asked.objective.intercept:
        whole[:, p] = U[-1]
    top = max(abs(int(u)) for u in whole.reshape(-1))
    unit = 1 if top < 2**53 else top
    floats = np.array([[int(u) / unit for u in row] for row in whole], dtype=np.float64)
    return Direction(floats[:, :p], floats[:, p], whole, falling.witness.verified or "rounding")


def _coefficients(
    asked: Question, cone: Cone, falling: Falling | None, tight: Mask, problem: Problem | None, deadline: float
) -> list[Fate]:
    objective = asked.objective
    outputs = [0] if objective.outputs is None else [k for k in range(objective.outputs) if k != asked.reference]
    inner = list(range(cone.p)) if not objective.intercept else [cone.p, *range(cone.p)]
    if falling is None:
        told = [FINITE] * (len(outputs) * len(inner))
    elif problem is not None and not problem.feasible:
        told = [UNKNOWN] * (len(outputs) * len(inner))
    else:
        E = functionals(cone, asked.reference)
        R = problem.triangle if problem is not None else np.zeros((0, E.shape[1]))
        told = fates(cone, falling.fall, R, E, _inside(cone, falling, R), deadline)
    step = np.zeros((len(outputs), objective.p + 1))
    if falling is not None:
        arrow = _direction(asked, falling)
        table = np.column_stack([arrow.coef, arrow.intercept])
        step = table if objective.outputs is None else np.delete(table - table[asked.reference], asked.reference, 0)
    assert objective.data.classes is not None
    found = []
    columns = {int(j): a for a, j in enumerate(asked.kept)}
    for b, k in enumerate(outputs):
        label = "" if objective.outputs is None else str(objective.data.classes[k])
        part = told[b * len(inner) : (b + 1) * len(inner)]
        if objective.intercept:
            found.append(Fate(INTERCEPT, label, part[0], float(step[b, -1])))
        part = part[1:] if objective.intercept else part
        for j, name in enumerate(asked.names):
            fate = part[columns[j]] if j in columns else ALIASED
            found.append(Fate(name, label, fate, float(step[b, j])))
    return found


def functionals(cone: Cone, reference: int, plain: bool = False) -> Floats:
    """The user's coefficients, intercept first, class after class without the reference, as rows over the flattened
    working direction: (f, q), each brought to a largest entry of one unless ``plain``."""
    size, blocks = cone.size, max(cone.classes - 1, 1)
    one = np.zeros((size, size))
    start = 0
    if cone.intercept:
        one[0, : cone.p] = -cone.shift / cone.scale
        one[0, cone.p] = 1.0
        start = 1
    one[start + np.arange(cone.p), np.arange(cone.p)] = 1 / cone.scale
    if not plain:
        one /= np.maximum(np.abs(one).max(1, keepdims=True), 1e-300)
    if cone.codes is None:
        return one
    parts = []
    for k in range(cone.classes):
        if k == reference:
            continue
        E = np.zeros((size, blocks * size))
        for c, sign in ((k, 1.0), (reference, -1.0)):
            if c > 0:
                E[:, (c - 1) * size : c * size] += sign * one
        parts.append(E)
    return np.vstack(parts)


def _inside(cone: Cone, falling: Falling, tight: Floats) -> Floats:
    """The verified direction as a flattened one in working units."""
    U = falling.direction
    top = max(abs(int(u)) for u in U.reshape(-1))
    V = np.array([[int(u) / top for u in row] for row in U], dtype=np.float64)
    if cone.intercept:
        V[cone.p] += cone.shift @ V[: cone.p]
    V[: cone.p] *= cone.scale[:, None]
    flat = (V if cone.codes is None else V[:, 1:] - V[:, :1]).T.reshape(-1)
    Z = null_space(tight)
    return np.asarray(Z @ (Z.T @ flat))
