"""Constraints on rates as budgets of errors: what solvers see of them.

With h_i = 1 where the second class is predicted, every constraint is

    Σ_i up_i (1 - h_i) + down_i h_i  <=  budget,      up, down >= 0,

``up`` for rows that it wants to be predicted positive and ``down`` for the others.  Replacing 1 - h_i by the hinge
max(0, 1 - z_i) and h_i by max(0, 1 + z_i), which are never smaller, gives a convex set inside: the proxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.constraints.rates import Constraint, Rate
from sightline.data import DataError

Array = np.ndarray
SLACK = 1e-9  # by which a sum of shares may miss its budget: rounding


@dataclass(frozen=True)
class Sums:
    """A rate as a quotient of sums:  (gain·h + constant) / (size·h + fixed)."""

    gain: Array
    constant: float
    size: Array | None
    fixed: float


@dataclass(frozen=True)
class Budgets:
    """Constraints as budgets of errors.

    up, down : (K, n) >= 0.  budget : (K,).  names : of each.  convex : (K,) booleans, whether the hinge bound of it is
    part of the proxy.  owner : (K,) int, the constraint it comes from.  constraints : as they were given.
    """

    up: Array
    down: Array
    budget: Array
    names: tuple[str, ...]
    convex: Array
    owner: Array
    constraints: tuple[Constraint, ...]

    def errors(self, h: Array) -> Array:
        """What each budget bears, (K,), for predictions h (n,) of booleans."""
        return self.up @ ~h + self.down @ h

    def kept(self, h: Array) -> bool:
        """Whether predictions h keep every budget."""
        return bool((self.errors(h) <= self.budget + SLACK).all())

    @property
    def one_sided(self) -> bool:
        """No row is wanted on a side while another is wanted on the other."""
        return not (self.up.any() and self.down.any())


class Coded:
    """Labels and weights by which rates are counted.

    positive : (n,) booleans, rows of the second class.  weight : (n,) >= 0.  classes : both labels.  kept : (n_all,)
    booleans where rows of weight zero were left out, or None.
    """

    def __init__(self, positive: Array, weight: Array, classes: tuple[Any, ...], kept: Array | None = None) -> None:
        self.positive, self.weight, self.classes, self.kept = positive, weight, classes, kept

    def take(self, rows: Array) -> Coded:
        """The chosen rows; masks of groups are then of all rows still, and found by ``kept``."""
        kept = np.zeros(len(self.positive), bool) if self.kept is None else np.zeros(len(self.kept), bool)
        kept[rows if self.kept is None else np.flatnonzero(self.kept)[rows]] = True
        return Coded(self.positive[rows], self.weight[rows], self.classes, kept)

    def group(self, rate: Rate) -> Array:
        """The rows of the rate's group, (n,) booleans.

        Raises
        ------
        DataError : the mask is of another length, not of booleans, or empty.
        """
        n = len(self.positive)
        if rate.where is None:
            return np.ones(n, bool)
        where = rate.where
        where = where.detach().cpu().numpy() if hasattr(where, "detach") else np.asarray(where)
        total = n if self.kept is None else len(self.kept)
        if where.ndim != 1 or len(where) != total:
            raise DataError(f"{rate}: where has shape {where.shape}; it must be ({total},), a boolean for each row.")
        if where.dtype.kind not in "bui" or not np.isin(where, (0, 1)).all():
            raise DataError(f"{rate}: where holds {where.dtype} values; it must hold booleans, as in group == 'a'.")
        if not where.any():
            raise DataError(f"{rate}: no row is in this group; its rate does not exist.")
        where = where.astype(bool)
        return where if self.kept is None else where[self.kept]

    def class_rows(self, rate: Rate) -> tuple[Array, bool]:
        """(rows of the class that the rate speaks of, whether that is the second class)."""
        if rate.of is None or rate.of == self.classes[1]:
            return self.positive, True
        if rate.of == self.classes[0]:
            return ~self.positive, False
        # A label from a text, such as one on the command line.
        if str(rate.of) in (str(self.classes[0]), str(self.classes[1])):
            second = str(rate.of) == str(self.classes[1])
            return (self.positive, True) if second else (~self.positive, False)
        raise DataError(f"{rate}: y has no class {rate.of!r}; its classes are {list(self.classes)}.")


def sums(rate: Rate, rows: Coded) -> Sums:
    """The rate as a quotient of sums over the rows.

    Raises
    ------
    DataError : the class or the group has no row to count.
    """
    inside = rows.group(rate)
    ours, second = rows.class_rows(rate)
    w = rows.weight * inside
    of_class, others = w * ours, w * ~ours
    need = {"recall": of_class, "false_positive_rate": others, "specificity": others}.get(rate.kind, w)
    if not need.sum() > 0:
        label = rows.classes[int(ours is rows.positive)] if rate.kind == "recall" else "the other class"
        raise DataError(f"{rate}: no row of {label!r} counts here, so this rate does not exist.")
    sign = 1.0 if second else -1.0  # h counts the second class; the other is predicted where 1 - h = 1

    def selected(v: Array) -> tuple[Array, float]:
        """Σ v over the rows predicted as the rate's class, as (coefficients of h, constant)."""
        return sign * v, 0.0 if second else float(v.sum())

    if rate.kind == "recall":
        return Sums(*selected(of_class), None, float(of_class.sum()))
    if rate.kind == "false_positive_rate":
        return Sums(*selected(others), None, float(others.sum()))
    if rate.kind == "specificity":
        gain, constant = selected(others)
        return Sums(-gain, float(others.sum()) - constant, None, float(others.sum()))
    if rate.kind == "selection_rate":
        return Sums(*selected(w), None, float(w.sum()))
    if rate.kind == "accuracy":
        gain, constant = selected(of_class - others)
        return Sums(gain, constant + float(others.sum()), None, float(w.sum()))
    gain, constant = selected(of_class)
    size, fixed = selected(w)
    return Sums(gain, constant, size, fixed)


