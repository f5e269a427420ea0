"""Problems without a minimum: found, verified, named; and none found where there is one."""

import csv
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.certificate import Verdict
from sightline.exact import as_integers, null_vector, signs, solve_integers
from sightline.separability import falling_direction

DATA = Path(__file__).parent / "data" / "separation"


def table(name):
    with (DATA / name).open() as file:
        rows = list(csv.DictReader(file))
    return rows


def numbers(rows, *columns):
    return np.array([[float(r[c]) for c in columns] for r in rows])


def found(X, y, loss="logistic", **options):
    loss = sl.Softmax() if loss == "softmax" else sl.Poisson() if loss == "poisson" else sl.Logistic()
    intercept = options.pop("intercept", True)
    penalty = options.pop("penalty", sl.Penalty())
    data = sl.make_data(X, y, loss, **options)
    return falling_direction(sl.Objective(data, loss, penalty, intercept))


def exact_margins(X, y, witness):
    """t (x·u + c) of each row in rational arithmetic."""
    u = [Fraction(v) for v in witness.coef[0]]
    c = Fraction(witness.intercept[0])
    return [(1 if t else -1) * (sum(Fraction(float(x)) * w for x, w in zip(row, u)) + c) for row, t in zip(X, y)]


def separable_rows(X, y):
    """How many rows can fall, by one plain linear program: max Σ s, 0 <= s <= 1, margins >= s."""
    A = np.where(y[:, None], 1.0, -1.0) * np.hstack([X, np.ones((len(X), 1))])
    n, q = A.shape
    done = scipy.optimize.linprog(
        np.r_[np.zeros(q), -np.ones(n)], A_ub=np.hstack([-A, np.eye(n)]), b_ub=np.zeros(n),
        bounds=[(None, None)] * q + [(0, 1)] * n,
    )  # fmt: skip
    return round(-done.fun)


# ---------------------------------------------------------------------------------------------------- published


def endometrial():
    rows = table("endometrial.csv")
    return numbers(rows, "NV", "PI", "EH"), numbers(rows, "HG")[:, 0] > 0


def test_endometrial_names_the_column_and_fits_the_rest():
    X, y = endometrial()
    with pytest.warns(sl.ConvergenceWarning, match="NO_MINIMUM"):
        result = sl.fit(X, y, loss="logistic", columns=["NV", "PI", "EH"])
    certificate = result.certificate
    assert certificate.verdict is Verdict.NO_MINIMUM
    witness = certificate.witness
    assert witness.kind == "separating direction" and witness.verified == "exact" and witness.rows == 13
    assert "'NV'" in witness.text and "'PI'" not in witness.text and "C=1" in witness.text
    assert witness.coef[0][0] > 0 and witness.coef[0][1:] == [0, 0]
    # The rows that overlap have their optimum: deviance and coefficients of the reference.
    assert abs(2 * 79 * certificate.value - 55.39326) < 1e-5
    assert certificate.gap < 1e-12
    assert np.allclose(result.weight[0, 1:], [-0.0421834, -2.9026056], atol=1e-7)
    assert abs(float(result.bias[0]) - 4.3045178) < 1e-7


def test_sex2_dia_is_infinite():
    rows = table("sex2.csv")
    X, y = numbers(rows, "age", "oc", "vic", "vicl", "vis", "dia"), numbers(rows, "case")[:, 0] > 0
    falling = found(X, y)
    assert np.flatnonzero(falling.witness.coef[0]).tolist() == [5] and falling.witness.coef[0][5] > 0
    assert all(m >= 0 for m in exact_margins(X, y, falling.witness))


def test_lizards_have_a_minimum():
    rows = table("lizards.csv")
    X = np.array([[r["height"] == "<5ft", r["diameter"] == "<=2in", r["light"] == "sunny",
                   r["time"] == "midday", r["time"] == "late"] for r in rows], dtype=float)  # fmt: skip
    X, y = np.vstack([X, X]), np.repeat([1, 0], len(rows))
    weight = np.concatenate([numbers(rows, "grahami")[:, 0], numbers(rows, "opalinus")[:, 0]])
    assert found(X, y, sample_weight=weight) is None
    assert sl.fit(X, y, loss="logistic", sample_weight=weight).certificate.optimal


def test_detectseparation_examples():
    complete = np.array([[-1.0, 2], [-1, -2], [-2, -2], [2, 2]])
    falling = found(complete, np.array([0, 1, 1, 1]))
    assert falling.witness.rows == 4 and falling.settled.all()
    assert found(np.array([[-1.0], [0], [1], [2]]), np.array([0, 1, 0, 1])) is None


