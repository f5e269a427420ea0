"""Double-double arithmetic, proven digits, refinement of generalised linear models, standard errors."""

from __future__ import annotations

import csv
import json
import math
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline import extended
from sightline.certificate import Verdict
from sightline.data import make_data
from sightline.digits import proven_digits, root_of_gram, root_of_rows
from sightline.extended import DD
from sightline.inference import covariance, standard_errors, unavailable
from sightline.losses import Logistic, as_loss
from sightline.objective import Objective, Weights
from sightline.penalties import L2
from sightline.refine import refinable
from sightline.solvers import direct
from tests.exact_arithmetic import exact_least_squares, right_digits

GLM = Path(__file__).parent / "data" / "certified_glm"
NUMBERS = st.floats(-1e30, 1e30).filter(lambda v: v == 0 or abs(v) > 1e-30)


def fraction(x, index=()):
    return Fraction(x.hi[index].item()) + Fraction(x.lo[index].item())


def some_dd(rng, *shape):
    hi = torch.from_numpy(rng.standard_normal(shape) * np.exp(3 * rng.standard_normal(shape)))
    return extended.fast_two_sum(hi, hi * 2.0**-53 * torch.from_numpy(rng.uniform(-1, 1, shape)))


# ------------------------------------------------------------------------------------------ double-double


@given(a=NUMBERS, b=NUMBERS)
def test_transformations_are_free_of_error(a, b):
    x, y = (torch.tensor(v, dtype=torch.float64) for v in (a, b))
    assert fraction(extended.two_sum(x, y)) == Fraction(a) + Fraction(b)
    assert fraction(extended.two_product(x, y)) == Fraction(a) * Fraction(b)
    big, small = (x, y) if abs(a) >= abs(b) else (y, x)
    assert fraction(extended.fast_two_sum(big, small)) == Fraction(a) + Fraction(b)


@given(seed=st.integers(0, 10**6))
def test_double_double_operations(seed):
    rng = np.random.default_rng(seed)
    a, b = some_dd(rng, 4), some_dd(rng, 4)
    cases = [
        (extended.add(a, b), lambda x, y: x + y, -104), (extended.multiply(a, b), lambda x, y: x * y, -102),
        (extended.divide(a, b), lambda x, y: x / y, -100),
    ]  # fmt: skip
    product, total = extended.times_double(a, b.hi), extended.add_double(a, b.hi)
    for i in range(4):
        x, y = fraction(a, i), fraction(b, i)
        for found, operation, power in cases:
            assert abs(fraction(found, i) - operation(x, y)) <= Fraction(2) ** power * abs(operation(x, y))
        top = Fraction(b.hi[i].item())
        assert abs(fraction(product, i) - x * top) <= Fraction(2) ** -103 * abs(x * top)
        assert abs(fraction(total, i) - (x + top)) <= Fraction(2) ** -104 * abs(x + top)


def test_sum_and_dot_where_everything_cancels():
    x = torch.tensor([1e16, 1.0, -1e16, 3.0, 1e-20, -4.0], dtype=torch.float64)
    assert extended.accurate_sum(extended.dd(x)).double().item() == pytest.approx(1e-20, rel=1e-10)
    a = torch.tensor([1e16 + 2, 1.0, -(1e16 + 2)], dtype=torch.float64)
    b = torch.tensor([1e10 + 1, 0.5, 1e10 + 1], dtype=torch.float64)
    assert extended.dot(a, b).double().item() == 0.5