def measured(constraint: Constraint, rows: Coded, h: Array) -> float:
    """The rate, or the difference, for predictions h (n,) of booleans; NaN for the precision of nothing."""
    both = [constraint.rate.first, constraint.rate.second]
    values = []
    for rate in both:
        if rate is None:
            continue
        s = sums(rate, rows)
        under = s.fixed + (0.0 if s.size is None else float(s.size @ h))
        values.append((float(s.gain @ h) + s.constant) / under if under > 0 else float("nan"))
    value = values[0] - values[1] if len(values) == 2 else values[0]
    return abs(value) if constraint.rate.absolute else value


def holds(constraint: Constraint, value: float) -> bool:
    """Whether a measured value is as asked; a NaN never is."""
    if constraint.sense == ">=":
        return value >= constraint.level - SLACK
    return value <= constraint.level + SLACK


def compile_budgets(constraints: Sequence[Constraint], rows: Coded) -> Budgets:
    """Budgets of errors for constraints.

    Raises
    ------
    DataError : a class or group that is not there, or constraints that no predictions at all can meet.
    TypeError : something else than a constraint.
    """
    made: list[tuple[Array, float, str, bool, int]] = []
    for k, constraint in enumerate(constraints):
        if not isinstance(constraint, Constraint):
            raise TypeError(
                f"subject_to holds {constraint!r}; it takes constraints such as sl.recall() >= 0.9, in a list."
            )
        made += [(*line, k) for line in _lines(constraint, rows)]
    n = len(rows.positive)
    up, down, budget = np.zeros((len(made), n)), np.zeros((len(made), n)), np.zeros(len(made))
    for k, (coefficient, most, _, _, _) in enumerate(made):
        up[k], down[k] = np.maximum(-coefficient, 0.0), np.maximum(coefficient, 0.0)
        budget[k] = most + up[k].sum()
    result = Budgets(
        up, down, budget, tuple(m[2] for m in made), np.array([m[3] for m in made], bool),
        np.array([m[4] for m in made], int), tuple(constraints),
    )  # fmt: skip
    _refuse_contradictions(result)
    return result


def _lines(constraint: Constraint, rows: Coded) -> list[tuple[Array, float, str, bool]]:
    """coefficient·h <= most, one line or two, in units of the rate."""
    rate, level, name = constraint.rate, constraint.level, str(constraint)
    first = sums(rate.first, rows)
    if rate.second is not None:
        second = sums(rate.second, rows)
        gain = first.gain / first.fixed - second.gain / second.fixed
        constant = first.constant / first.fixed - second.constant / second.fixed
        lines = []
        if constraint.sense == "<=":
            lines.append((gain, level - constant, name, True))
        if constraint.sense == ">=" or rate.absolute:
            least = level if constraint.sense == ">=" else -level
            lines.append((-gain, constant - least, name, True))
        return lines
    sign = 1.0 if constraint.sense == "<=" else -1.0
    if first.size is None:
        return [(sign * first.gain / first.fixed, sign * (level - first.constant / first.fixed), name, True)]
    # (gain - level size)·h  against  level fixed - constant, per row that may count
    scale = float(np.abs(first.gain).sum()) or 1.0
    coefficient = sign * (first.gain - level * first.size) / scale
    most = sign * (level * first.fixed - first.constant) / scale
    lines = [(coefficient, most, name, True)]
    inside = np.abs(first.size) / np.abs(first.size).sum()
    least = float(inside[inside > 0].min())
    # A precision exists only where something is selected: at least one row must be.
    chosen = np.sign(first.size) * inside
    nothing = 0.0 if first.fixed == 0 else 1.0
    lines.append((-chosen, nothing - least + SLACK, f"{rate.first} exists", False))
    return lines


def _refuse_contradictions(budgets: Budgets) -> None:
    """Whether any predictions at all, by a linear program over the kinds of rows that the constraints tell apart."""
    from scipy.optimize import linprog

    table = budgets.down - budgets.up
    kinds, inverse = np.unique(table, axis=1, return_inverse=True)
    count = np.bincount(inverse.reshape(-1), minlength=kinds.shape[1])
    limit = budgets.budget - budgets.up.sum(1) + SLACK
    met = linprog(np.zeros(kinds.shape[1]), kinds * count, limit, bounds=(0, 1))
    if met.status == 2:
        raise DataError(
            "these constraints contradict each other, whatever is predicted: "
            + " and ".join(dict.fromkeys(str(c) for c in budgets.constraints))
            + "; leave one out or move its level."
        )