def test_aliased_columns():
    X, y = endometrial()
    doubled = np.column_stack([X[:, 0], 2 * X[:, 0], X[:, 1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        certificate = sl.fit(doubled, y, loss="logistic").certificate
    assert certificate.verdict is Verdict.NO_MINIMUM and certificate.witness.rows == 13
    assert abs(2 * 79 * certificate.value - 55.39326) < 1e-5


def test_heart_scale_overlaps():
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(str(DATA.parent / "heart_scale"))
    assert found(X, y) is None and found(X.toarray(), y) is None
    assert sl.fit(X.toarray(), y, loss="logistic").certificate.optimal


# ----------------------------------------------------------------------------------------- against a plain program


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 60), st.integers(1, 4), st.integers(1, 4))
def test_as_many_rows_as_the_plain_program_finds(seed, n, p, levels):
    rng = np.random.default_rng(seed)
    X = rng.integers(-levels, levels + 1, (n, p)).astype(float)
    y = X @ rng.integers(-2, 3, p) + rng.integers(-1, 2, n) * rng.integers(0, 2) > 0
    y[:2] = [False, True]
    falling, want = found(X, y), separable_rows(X, y)
    if want == 0:
        assert falling is None
        return
    assert falling is not None and falling.witness.verified == "exact"
    margins = exact_margins(X, y, falling.witness)
    assert min(margins) >= 0
    assert sum(m > 0 for m in margins) == falling.witness.rows == want == falling.settled.sum()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_rows_on_the_boundary_in_floats_are_found_exactly(seed):
    """Pairs of equal rows with both labels fix a plane that only exact arithmetic keeps to."""
    rng = np.random.default_rng(seed)
    pairs = np.repeat(rng.normal(size=(3, 5)), 2, axis=0)
    rest = rng.normal(size=(80, 5))
    plane = np.linalg.svd(np.hstack([pairs, np.ones((6, 1))]))[2][-1]
    X = np.vstack([pairs, rest])
    y = np.r_[[False, True] * 3, rest @ plane[:5] + plane[5] > 0]
    falling = found(X, y)
    assert falling.witness.verified == "exact" and falling.witness.rows == 80


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_category_without_events(standardised, sparse):
    rng = np.random.default_rng(3)
    group = rng.integers(0, 5, 600)
    x = rng.normal(size=600)
    y = x + rng.normal(size=600) > 0
    y[group == 3] = False
    X = np.column_stack([np.eye(5)[group][:, 1:], x])
    if standardised:
        X = (X - X.mean(0)) / X.std(0)
    falling = found(scipy.sparse.csr_array(X) if sparse else X, y)
    assert falling.witness.verified == "exact" and falling.witness.rows == (group == 3).sum()


def test_thin_overlap_is_no_separation():
    """One row on the wrong side by little is an overlap; by less than the data's rounding, the witness says so."""
    X = np.array([[0.0], [1.0], [1.0 - 1e-9], [2.0]])
    assert found(X, np.array([0, 0, 1, 1])) is None
    assert found(X, np.array([0, 1, 0, 1])).witness.rows == 4
    X[2] = 1.0 - 2**-52
    falling = found(X, np.array([0, 0, 1, 1]))
    assert falling.witness.verified == "rounding" and falling.witness.rows == 2
    assert "rounding of the data" in falling.witness.text
    assert found(X, np.array([0, 1, 0, 1])).witness.verified == "exact"


def test_offset_columns_and_extreme_scales():
    rng = np.random.default_rng(1)
    Z = rng.integers(-5, 6, (500, 4)).astype(float)
    s = Z @ np.array([1, 2, -1, 3]) - 1
    y = s > 0
    y[s == 0] = rng.integers(0, 2, (s == 0).sum())
    assert found(Z + 1e8, y).witness.rows == (s != 0).sum()
    assert found(Z * 2.0 ** np.array([400, 0, -400, 3]), y).witness.rows == (s != 0).sum()


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 300)), np.arange(40) % 2
    falling = found(X, y)
    assert falling.witness.rows == 40 and falling.settled.all()
    with pytest.warns(sl.ConvergenceWarning, match="apart completely"):
        result = sl.fit(X, y, loss="logistic")
    assert result.certificate.gap < 1e-10
    assert ((result.scores(X) > 0) == torch.from_numpy(y == 1)).all()


# ------------------------------------------------------------------------------------------------- other problems


def test_soft_labels_pin_their_rows():
    x = np.array([[-2.0], [-1], [1], [2]])
    hard = sl.Logistic(soft=True)

    def falls(q):
        return falling_direction(sl.Objective(sl.make_data(x, np.array(q), hard), hard))

    assert falls([0.0, 0, 1, 1]).witness.rows == 4
    assert falls([0.1, 0, 1, 1]) is None or falls([0.1, 0, 1, 1]).witness.rows == 3
    assert falls([0.1, 0.0, 1, 0.9]) is None