def test_exponential():
    rng = np.random.default_rng(0)
    hi = torch.from_numpy(np.concatenate([rng.uniform(-690, 690, 300), 10.0 ** rng.uniform(-18, 1, 200)]))
    x = extended.fast_two_sum(hi, hi * 2.0**-53 * torch.from_numpy(rng.uniform(-1, 1, 500)))
    y = extended.exp(x)
    with mpmath.workprec(300):
        for i in range(500):
            argument = mpmath.mpf(x.hi[i].item()) + mpmath.mpf(x.lo[i].item())
            found = mpmath.mpf(y.hi[i].item()) + mpmath.mpf(y.lo[i].item())
            assert abs(found / mpmath.exp(argument) - 1) < extended.EXP_ERROR
    ends = extended.exp(extended.dd(torch.tensor([0.0, -1e4, 1e4], dtype=torch.float64)))
    assert ends.double().tolist() == [1.0, 0.0, math.inf]


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6), n=st.integers(1, 40), p=st.integers(1, 6), k=st.integers(1, 3), slices=st.integers(3, 5)
)
def test_sliced_products_stay_within_their_bounds(seed, n, p, k, slices):
    rng = np.random.default_rng(seed)
    A = torch.from_numpy(rng.uniform(-1, 1, (n, p)) * np.exp(-9 * rng.random((n, p))))
    v, r = some_dd(rng, p, k), some_dd(rng, n, k)
    sliced = extended.Sliced(A, slices)
    z, g = sliced.product(v), sliced.adjoint(r)
    for found, error, left, right in (
        (z, sliced.product_error, A, v), (g, sliced.adjoint_error, A.T, r),
    ):  # fmt: skip
        bound = Fraction(error(float(right.hi.abs().max()), float(found.hi.abs().max())))
        assert bound < Fraction(1e-20) * max(1, Fraction(float(right.hi.abs().max())))
        for i in range(left.shape[0]):
            for c in range(k):
                truth = sum(Fraction(left[i, j].item()) * fraction(right, (j, c)) for j in range(left.shape[1]))
                assert abs(fraction(found, (i, c)) - truth) <= bound


# ------------------------------------------------------------------------------------------- proven digits


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), power=st.floats(0, 9), gram=st.booleans())
def test_the_error_of_a_root_is_no_less_than_it_is(seed, power, gram):
    rng = np.random.default_rng(seed)
    A = torch.from_numpy(rng.standard_normal((8, 3)) * 10.0 ** np.array([0, -power / 2, -power]))
    A[:, 2] += A[:, 0]
    root = root_of_gram(A.T @ A, 8) if gram else root_of_rows([A], [A])
    if root.error >= 1:
        return
    with mpmath.workprec(400):
        S, B = mpmath.matrix(root.matrix.tolist()), mpmath.matrix(A.tolist())
        E = mpmath.eye(3) - S.T * (B.T * B) * S
        assert mpmath.mnorm(E, "f") <= root.error * 1.8  # Frobenius against spectral norm


def test_digits_of_zeros_and_of_exact_weights():
    sizes = torch.ones(2, 1, dtype=torch.float64)
    values = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    assert proven_digits(values, torch.zeros(2, 1, dtype=torch.float64), sizes) == 17
    assert proven_digits(values, torch.tensor([[0.0], [1e-9]], dtype=torch.float64), sizes) == pytest.approx(9)
    assert proven_digits(values, torch.full((2, 1), math.inf, dtype=torch.float64), sizes) == 0


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6), power=st.floats(0, 12), noise=st.sampled_from([0.0, 1e-6, 1.0, 1e3]),
    offset=st.sampled_from([0.0, 1e3]), intercept=st.booleans(), weighted=st.booleans(), gram=st.booleans(),
    single=st.booleans(),
)
def test_proven_digits_are_right(seed, power, noise, offset, intercept, weighted, gram, single):
    rng = np.random.default_rng(seed)
    n, p = 12, int(rng.integers(1, 4))
    u, _ = np.linalg.qr(rng.standard_normal((n, p)))
    v, _ = np.linalg.qr(rng.standard_normal((p, p)))
    X = (u * np.logspace(0, -power, p)) @ v.T * 10.0 ** rng.integers(-8, 8, p) + offset
    if single:
        X = X.astype(np.float32)
    y = X @ rng.standard_normal(p) + noise * rng.standard_normal(n)
    w = rng.uniform(0.1, 5, n) if weighted else None
    size = direct.SMALL
    direct.SMALL = 0 if gram else size
    try:
        result = sl.fit(X, y, loss="squared", sample_weight=w, fit_intercept=intercept, warn=False)
    finally:
        direct.SMALL = size
    if result.certificate.verdict is not Verdict.OPTIMAL or result.certificate.digits is None:
        return
    truth = exact_least_squares(X, y, w, 0.0, intercept)
    found = [*result.weight[0].tolist(), *(result.bias.tolist() if intercept else [])]
    spread = np.abs(X - (X.mean(0) if intercept else 0)).max(0).astype(float)
    check_digits(result.certificate.digits, found, truth, [*spread, *([1.0] if intercept else [])])
    if not single and not gram and offset == 0 and noise >= 1:
        assert result.certificate.digits >= 13 - max(0.0, power - 3)


