"""The limit of the maximum-likelihood fit where there is no maximum: its finite part, on the rows that overlap."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.bounds import self_concordant
from sightline.cone import Cone
from sightline.exact import Floats
from sightline.separating.asking import functionals
from sightline.separating.extents import FINITE
from sightline.separating.overlap import Overlap, Problem
from sightline.separating.question import Question
from sightline.separating.separation import Fate, Separation

SECONDS = 600.0


@dataclass(frozen=True)
class LimitFit:
    """The fit that the likelihood tends to.

    coefficients : which they are, as in ``Separation``.
    estimates, errors : (f,) float64 beside them: the estimate (inf or -inf where it has none; NaN where that depends on
        the direction or the column is aliased) and its standard error (NaN where it is not finite).
    deviance : twice the negative log-likelihood of the overlapping rows, which is the infimum for all rows.
    gap : proven bound on the negative log-likelihood above its infimum; inf where none was reached.
    rows, n : rows that overlap, rows of positive weight.  classes : the labels.

    Standard errors are from the Fisher information of the overlapping rows, for weights that are counts.
    """

    coefficients: tuple[Fate, ...]
    estimates: NDArray[np.float64]
    errors: NDArray[np.float64]
    deviance: float
    gap: float
    rows: int
    n: int
    classes: tuple[Any, ...]

    def __getitem__(self, name: Any) -> float:
        """The estimate of a column (two classes) or of (class, column)."""
        for c, value in zip(self.coefficients, self.estimates):
            if name in (c.column if not c.output else None, (c.output, c.column)):
                return float(value)
        raise KeyError(name)

    def __str__(self) -> str:
        from sightline.separating.words import limit_text

        return limit_text(self)


def limit_fit(found: Separation, asked: Question, problem: Problem | None, known: Overlap | None) -> LimitFit:
    """The limit fit of an answered question.

    Raises
    ------
    ValueError : the overlapping rows could not be solved.

    Source: C. J. Geyer, "Likelihood inference in exponential families and directions of recession", Electron. J.
    Statist. 3 (2009): the limit is the fit conditional on the rows that do not fall.
    """
    cone = Cone(asked.reduced)
    size = len(found.coefficients)
    values, errors = np.full(size, math.nan), np.full(size, math.nan)
    for j, c in enumerate(found.coefficients):
        values[j] = {"+Inf": math.inf, "-Inf": -math.inf}.get(c.fate, math.nan)
    deviance, gap = 0.0, 0.0
    if problem is not None:
        start = None if known is None else known.u
        solved = problem.solve(time.perf_counter() + SECONDS, start, proof_only=False)
        if solved is None and len(problem.columns):
            raise ValueError(
                "the rows that overlap could not be solved: they are too many, or too close to separation. An L2"
                " penalty (C=1) or penalty=sl.Firth() gives a fit."
            )
        deviance, gap = _value(problem, solved)
        if solved is not None:
            _fill(found, asked, cone, solved, values, errors)
    return LimitFit(
        found.coefficients, values, errors, deviance, gap, found.n - len(found.settled), found.n, found.classes
    )


def _value(problem: Problem, solved: Overlap | None) -> tuple[float, float]:
    if solved is None:
        return 2 * problem.at_zero(), 0.0
    return 2 * solved.loss, self_concordant(math.sqrt(max(solved.decrement, 0.0)), problem.reach(solved.information))


def _fill(
    found: Separation, asked: Question, cone: Cone, solved: Overlap, values: Floats, errors: Floats
) -> None:
    """The finite coefficients and their errors."""
    E = functionals(cone, asked.reference, plain=True)
    H = solved.information
    d = np.sqrt(H.diagonal())
    inverse = np.linalg.inv(H / d[:, None] / d)
    # What the answer lists without the columns that were left out, in its order.
    places = [j for j, c in enumerate(found.coefficients) if c.fate != "aliased"]
    for e, j in zip(E, places, strict=True):
        if found.coefficients[j].fate == FINITE:
            part = e[solved.columns] / d
            values[j] = float(e @ solved.u)
            errors[j] = math.sqrt(max(float(part @ inverse @ part), 0.0))
