"""What must not change an optimum does not: order and copies of rows, units, doubled columns, names of labels.

Every loss with every penalty; the objective agrees to 1e-9 of its size and the scores to what that implies.
"""

import numpy as np
import pytest

import sightline as sl

LOSSES = ["squared", "logistic", "softmax", "hinge", "squared_hinge", "huber", "poisson", "quantile"]
PENALTIES = {
    "none": sl.Penalty(),
    "l2": sl.L2(0.1),
    "l1": sl.L1(0.02),
    "elasticnet": sl.ElasticNetPenalty(0.05, 0.5),
}
TOL = 1e-10

problems = pytest.mark.parametrize(
    ("loss", "penalty"), [(loss, name) for loss in LOSSES for name in PENALTIES], ids=lambda v: v
)
seeds = pytest.mark.parametrize("seed", [0])


def rows(loss, seed, n=50, p=4):
    """X, y and whole weights."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    z = X @ rng.normal(size=p) + 1.5 * rng.normal(size=n)
    if loss in ("logistic", "hinge", "squared_hinge"):
        y = (z > np.median(z)).astype(int)
    else:
        thirds = np.digitize(z, np.quantile(z, [0.3, 0.7]))
        y = {"poisson": rng.poisson(np.exp(0.3 * z)), "softmax": thirds}.get(loss, z)
    return X, y, rng.integers(1, 4, n)


def fit(X, y, loss, penalty, weight=None):
    result = sl.fit(X, y, loss=loss, penalty=penalty, sample_weight=weight, tol=TOL)
    assert result.certificate.optimal, str(result.certificate)
    return result


def agree(one, two, X, other=None, sign=1.0):
    """Objectives to 1e-9, scores to 1e-6 (of their size): a gap of 1e-10 leaves a smooth valley that much room."""
    a, b = one.certificate.value, two.certificate.value
    assert abs(a - b) <= 1e-9 * abs(a)
    z, w = one.scores(X), two.scores(X if other is None else other)
    assert float((z - sign * w).abs().max()) <= 1e-6 * (1 + float(z.abs().max()))


@problems
@seeds
def test_order_of_rows(loss, penalty, seed):
    X, y, weight = rows(loss, seed)
    order = np.random.default_rng(seed + 1).permutation(len(y))
    penalty = PENALTIES[penalty]
    agree(fit(X, y, loss, penalty, weight), fit(X[order], y[order], loss, penalty, weight[order]), X)


@problems
@seeds
def test_weights_are_copies(loss, penalty, seed):
    X, y, weight = rows(loss, seed)
    copies = np.repeat(np.arange(len(y)), weight)
    penalty = PENALTIES[penalty]
    one = fit(X, y, loss, penalty, weight)
    agree(one, fit(X[copies], y[copies], loss, penalty), X)
    agree(one, fit(X, y, loss, penalty, weight * 1e3), X)


@problems
@seeds
def test_stacked_rows(loss, penalty, seed):
    X, y, _ = rows(loss, seed)
    penalty = PENALTIES[penalty]
    agree(fit(X, y, loss, penalty), fit(np.vstack([X, X]), np.concatenate([y, y]), loss, penalty), X)


@problems
@seeds
def test_units(loss, penalty, seed):
    """Without a penalty each column may have its own unit, and origin; with one, all share a factor that the strengths
    follow."""
    X, y, _ = rows(loss, seed)
    kind = PENALTIES[penalty]
    one = fit(X, y, loss, kind)
    if kind.none:
        other = X * 10.0 ** np.random.default_rng(seed).integers(-6, 7, X.shape[1])
        agree(one, fit(other, y, loss, kind), X, other)
        moved = X + np.array([10.0, -3, 0, 100])
        agree(one, fit(moved, y, loss, kind), X, moved)
    else:
        for factor in (1e-4, 1e3):
            agree(one, fit(X * factor, y, loss, sl.Penalty(kind.l1 * factor, kind.l2 * factor**2)), X, X * factor)


@problems
@seeds
def test_doubled_columns(loss, penalty, seed):
    """[X, X] gives the scores of X: each coefficient is shared between its two columns."""
    X, y, _ = rows(loss, seed)
    kind = PENALTIES[penalty]
    other = np.hstack([X, X])
    two = fit(other, y, loss, sl.Penalty(kind.l1, 2 * kind.l2))
    agree(fit(X, y, loss, kind), two, X, other)
    p = X.shape[1]
    if kind.l1 == 0:
        assert np.allclose(two.weight[:, :p], two.weight[:, p:], atol=1e-6)
    if kind.none:
        assert two.certificate.verdict is sl.Verdict.NOT_UNIQUE


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
@seeds
def test_labels_swapped(loss, penalty, seed):
    X, y, weight = rows(loss, seed)
    kind = PENALTIES[penalty]
    one = fit(X, y, loss, kind, weight)
    if loss == "softmax":
        two = fit(X, 2 - y, loss, kind, weight)
        p, q = one.predict_proba(X), two.predict_proba(X).flip(1)
        assert abs(one.certificate.value - two.certificate.value) <= 1e-9 * one.certificate.value
        assert float((p - q).abs().max()) <= 1e-6
    elif loss in ("logistic", "hinge", "squared_hinge"):
        agree(one, fit(X, 1 - y, loss, kind, weight), X, sign=-1.0)
        words = np.array(["yes", "no"])[y]  # sorted, "no" comes first
        agree(one, fit(X, words, loss, kind, weight), X, sign=-1.0)
    elif loss != "poisson":
        agree(one, fit(X, -y, loss, kind, weight), X, sign=-1.0)


@pytest.mark.parametrize("loss", LOSSES)
def test_same_data_same_bits(loss):
    X, y, weight = rows(loss, 0)
    one, two = (fit(X, y, loss, sl.L2(0.1), weight) for _ in range(2))
    assert (one.weight == two.weight).all() and (one.bias == two.bias).all()