def check_digits(digits, found, truth, sizes):
    """Every weight has so many right digits; one that cannot be told from zero, against the largest weight."""
    share = Fraction(10.0**-digits * (1 + 1e-6))
    largest = max(abs(t) * Fraction(s) for t, s in zip(truth, sizes))
    for a, b, size in zip(found, truth, sizes):
        error = abs(Fraction(a) - b)
        zero = 4 * share * largest / Fraction(size)  # spreads are compared as powers of two
        assert error <= share * abs(b) or (abs(Fraction(a)) <= zero and error <= zero)


# ---------------------------------------------------------------------------- generalised linear models


def table(name, delimiter=","):
    with open(GLM / name) as file:
        rows = [[cell.strip("'\"") for cell in row] for row in csv.reader(file, delimiter=delimiter, quotechar="\0")]
    rows = [[cell for cell in row if cell or delimiter != " "] for row in rows]
    return {column: np.array([row[i] for row in rows[1:]]) for i, column in enumerate(rows[0])}


def number(columns):
    return np.stack([c.astype(float) for c in columns], 1)


def design(name):
    """X, y, row weights, names of the coefficients in the order of the columns, the intercept's last."""
    if name == "admit":
        t = table("admit.csv")
        ranks = [t["rank"] == r for r in "234"]
        return number([t["gre"], t["gpa"], *ranks]), t["admit"], None, "gre gpa rank2 rank3 rank4 (Intercept)"
    if name == "spector":
        t = table("spector.csv", " ")
        return number([t["GPA"], t["TUCE"], t["PSI"]]), t["GRADE"], None, "GPA TUCE PSI const"
    if name == "dobson":
        o, t = np.tile([1, 2, 3], 3), np.repeat([1, 2, 3], 3)
        y = np.array([18, 17, 15, 20, 10, 20, 25, 13, 12.0])
        names = "OutcomeB OutcomeC Treatmentb Treatmentc (Intercept)"
        return number([o == 2, o == 3, t == 2, t == 3]), y, None, names
    if name == "lizards":
        t = table("lizards.csv")
        X = number([
            t["height"] != "<5ft", t["diameter"] != "<=2in", t["light"] != "sunny", t["time"] == "midday",
            t["time"] == "late",
        ])  # fmt: skip
        w = np.r_[t["grahami"], t["opalinus"]].astype(float)
        names = "height>=5ft diameter>2in lightshady timemidday timelate (Intercept)"
        return np.r_[X, X], np.repeat([1, 0], len(X)), w, names
    if name == "endometrial-limit":
        t = table("endometrial.csv")
        keep = t["NV"] == "0"
        return number([t["PI"], t["EH"]])[keep], t["HG"][keep], None, "PI EH (Intercept)"
    if name == "sex2-limit":
        t = table("sex2.csv")
        keep = t["dia"] == "0"
        X = number([t[c] for c in ("age", "oc", "vic", "vicl", "vis")])
        return X[keep], t["case"][keep], None, "age oc vic vicl vis (Intercept)"
    if name == "quine":
        t = table("quine.csv")
        X = number([t["Eth"] == "N", t["Sex"] == "M", *(t["Age"] == f"F{i}" for i in (1, 2, 3)), t["Lrn"] == "SL"])
        return X, t["Days"].astype(float), None, "EthN SexM AgeF1 AgeF2 AgeF3 LrnSL (Intercept)"
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split

    data = load_iris()
    X, _, y, _ = train_test_split(data.data, data.target, test_size=0.33, random_state=42)
    return X, y == 2, None, "sepal_length sepal_width petal_length petal_width"


CERTIFIED = json.loads((GLM / "certified_glm.json").read_text())


