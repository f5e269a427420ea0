"""The directions in which a loss never increases: a polyhedral cone, given by rows.

For a direction u over the weights that carry no penalty, with scores s_i = (x_i, 1)·u:

logistic   t_i s_i >= 0 (a soft label strictly between 0 and 1: s_i = 0)
softmax    s_iy - s_ik >= 0 for every other class k
Poisson    -s_i >= 0 where y_i = 0, s_i = 0 where y_i > 0

The problem has no minimum exactly when one of these numbers, the *margins*, can be positive while none is negative
(Albert & Anderson 1984; Santos Silva & Tenreyro 2010 for Poisson).  Directions are (Q, K): Q = free coefficients and
the intercept last, K = 1 or the classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.certificate import Witness
from sightline.design_matrix import SparseDesign
from sightline.exact import Floats, Integers, signs
from sightline.objective import Objective

Mask = NDArray[np.bool_]
EPS = 2.0**-52


class Cone:
    """The margins of a problem, in the user's own units.

    active : (n, K') mask of the margins that there are: K' = 1, or K for softmax (the own class is none).
    equal : (n,) mask of the rows whose score must stay as it is.
    """

    def __init__(self, objective: Objective) -> None:
        data, penalty = objective.data, objective.penalty
        held = penalty.l1 > 0 or penalty.l2 > 0
        self.objective = objective
        self.n, self.p = data.n, 0 if held else objective.p
        self.intercept = objective.intercept
        self.size = self.p + self.intercept
        self.nonnegative = penalty.positive and not held
        self.eps = float(torch.finfo(data.design.dtype).eps)
        self.classes = objective.outputs or 1
        self.codes: NDArray[np.int64] | None = None
        y = data.y.cpu().numpy()
        self.sign: Floats = np.ones(self.n)
        self.equal: Mask = np.zeros(self.n, dtype=bool)
        if objective.loss.name == "softmax":
            self.codes = y
            self.active: Mask = np.ones((self.n, self.classes), dtype=bool)
            self.active[np.arange(self.n), y] = False
        else:
            if objective.loss.name == "poisson":
                self.sign, self.equal = -self.sign, y > 0
            else:
                self.sign, self.equal = np.sign(y), np.abs(y) < 1
            self.active = np.ones((self.n, 1), dtype=bool)
        self.X: Any = np.zeros((self.n, 0))
        self.shift, self.scale = np.zeros(self.p), np.ones(self.p)
        if self.p:
            design = data.design
            if isinstance(design, SparseDesign):
                self.X = design.X.astype(np.float64)
            else:
                self.X = design.X.double().cpu().numpy()
            self._scale()

    def _scale(self) -> None:
        """Powers of two that bring every column to about one, and shifts for columns far from zero."""
        _, low, high = (v.cpu().numpy() for v in self.objective.data.design.column_statistics())
        far = np.minimum(np.abs(low), np.abs(high)) > 8 * (high - low)
        if self.intercept and not isinstance(self.objective.data.design, SparseDesign):
            self.shift = np.where(far & (low * high > 0), low, 0.0)
        spread = np.maximum(np.abs(high - self.shift), np.abs(low - self.shift))
        self.scale = np.where(spread > 0, np.ldexp(1.0, np.frexp(spread)[1]), 1.0)

    @property
    def sparse(self) -> bool:
        """X is a SciPy matrix."""
        return not isinstance(self.X, np.ndarray)

    # ------------------------------------------------------------------------------------------------- floats

    def margins(self, V: Floats, rows: Any = slice(None)) -> Floats:
        """Margins (m, K') of a float direction in working units, of the given rows."""
        U = V[: self.p] / self.scale[:, None]
        scores = self._centred(rows) @ U
        if self.intercept:
            scores = scores + V[self.p]
        return self._margins(scores, rows)

    def _centred(self, rows: Any = slice(None)) -> Any:
        X = self.X[rows]
        return X - self.shift if self.shift.any() else X

    def _margins(self, scores: Floats, rows: Any = slice(None)) -> Floats:
        if self.codes is not None:
            own = np.take_along_axis(scores, self.codes[rows][:, None], axis=1)
            return np.asarray(own - scores)
        equal = self.equal[rows][:, None]
        return np.where(equal, -np.abs(scores), scores * self.sign[rows][:, None])

    def constraints(self, i: NDArray[np.int64], k: NDArray[np.int64], *, user: bool = False) -> Any:
        """Margins (i, k) as rows over the flattened direction (class after class), (m, Q·K); a SciPy matrix where X
        is one.  With ``user`` dense and in the user's units, where they are exact up to a sign.  The gauge of
        softmax: the first class stays at zero, so there are K - 1 blocks."""
        X = self.X[i] if user else self._centred(i)
        if self.sparse and not user:
            import scipy.sparse as sp

            X = X @ sp.diags_array(1 / self.scale)
            ones = sp.csr_array(np.ones((len(i), int(self.intercept))))
            rows: Any = sp.hstack([X, ones], format="csr")
            side: Any = sp.hstack
        else:
            X = X.toarray() if self.sparse else X
            X = X if user else X / self.scale
            rows = np.hstack([X, np.ones((len(i), int(self.intercept)))])
            side = np.hstack
        if self.codes is not None:
            own = self.codes[i]
            return side([_times(rows, (own == c).astype(float) - (k == c)) for c in range(1, self.classes)])
        return rows if user else _times(rows, np.where(self.equal[i], 1.0, self.sign[i]))

    def gathered(self, active: Mask) -> Floats:
        """Sum of the active constraint rows, flattened as in ``constraints``."""
        if self.codes is None:
            G = np.where(active & ~self.equal[:, None], self.sign[:, None], 0.0)
        else:
            G = -active.astype(np.float64)
            G[np.arange(self.n), self.codes] = active.sum(1)
            G = G[:, 1:]
        total = np.asarray(self.X.T @ G)
        total = (total - self.shift[:, None] * G.sum(0)) / self.scale[:, None]
        return (np.vstack([total, G.sum(0)]) if self.intercept else total).T.reshape(-1)

    def unflat(self, flat: Floats) -> Floats:
        """(Q, K) direction from a flattened one, the gauge put back."""
        table = flat.reshape(-1, self.size).T
        return table if self.codes is None else np.hstack([np.zeros((self.size, 1)), table])

    # -------------------------------------------------------------------------------------------------- exact

    def verdicts(self, U: Integers, active: Mask) -> NDArray[np.int8]:
        """Signs of the active margins of an integer direction (Q, K) in the user's units, exactly; 0 elsewhere.

        Floats decide where their error bound allows it, integers the rest.  The first negative one ends the search.
        """
        unit = max(1, *(abs(int(u)) for u in U.reshape(-1)))
        F = np.array([[_ratio(int(u), unit) for u in row] for row in U], dtype=np.float64).reshape(U.shape)
        with np.errstate(all="ignore"):
            scores, spread = self.X @ F[: self.p], abs(self.X) @ np.abs(F[: self.p])
            if self.intercept:
                scores, spread = scores + F[-1], spread + np.abs(F[-1])
            error = 2 * (self.size + 4) * EPS * spread + 1e-290
            if self.codes is not None:
                own = self.codes[:, None]
                error = error + np.take_along_axis(error, own, 1)
            m = self._margins(scores)
            sure = np.abs(m) > 2 * error  # False where anything overflowed
        if any(int(u) and abs(f) < 1e-290 for u, f in zip(U.reshape(-1), F.reshape(-1))):
            sure[:] = False
        out = np.where(active & sure, np.sign(m), 0).astype(np.int8)
        if (out < 0).any() or (self.nonnegative and any(int(u) < 0 for u in U[: self.p].reshape(-1))):
            out[0, 0] = -1
            return out
        unsure = active & ~sure
        for i, k, v, constant in self._groups(unsure, U):
            X = self.X[i]
            s = signs(X.toarray() if self.sparse else X, v, constant)
            if self.codes is None:
                s = np.where(self.equal[i], -np.abs(s), s * self.sign[i]).astype(np.int8)
            out[i, k] = s
            if (s < 0).any():
                return out
        return out

    def _groups(self, chosen: Mask, U: Integers) -> Any:
        """(rows, class, integer vector, constant) of the chosen margins, those of one vector together."""
        def parts(v: Integers) -> tuple[list[int], int]:
            whole = [int(c) for c in v]
            return (whole[: self.p], whole[self.p]) if self.intercept else (whole, 0)

        if self.codes is None:
            i = np.flatnonzero(chosen[:, 0])
            if len(i):
                yield i, 0, *parts(U[:, 0])
            return
        for y in range(self.classes):
            own = np.flatnonzero(self.codes == y)
            for k in range(self.classes):
                i = own[chosen[own, k]]
                if k != y and len(i):
                    yield i, k, *parts(U[:, y] - U[:, k])

    def floats(self, U: Integers) -> tuple[list[list[float]], list[float]]:
        """The direction as the witness lists it: (K, p) and (K,), whole numbers where float64 holds them."""
        top = max(abs(int(u)) for u in U.reshape(-1))
        unit = 1 if top < 2**53 else top
        table = [[_ratio(int(u), unit) for u in row] for row in U]
        zeros = [0.0] * self.classes
        rows = table[: self.p] if self.p else [zeros] * self.objective.p
        bias = table[self.p] if self.intercept else zeros
        return [[row[c] for row in rows] for c in range(self.classes)], list(bias)


def _times(rows: Any, factor: Floats) -> Any:
    """Rows of an array or a SciPy matrix, each times its factor."""
    return rows * factor[:, None] if isinstance(rows, np.ndarray) else rows.multiply(factor[:, None]).tocsr()


def _ratio(u: int, unit: int) -> float:
    """u / unit, correctly rounded; integers of any length."""
    return u / unit


def _kind(cone: Cone, fall: Mask) -> str | None:
    """Complete or quasi-complete, for losses of classes."""
    if cone.objective.loss.targets not in ("binary", "classes"):
        return None
    return "complete" if bool((fall | ~cone.active).all()) else "quasi-complete"


def witness(cone: Cone, U: Integers, fall: Mask, verified: str) -> Witness:
    """The direction in words, and what can be done."""
    data, loss = cone.objective.data, cone.objective.loss.name
    coef, intercept = cone.floats(U)
    rows = int(fall.any(1).sum())
    moved = [j for j in range(cone.p) if any(int(u) for u in U[j])]
    names = [repr(data.columns[j]) if data.columns else f"number {j}" for j in moved]
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    many = "s" if len(moved) != 1 else ""
    what = f"the coefficient{many} of column{many} {listed}" if moved else "the intercept alone"
    whole = rows == data.n
    which = "all" if whole else f"{rows} of"
    how = "exact arithmetic" if verified == "exact" else "float64, to within the rounding of the data"
    cure = "Add an L2 penalty (for example C=1)"
    drop = f"remove or merge the column{many} {listed}"
    if not moved and loss == "poisson":
        why, advice = "all counts are zero", "There is no event to estimate a rate from: collect more rows."
    elif not moved:
        why, advice = "a class has no rows", "Leave that class out, or collect rows of it."
    elif loss == "poisson":
        why, advice = "the counts of all these rows are zero", f"{cure}, {drop}, or collect rows with counts there."
    elif bool((fall | ~cone.active).all()):
        why = "the columns tell the classes apart completely"
        advice = f"{cure}."
        if cone.codes is None:
            advice = f"{cure} or Firth's (penalty=sl.Firth()), or take the maximum margin (sl.MaxMarginClassifier)."
    else:
        why = "the classes do not overlap in these rows (quasi-complete separation)"
        more = " or Firth's (penalty=sl.Firth())" if cone.codes is None else ""
        limit = "take the limit fit of the others (sl.separation(X, y).limit_fit())"
        advice = f"{cure}{more}, {limit}, {drop}, or collect rows of the missing class."
    text = (
        f"Moving {what} lowers the loss of {which} {data.n} rows and raises none, without end: {why}."
        f" Checked in {how}. {advice}"
    )
    return Witness(
        "separating direction", text, coef=coef, intercept=intercept, rows=rows, columns=cone.objective.p,
        verified=verified, separation=_kind(cone, fall),
    )
