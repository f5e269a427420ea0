"""The convex proxy of constraints on rates: the reference's numbers, an independent program, and its proofs."""

import numpy as np
import pytest
from constraint_cases import hinge_program, noisy, problem_of

import sightline as sl
from sightline.constraints.interior import solve
from sightline.constraints.proxy import optimum, program


@pytest.mark.parametrize(
    "rows, value, multiplier", [(100, 1.0455740437, 2.16191), (1000, 0.9381561417, 1.37844)]
)  # computed independently by linear programming, primal and dual: the reference's case A
def test_reference_case(rows, value, multiplier):
    X, y = noisy(0, rows, rows // 5)
    result = sl.fit(X, y, loss="hinge", subject_to=[sl.recall() >= 0.9], delta=None, time_limit=0, warn=False)
    proxy = result.constraints.proxy
    assert proxy.value == pytest.approx(value, abs=1e-9)
    assert proxy.gap <= 1e-8
    assert result.constraints.multipliers[0] == pytest.approx(multiplier, abs=1e-5)
    z = (X @ proxy.weight.numpy().T)[:, 0] + proxy.bias.numpy()
    assert np.maximum(0, 1 - z[y > 0]).mean() <= 0.1 + 1e-12
    assert proxy.rates[0] >= 0.9


@pytest.mark.parametrize(
    "constraints",
    [
        [sl.recall() >= 0.8],
        [sl.false_positive_rate() <= 0.3],
        [sl.specificity() >= 0.7],
        [sl.recall(of=-1) >= 0.6],
        [sl.selection_rate() <= 0.45],
        [sl.precision() >= 0.35, sl.recall() >= 0.7],
        [sl.accuracy() >= 0.2, sl.recall() >= 0.7],
    ],
    ids=str,
)
def test_agrees_with_a_linear_program(constraints):
    X, y = noisy(3, 90, 18, columns=4)
    q = problem_of(X, y, constraints)
    found = optimum(q.losses, q.budgets)
    independent = hinge_program(X, y, q.budgets)
    if independent.status == 2:
        assert found.solved is None and found.excess > 0
    else:
        assert found.solved.value == pytest.approx(independent.fun, rel=1e-8)
        assert found.solved.gap <= 1e-9


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge"])
@pytest.mark.parametrize("strength", [None, 0.01])
def test_gap_of_every_loss(loss, strength):
    X, y = noisy(1, 200, 40)
    q = problem_of(X, y, [sl.recall() >= 0.85, sl.recall(where=X[:, 0] > 0, name="a") >= 0.9], loss, strength)
    found = optimum(q.losses, q.budgets)
    assert 0 <= found.solved.gap <= 1e-8
    # The bound is one: at any weights that keep the budgets the objective is above it.
    run = program(q.losses, q.budgets)
    draw = np.random.RandomState(0)
    kept = 0
    for _ in range(300):
        w = found.solved.w * draw.uniform(0.8, 1.4) + 0.05 * draw.normal(size=len(found.solved.w))
        w[-1] += draw.uniform(0, 0.5)
        if (run.used(w) <= run.budget).all():
            kept += 1
            assert run.objective(w) >= found.solved.bound
    assert kept > 10


def test_bounds_hold_for_any_multipliers():
    X, y = noisy(2, 80, 16)
    q = problem_of(X, y, [sl.recall() >= 0.9], "logistic")
    run = program(q.losses, q.budgets)
    best = solve(run)
    draw = np.random.RandomState(1)
    finite = 0
    for _ in range(50):
        w = best.w + draw.normal(size=len(best.w))
        bound = run.lower_bound(w, draw.uniform(0, 0.05, len(run.row)), draw.uniform(0, 3, len(run.budget)))
        finite += np.isfinite(bound)
        assert bound <= best.value + 1e-12
    assert finite > 5


def test_says_what_cannot_be_kept():
    X, y = noisy(0, 100, 20)
    result = sl.fit(
        X, y, loss="hinge", subject_to=[sl.recall() >= 0.9, sl.false_positive_rate() <= 0.05], delta=None, time_limit=0,
        warn=False,
    )  # fmt: skip
    proxy = result.constraints.proxy
    assert proxy.infeasible and proxy.weight is None
    assert "cannot be kept by any weights" in str(result.constraints)
    assert hinge_program(X, y, result.problem.budgets).status == 2


def test_weights_count_rows():
    X, y = noisy(4, 60, 12, columns=3)
    weight = np.random.RandomState(0).randint(0, 4, 60)
    group = X[:, 0] > 0
    repeated = np.repeat(np.arange(60), weight)
    asked = {"loss": "hinge", "delta": None, "time_limit": 0, "warn": False}
    a = sl.fit(X, y, sample_weight=weight, subject_to=[sl.recall(where=group) >= 0.9], **asked)
    b = sl.fit(X[repeated], y[repeated], subject_to=[sl.recall(where=group[repeated]) >= 0.9], **asked)
    assert a.constraints.proxy.value == pytest.approx(b.constraints.proxy.value, rel=1e-9)
    assert a.constraints.proxy.rates == pytest.approx(b.constraints.proxy.rates)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge"])
def test_separable_rows(loss):
    """The loss can be made as small as one likes, or vanishes: no loss is negative, so the gap is the value at most."""
    X, y = noisy(0, 30, 0, columns=10)
    q = problem_of(X, y, [sl.recall() >= 0.9, sl.precision() >= 0.9], loss)
    solved = optimum(q.losses, q.budgets).solved
    assert 0 <= solved.gap <= solved.value < 1e-5


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge"])
def test_scales_of_columns_change_nothing(loss):
    X, y = noisy(5, 120, 24, columns=5)
    scale = np.array([1e-7, 1e-3, 1.0, 1e4, 1e8])
    asked = {"loss": loss, "subject_to": [sl.recall() >= 0.9], "delta": None, "time_limit": 0, "warn": False}
    a, b = sl.fit(X, y, **asked).constraints, sl.fit(X * scale + 10 * scale, y, **asked).constraints
    assert b.proxy.value == pytest.approx(a.proxy.value, rel=1e-8)
    assert b.proxy.gap <= 1e-8
    assert b.multipliers == pytest.approx(a.multipliers, rel=1e-4)