@pytest.mark.parametrize("name", CERTIFIED)
def test_certified_models(name):
    model = CERTIFIED[name]
    X, y, w, names = design(name)
    names = names.split()
    loss = "poisson" if model["kind"] == "poisson" else "logistic"
    intercept = len(names) > X.shape[1]
    result = sl.fit(X, y, loss=loss, sample_weight=w, fit_intercept=intercept)
    assert len(y) == model["n"] and sorted(names) == sorted(model["names"])
    order = [model["names"].index(c) for c in names]
    found = [*result.weight[0].tolist(), *result.bias.tolist()][: len(names)]
    right = right_digits(found, [Fraction(model["coef"][i]) for i in order])
    assert right >= 15 and result.certificate.digits >= 15
    if name in ("dobson", "lizards", "sex2-limit", "quine"):  # integers: float64 data are the printed data
        assert result.certificate.digits <= right + 0.01
    objective = Objective(make_data(X, y, as_loss(loss), sample_weight=w), as_loss(loss), intercept=intercept)
    errors = standard_errors(objective, Weights(result.weight[0], result.bias[0]))
    spread = [*errors.coef.tolist(), errors.intercept.item()][: len(names)]
    right = right_digits(spread, [Fraction(model["se"][i]) for i in order])
    assert right >= 12 and 10 <= errors.digits <= right + 0.01


MULTINOMIAL = json.loads((GLM / "multinomial.json").read_text())


@pytest.mark.parametrize("name", MULTINOMIAL)
def test_certified_multinomial_models(name):
    model = MULTINOMIAL[name]
    if name == "Womenlf":
        t = table("Womenlf.csv")
        regions = sorted(set(t["region"]))[1:]
        X, y = number([t["hincome"], t["children"] == "present", *(t["region"] == r for r in regions)]), t["partic"]
    else:
        t = table("anes96.csv", "\t")
        X, y = number([t[c] for c in ("selfLR", "age", "educ", "income")]), t["PID"].astype(int)
    result = sl.fit(X, y, loss="softmax")
    assert list(result.classes) == model["classes"] and result.certificate.digits >= 14.5
    weights = Weights(result.weight.T, result.bias)
    assert weights.coef.sum(1).abs().max() < 1e-14  # the sum-to-zero gauge
    theirs = np.array([Fraction(c) for c in model["coef"]]).reshape(len(model["classes"]) - 1, -1)
    whole = np.c_[result.weight.numpy(), result.bias.numpy()]
    exact = np.array([[Fraction(v) for v in row] for row in whole])
    assert right_digits((exact[1:] - exact[0]).reshape(-1), theirs.reshape(-1)) >= 13.5
    objective = Objective(make_data(X, y, as_loss("softmax")), as_loss("softmax"))
    errors = standard_errors(objective, weights, reference=0)
    spread = np.c_[errors.coef.T.numpy(), errors.intercept.numpy()][1:].reshape(-1)
    assert right_digits(spread, [Fraction(v) for v in model["se"]]) >= 11
    assert errors.digits >= 9.5
    matrix = covariance(objective, weights)
    assert torch.allclose(matrix, matrix.T)
    blocks = matrix.reshape(len(exact), len(exact[0]), len(exact), len(exact[0]))
    assert blocks.sum(0).abs().max() < 1e-12 * matrix.abs().max()


def newton(X, y, w, kind, intercept, start):
    """The optimum to 40 digits; ``start`` close to it."""
    rows = [[mpmath.mpf(float(v)) for v in row] + [mpmath.mpf(1)] * intercept for row in X]
    b = mpmath.matrix([mpmath.mpf(float(v)) for v in start])
    size = len(rows[0])
    for _ in range(12):
        g, H = mpmath.zeros(size, 1), mpmath.zeros(size, size)
        for row, t, s in zip(rows, y, w):
            z = mpmath.fdot(row, b)
            mean = mpmath.exp(z) if kind == "poisson" else 1 / (1 + mpmath.exp(-z))
            curvature = mean if kind == "poisson" else mean * (1 - mean)
            for i in range(size):
                g[i] += s * (t - mean) * row[i]
                for j in range(size):
                    H[i, j] += s * curvature * row[i] * row[j]
        step = mpmath.lu_solve(H, g)
        b += step
        if max(abs(v) for v in step) < mpmath.mpf(10) ** -35:
            break
    return list(b)


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 10**6), kind=st.sampled_from(["logistic", "poisson"]), intercept=st.booleans(),
    power=st.integers(0, 5), weighted=st.booleans(), single=st.booleans(),
)
def test_refined_digits_are_right(seed, kind, intercept, power, weighted, single):
    rng = np.random.default_rng(seed)
    n, p = 30, 2
    X = rng.standard_normal((n, p)) * [1.0, 10.0**power] + [0.0, 3.0]
    X[:, 1] = X[:, 1] * 10.0**-power + X[:, 0] * (power > 3)
    X = X.astype(np.float32) if single else X
    z = X @ rng.uniform(-1, 1, p)
    chance, counts = 1 / (1 + np.exp(-z)), rng.poisson(np.exp(z.clip(-5, 3)))
    y = (counts if kind == "poisson" else rng.random(n) < chance).astype(float)
    if y.max() == y.min():
        return
    w = rng.uniform(0.2, 4, n) if weighted else None
    result = sl.fit(X, y, loss=kind, sample_weight=w, fit_intercept=intercept, warn=False)
    if result.certificate.verdict is not Verdict.OPTIMAL or result.certificate.digits is None:
        return
    found = [*result.weight[0].tolist(), *(result.bias.tolist() if intercept else [])]
    with mpmath.workdps(50):
        weights = [1.0] * n if w is None else w
        truth = newton(X, y, [mpmath.mpf(float(v)) for v in weights], kind, intercept, found)
        error = max(abs((mpmath.mpf(a) - b) / b) for a, b in zip(found, truth))
        right = 17.0 if error == 0 else float(-mpmath.log10(error))
    assert result.certificate.digits <= right + 1e-6
    assert result.certificate.digits >= (5 if single else 13)


