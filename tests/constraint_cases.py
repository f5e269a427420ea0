"""Data and independent solutions for the tests of constraints on rates."""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

import sightline as sl
from sightline.constraints.problem import make_problem
from sightline.losses import as_loss
from sightline.objective import problem


def noisy(seed, rows, flips, columns=10):
    """Labels by a hidden line, some of them inverted: the data of the example of TensorFlow's constrained optimization
    library (tfco), in its order of draws."""
    draw = np.random.RandomState(seed)
    truth = draw.normal(size=columns) / np.sqrt(columns)
    X = draw.normal(size=(rows, columns)).astype(np.float32) / np.sqrt(columns)
    label = X @ truth > 0
    flipped = draw.choice(rows, flips, replace=False)
    label[flipped] = ~label[flipped]
    return X.astype(np.float64), np.where(label, 1, -1)


def problem_of(X, y, constraints, loss="hinge", strength=None, penalty="l2", offset=None):
    chosen = as_loss(loss)
    data = sl.make_data(X, y, chosen, offset=offset)
    objective = problem(data, chosen, None if strength is None else penalty, strength, None, None, True)
    return make_problem(objective, constraints)


def hinge_program(X, y, budgets):
    """Case A's kind of problem as a linear program in weights, losses and hinges of the budgets, by HiGHS."""
    n, p = X.shape
    T = np.c_[X, np.ones(n)]
    convex = budgets.convex
    K = int(convex.sum())
    # variables: weights, loss hinge, hinge upwards, hinge downwards
    eye, none = np.eye(n), np.zeros((n, n))
    above = [
        np.c_[-y[:, None] * T, -eye, none, none], np.c_[-T, none, -eye, none], np.c_[T, none, none, -eye],
        np.c_[np.zeros((K, p + 1 + n)), budgets.up[convex], budgets.down[convex]],
    ]  # fmt: skip
    limit = np.r_[-np.ones(3 * n), budgets.budget[convex]]
    cost = np.r_[np.zeros(p + 1), np.full(n, 1 / n), np.zeros(2 * n)]
    return linprog(cost, np.concatenate(above), limit, bounds=[(None, None)] * (p + 1) + [(0, None)] * (3 * n))


def integer_program(X, y, budgets, big=60.0, margin=1e-6, l1=0.0, offset=0.0):
    """The exact problem for the hinge loss as a mixed-integer program, by HiGHS: its status and value."""
    n, p = X.shape
    T, offset = np.c_[X, np.ones(n)], np.broadcast_to(offset, n)
    # variables: weights, loss hinge, predictions, sizes of the coefficients
    cost = np.r_[np.zeros(p + 1), np.full(n, 1 / n), np.zeros(n), np.full(p, l1)]
    eye, none = np.eye(n), np.zeros((n, p))
    unit, wide = np.c_[np.eye(p), np.zeros((p, 1))], np.zeros((p, 2 * n))
    K = len(budgets.budget)
    rows = [
        (np.c_[-y[:, None] * T, -eye, 0 * eye, none], y * offset - 1),
        (np.c_[-T, 0 * eye, big * eye, none], big - margin + offset),  # h = 1: score >= margin
        (np.c_[T, 0 * eye, -big * eye, none], -offset),  # h = 0: score <= 0
        (np.c_[unit, wide, -np.eye(p)], np.zeros(p)),
        (np.c_[-unit, wide, -np.eye(p)], np.zeros(p)),
        (
            np.c_[np.zeros((K, p + 1 + n)), budgets.down - budgets.up, np.zeros((K, p))],
            budgets.budget - budgets.up.sum(1) + 1e-9,
        ),
    ]
    A = sp.csr_matrix(np.concatenate([a for a, _ in rows]))
    limit = np.concatenate([b for _, b in rows])
    low = np.r_[np.full(p + 1, -np.inf), np.zeros(2 * n + p)]
    high = np.r_[np.full(p + 1 + n, np.inf), np.ones(n), np.full(p, np.inf)]
    found = milp(
        cost, constraints=LinearConstraint(A, -np.inf, limit), bounds=Bounds(low, high),
        integrality=np.r_[np.zeros(p + 1 + n), np.ones(n), np.zeros(p)], options={"mip_rel_gap": 1e-9},
    )  # fmt: skip
    return found.status, found.fun