def test_softmax_drops_a_settled_class():
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    with pytest.warns(sl.ConvergenceWarning, match="NO_MINIMUM"):
        result = sl.fit(X, y, loss="softmax")
    falling = found(X, y, "softmax")
    assert falling.settled[:50].all() and not falling.settled[50:].any()
    two = sl.fit(X[50:], y[50:], loss="logistic").certificate
    assert abs(result.certificate.value - two.value * 100 / 150) < 1e-9
    assert result.certificate.gap < 1e-9


def test_softmax_with_an_absent_class():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    for penalty in (sl.Penalty(), sl.L2(0.1)):
        falling = found(X, y, "softmax", classes=[0, 1, 2], penalty=penalty)
        assert falling.witness.rows == 60 and not falling.settled.any()
        assert falling.witness.coef == [[0, 0]] * 3
        assert falling.witness.intercept[2] < min(falling.witness.intercept[:2])


def test_logistic_with_an_absent_class():
    X = np.random.default_rng(0).normal(size=(40, 3))
    for options in ({}, {"C": 1.0}):
        with pytest.warns(sl.ConvergenceWarning, match="a class has no rows"):
            result = sl.fit(X, np.zeros(40), loss="logistic", classes=[0, 1], **options)
        assert result.certificate.verdict is Verdict.NO_MINIMUM and result.certificate.gap < 1e-12
    assert sl.fit(X, np.zeros(40), loss="logistic", classes=[0, 1], fit_intercept=False).certificate.optimal


def test_poisson():
    rng = np.random.default_rng(0)
    group, x = rng.integers(0, 3, 200), rng.normal(size=200)
    y = rng.poisson(np.exp(0.3 * x))
    X = np.column_stack([group == 1, group == 2, x]).astype(float)
    assert found(X, y, "poisson") is None
    y[group == 2] = 0
    falling = found(X, y, "poisson")
    assert falling.witness.rows == (group == 2).sum() and falling.witness.coef[0][1] < 0
    with pytest.warns(sl.ConvergenceWarning, match="number 1"):
        result = sl.fit(X, y, loss="poisson")
    rest = group != 2
    part = sl.fit(X[rest][:, [0, 2]], y[rest], loss="poisson").certificate
    assert abs(result.certificate.value - part.value * rest.mean()) < 1e-9
    zeros = found(X, np.zeros(200), "poisson", penalty=sl.L2(1.0))
    assert zeros.witness.rows == 200 and zeros.witness.coef == [[0, 0, 0]] and zeros.witness.intercept[0] < 0


def test_a_penalty_on_the_coefficients_makes_a_minimum():
    X, y = endometrial()
    for penalty in (sl.L2(1e-3), sl.L1(1e-3)):
        assert found(X, y, penalty=penalty) is None
    assert sl.fit(X, y, loss="logistic", penalty="l2", strength=1e-3).certificate.optimal


def test_sign_constraint_limits_the_directions():
    x = np.array([[-2.0], [-1], [1], [2]])
    assert found(x, np.array([0, 0, 1, 1]), penalty=sl.Penalty(positive=True)) is not None
    assert found(x, np.array([1, 1, 0, 0]), penalty=sl.Penalty(positive=True)) is None


def test_large_complete_and_overlapping_data_are_told_apart_quickly():
    import time

    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(5000, 50)), rng.normal(size=50)
    begun = time.process_time()
    assert found(X, X @ w > 0).witness.rows == 5000
    assert found(X, X @ w + 3 * rng.normal(size=5000) > 0) is None
    assert time.process_time() - begun < 4


# ------------------------------------------------------------------------------------------------ exact arithmetic


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=5),
       st.lists(st.integers(-(10**30), 10**30), min_size=3, max_size=3), st.integers(-(10**30), 10**30))  # fmt: skip
def test_signs_are_those_of_rational_arithmetic(rows, v, c):
    want = [sum(Fraction(x) * w for x, w in zip(row, v)) + c for row in rows]
    assert signs(np.array(rows), v, c).tolist() == [(s > 0) - (s < 0) for s in want]


def test_null_vector_is_exact():
    rng = np.random.default_rng(0)
    for size in (1, 4, 30):
        T = rng.normal(size=(size, size + 2)) * 10.0 ** rng.integers(-3, 4, size + 2)
        v = as_integers(null_vector(T, rng.normal(size=size + 2)))
        assert signs(T, v, 0).tolist() == [0] * size
    assert null_vector(np.eye(3), np.ones(3)) is None


def test_solve_integers():
    M = np.array([[2, 1], [1, 3]], dtype=object)
    assert solve_integers(M, np.array([1, 1], dtype=object)) == [Fraction(2, 5), Fraction(1, 5)]