def test_what_is_refined_and_what_has_standard_errors():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 2)), rng.integers(0, 2, 40)
    data = make_data(X, y, Logistic())
    assert refinable(Objective(data, Logistic()))
    assert not refinable(Objective(data, Logistic(), L2(1.0)))
    assert "penalised" in unavailable(Objective(data, Logistic(), L2(1.0)))
    hinge = as_loss("hinge")
    assert "not a likelihood" in unavailable(Objective(make_data(X, y, hinge), hinge))
    objective = Objective(data, Logistic(), L2(1.0))
    assert standard_errors(objective, objective.zeros()).reason
    with pytest.raises(ValueError, match="no standard errors"):
        covariance(objective, objective.zeros())
    twice = Objective(make_data(np.c_[X, X], y, Logistic()), Logistic())
    assert "dependent" in standard_errors(twice, twice.zeros()).reason
    few = as_loss("squared")
    assert "no more rows" in unavailable(Objective(make_data(X[:3], y[:3].astype(float), few), few))


def test_weights_count_as_copies_in_standard_errors():
    rng = np.random.default_rng(1)
    X, Y, w = rng.standard_normal((30, 2)), rng.standard_normal((30, 2)), rng.integers(1, 4, 30)
    loss = as_loss("squared")
    found = []
    for data in (
        make_data(X, Y, loss, sample_weight=w), make_data(np.repeat(X, w, 0), np.repeat(Y, w, 0), loss),
    ):  # fmt: skip
        objective = Objective(data, loss)
        weights = sl.solve(objective).weights
        found.append(covariance(objective, weights))
    assert torch.allclose(*found, rtol=1e-12)
    assert found[0].shape == (6, 6)


def test_double_double_is_a_pair():
    x = DD(torch.tensor([1.0], dtype=torch.float64), torch.tensor([1e-20], dtype=torch.float64))
    assert x.neg().lo.item() == -1e-20 and x.scaled(2.0).double().item() == 2.0


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("intercept", [True, False])
def test_standard_errors_of_many_rows_by_one_gram_matrix(loss, intercept, monkeypatch):
    """The plain way for many rows agrees with the precise one, to the digits that it proves."""
    from sightline import inference

    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5)) * 10.0 ** np.arange(-2, 3) + 3
    z = (X - 3) @ (10.0 ** -np.arange(-2, 3)) / 4
    targets = {"squared": z + rng.standard_normal(400), "poisson": rng.poisson(np.exp(z))}
    y = targets.get(loss, z + rng.logistic(size=400) > 0)
    data = sl.make_data(X, y, as_loss(loss), sample_weight=rng.integers(1, 4, 400))
    objective = sl.Objective(data, as_loss(loss), sl.Penalty(), intercept)
    weights = sl.solve(objective, tol=1e-12).weights
    precise = inference.standard_errors(objective, weights)
    monkeypatch.setattr(inference, "LARGE", 0)
    plain = inference.standard_errors(objective, weights)
    for a, b in ((precise.coef, plain.coef), (precise.intercept, plain.intercept)):
        assert torch.allclose(a, b, rtol=1e-8, atol=0)
    assert 3 < plain.digits <= precise.digits
