"""The maximum margin: exact against rational arithmetic, proven by its gap, refused where the classes overlap."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.sparse
import torch
from exact_arithmetic import solve
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator, check_param_validation, parametrize_with_checks

import sightline as sl
from sightline.estimators import ConvergenceWarning
from sightline.max_margin import maximum_margin
from sightline.solvers.corral import nearest
from sightline.solvers.hulls import combination, make_hulls

TWO_POINTS = np.array([[3.0, 2.0], [1.0, 1.0]])
EITHER = pytest.mark.parametrize("intercept", [True, False])


def separated(seed, n, p, gap, scales=1.0, offset=0.0):
    """Rows on both sides of a hyperplane, none within ``gap`` of it, and their signs."""
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(n, p)), rng.normal(size=p)
    s = X @ w / np.linalg.norm(w)
    keep = np.abs(s) > gap
    return X[keep] * scales + offset, np.sign(s[keep])


def exact_margin(X, t, found, intercept):
    """½‖w‖² of the optimum, proven in rationals from a support set: its conditions are solved, and every row and sign
    is checked."""
    rows = [[Fraction(float(v)) for v in row] for row in X]
    support, k = found.support.tolist(), len(found.support)
    sign = [int(v) for v in t]
    gram = [[sign[i] * sign[j] * sum(a * b for a, b in zip(rows[i], rows[j])) for j in support] for i in support]
    if intercept:
        A = [[*gram[r], Fraction(sign[i])] for r, i in enumerate(support)]
        A.append([*(Fraction(sign[i]) for i in support), Fraction(0)])
        *alpha, b = solve(A, [Fraction(1)] * k + [Fraction(0)])
    else:
        alpha, b = solve(gram, [Fraction(1)] * k), Fraction(0)
    w = [sum(a * sign[i] * rows[i][j] for a, i in zip(alpha, support)) for j in range(len(rows[0]))]
    assert all(a >= 0 for a in alpha)
    assert all(s * (sum(v * c for v, c in zip(row, w)) + b) >= 1 for s, row in zip(sign, rows))
    return w, b


def separable(X, t, intercept):
    """By linear programming (HiGHS), for data of small whole numbers."""
    A = np.hstack([X, np.ones((len(X), 1))]) if intercept else X
    width = A.shape[1]
    done = scipy.optimize.linprog(
        np.zeros(width), A_ub=-A * t[:, None], b_ub=-np.ones(len(X)), bounds=[(None, None)] * width, method="highs"
    )
    return done.status == 0


# ------------------------------------------------------------------------------------------------------ known cases


def test_two_points_are_parted_by_their_bisector():
    model = sl.MaxMarginClassifier().fit(TWO_POINTS, [1, 0])
    assert model.coef_.tolist() == [[0.8, 0.4]]
    assert model.intercept_.tolist() == [-2.2]
    assert math.isclose(model.margin_, math.sqrt(5) / 2, rel_tol=1e-15)
    assert model.support_.tolist() == [0, 1]
    np.testing.assert_allclose(model.dual_coef_ @ model.support_vectors_, model.coef_, rtol=1e-14)


def test_fahrenheit():
    x = np.arange(-100.0, 100.0)[:, None]
    for scale in (1.0, 1.8, 1 / 1.8):
        model = sl.MaxMarginClassifier().fit(x * scale, x[:, 0] > 32)
        assert math.isclose(-model.intercept_[0] / model.coef_[0, 0], 32.5 * scale, rel_tol=1e-14)
        assert model.score(x * scale, x[:, 0] > 32) == 1.0
    model = sl.MaxMarginClassifier().fit(x, x[:, 0] > 32)
    assert (model.coef_.tolist(), model.intercept_.tolist(), model.margin_) == ([[2.0]], [-65.0], 0.5)


def test_bias_in_the_norm_is_another_problem():
    found = maximum_margin(np.hstack([TWO_POINTS, np.ones((2, 1))]), [1, -1], intercept=False)
    np.testing.assert_allclose(found.coef, [7 / 6, -1 / 3, -11 / 6], rtol=1e-15)


@pytest.mark.parametrize(
    "load, label, margin",
    [(load_breast_cancer, 1, 4.13713684e-05), (load_wine, 1, 0.1889861668), (load_digits, 0, 2.8979951688)],
)
def test_real_data(load, label, margin):
    """The first has columns from 1e-3 to 4e3, and hulls nearer to each other than 1e-8 of that."""
    X, y = load(return_X_y=True)
    model = sl.MaxMarginClassifier().fit(X, y == label)
    assert model.certificate_.optimal
    assert model.certificate_.relative_gap < 1e-10
    assert math.isclose(model.margin_, margin, rel_tol=1e-8)
    assert model.score(X, y == label) == 1.0


# ---------------------------------------------------------------------------------------------- against other methods

small = st.integers(1, 3).flatmap(
    lambda p: st.lists(st.tuples(st.booleans(), *[st.integers(-6, 6)] * p), min_size=2, max_size=12)
)


@EITHER
@settings(max_examples=40, deadline=None)
@given(rows=small)
@example(rows=[(True, 0), (False, 0)])
@example(rows=[(True, 1, 1), (False, 0, 0), (False, 2, 2), (True, 3, 3)])
@example(rows=[(True, 0, 1), (True, 0, 1), (False, 0, -1), (False, 5, -1)])
def test_exact_on_small_problems(rows, intercept):
    X = np.array([row[1:] for row in rows], dtype=np.float64)
    t = np.where([row[0] for row in rows], 1.0, -1.0)
    if intercept and abs(t.sum()) == len(t):
        return
    if not separable(X, t, intercept):
        with pytest.raises(sl.OverlapError) as refused:
            maximum_margin(X, t, intercept=intercept)
        overlap = refused.value.overlap
        up = np.array(overlap.positive_shares) @ X[list(overlap.positive)] if overlap.positive else np.zeros(X.shape[1])
        down = np.array(overlap.negative_shares) @ X[list(overlap.negative)] if overlap.negative else 0 * up
        np.testing.assert_allclose(up, down, atol=1e-12)
        assert all(t[list(overlap.positive)] == 1) and all(t[list(overlap.negative)] == -1)
        assert overlap.verified == "exact"
        return
    found = maximum_margin(X, t, intercept=intercept)
    w, b = exact_margin(X, t, found, intercept)
    half = sum(v * v for v in w) / 2
    assert found.certificate.optimal
    assert found.certificate.lower_bound <= float(half) * (1 + 1e-15)
    assert found.certificate.value >= float(half) * (1 - 1e-15)
    np.testing.assert_allclose(found.coef, [float(v) for v in w], rtol=1e-13, atol=1e-14)
    assert math.isclose(found.intercept, float(b), rel_tol=1e-13, abs_tol=1e-13)


@EITHER
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("n, p, gap", [(40, 3, 0.1), (300, 10, 0.1), (30, 60, 0.0)])
def test_as_libsvm_and_scale_free(n, p, gap, scale, intercept):
    X, t = separated(n + p, n, p, gap, scale)
    found = maximum_margin(X, t, intercept=intercept)
    assert found.certificate.relative_gap < 1e-10
    if intercept:  # SVC has a free intercept always
        model = SVC(kernel="linear", C=1e10, tol=1e-10).fit(X / scale, t)
        np.testing.assert_allclose(found.coef * scale, model.coef_[0], rtol=1e-5, atol=1e-5)
    unit = maximum_margin(X / scale, t, intercept=intercept)
    assert math.isclose(found.margin, unit.margin * scale, rel_tol=1e-12)
    np.testing.assert_array_equal(found.support, unit.support)


def test_columns_of_all_scales():
    rng = np.random.default_rng(5)
    X, t = separated(1, 300, 12, 0.05, 10.0 ** rng.uniform(-3, 3, size=12))
    found = maximum_margin(X, t)
    assert found.certificate.relative_gap < 1e-10
    assert found.margin == pytest.approx(1 / np.linalg.norm(found.coef), rel=1e-14)


@EITHER
def test_more_columns_than_rows_are_interpolated(intercept):
    X, t = separated(3, 60, 400, 0.0)
    found = maximum_margin(X, t, intercept=intercept)
    assert found.certificate.relative_gap < 1e-10
    m = t * (X @ found.coef + found.intercept)
    assert m.min() > 1 - 1e-12
    np.testing.assert_allclose(m[found.support], 1, rtol=1e-12)


def test_copies_order_and_sides_change_nothing():
    X, t = separated(4, 200, 6, 0.1)
    found = maximum_margin(X, t)
    again = maximum_margin(np.vstack([X, X, X]), np.hstack([t, t, t]))
    np.testing.assert_allclose(again.coef, found.coef, rtol=1e-12)
    assert again.certificate.optimal
    order = np.random.default_rng(0).permutation(len(X))
    mixed = maximum_margin(X[order], -t[order])
    np.testing.assert_allclose(mixed.coef, -found.coef, rtol=1e-12)
    assert sorted(order[mixed.support]) == found.support.tolist()
    moved = maximum_margin(X + 50.0, t)
    np.testing.assert_allclose(moved.coef, found.coef, rtol=1e-10)
    assert moved.certificate.optimal


def test_many_rows():
    X, t = separated(6, 5000, 15, 0.02)
    found = maximum_margin(X, t)
    assert found.certificate.relative_gap < 1e-10
    assert len(found.support) <= 16
    assert (t * (X @ found.coef + found.intercept)).min() > 1 - 1e-12


def test_support_is_right_when_begun_from_anywhere():
    """The active set alone, from equal shares: it ends where it ends when begun near the solution."""
    X, t = separated(8, 120, 5, 0.1)
    hulls = make_hulls(X, t, True)
    near = nearest(hulls, *combination(hulls))
    count = hulls.members.sum(1)[hulls.group]
    far = nearest(hulls, 1 / count, np.ones(len(X)))
    assert near.settled and far.settled
    assert sorted(near.rows) == sorted(far.rows)
    np.testing.assert_allclose(near.w, far.w, rtol=1e-9)


def test_a_bad_gap_is_told():
    """Weights of float64 cannot hold a margin of 2e-3 beside an offset of 1e7; the certificate says so."""
    X, t = separated(9, 60, 3, 2e-3)
    with pytest.warns(ConvergenceWarning, match="INACCURATE"):
        model = sl.MaxMarginClassifier().fit(X + 1e7, t)
    certificate = model.certificate_
    assert certificate.verdict is sl.Verdict.INACCURATE
    true = maximum_margin(X + 1e7 - 1e7, t).certificate.value
    assert certificate.lower_bound <= true * (1 + 1e-12) and true <= certificate.value * (1 + 1e-12)


# -------------------------------------------------------------------------------------------------------- refusals


def test_overlap_is_named():
    X = [[0.0, 0.0], [2.0, 2.0], [1.0, 1.0], [3.0, 0.0]]
    with pytest.raises(ValueError, match=r"'no' and 'yes' overlap: row 2 of class 'yes' and 0.5·row 0 \+ 0.5·row 1"):
        sl.MaxMarginClassifier().fit(X, ["no", "no", "yes", "yes"])
    with pytest.raises(sl.OverlapError, match=r"row 3 .class 1. and row 0 .class 0. are the same point") as refused:
        sl.MaxMarginClassifier().fit([[1.0], [0.0], [5.0], [1.0]], [0, 0, 1, 1])
    assert refused.value.overlap.verified == "exact"
    with pytest.raises(sl.OverlapError, match="through the origin"):
        sl.MaxMarginClassifier(fit_intercept=False).fit([[1.0], [2.0]], [0, 1])


def test_overlap_names_the_rows_as_they_were_given():
    X, y = [[9.0], [1.0], [0.0], [5.0], [1.0]], [0, 0, 0, 1, 1]
    with pytest.raises(sl.OverlapError, match=r"row 4 .class 1. and row 1 .class 0.") as refused:
        sl.MaxMarginClassifier().fit(X, y, sample_weight=[0, 1, 1, 1, 1])
    assert refused.value.overlap.positive == (4,)


def test_a_class_inside_the_rest_is_named():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(sl.OverlapError, match="'not 1' and 1 overlap"):
        sl.MaxMarginClassifier().fit(X, y)


def test_soft_margin_where_asked_for():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match=r"INFEASIBLE: The classes .* LinearSVC\(loss='hinge', C=2\)"):
        model = sl.MaxMarginClassifier(overlap="soft", C=2.0).fit(X, y)
    assert model.certificate_.verdict is sl.Verdict.INFEASIBLE
    np.testing.assert_array_equal(model.coef_, sl.LinearSVC(loss="hinge", C=2.0).fit(X, y).coef_)
    assert np.isnan(model.margin_) and len(model.support_) == 0


@pytest.mark.parametrize(
    "X, y, message",
    [
        ([[1.0], [math.nan]], [0, 1], "NaN: column 0, row 1"),
        ([[1.0], [2.0]], [1, 1], "one class only"),
        ([[1.0], [2.0]], [0, 1, 1], "2 rows but y has 3"),
        ([["a"], ["b"]], [0, 1], "column 0, row 0"),
    ],
)
def test_bad_input(X, y, message):
    with pytest.raises(ValueError, match=message):
        sl.MaxMarginClassifier().fit(X, y)


# -------------------------------------------------------------------------------------------------- the estimator


@parametrize_with_checks([sl.MaxMarginClassifier(overlap="soft")])
@pytest.mark.filterwarnings("ignore:INFEASIBLE")
def test_scikit_learns_checks(estimator, check):
    """The default refuses classes that overlap, which the data of these checks do."""
    check(estimator)


def test_the_default_fails_their_checks_by_overlapping_data_alone():
    def by_overlap(error):
        while error is not None and not isinstance(error, sl.OverlapError):
            error = error.__cause__ or error.__context__
        return error is not None

    told = check_estimator(sl.MaxMarginClassifier(), on_fail=None, on_skip=None)
    failed = [check for check in told if check["status"] == "failed"]
    assert len(failed) < len(told) / 2
    assert [check["check_name"] for check in failed if not by_overlap(check["exception"])] == []


def test_wrong_parameters_are_refused_in_scikit_learns_words():
    check_param_validation("MaxMarginClassifier", sl.MaxMarginClassifier())


def test_each_class_against_the_rest():
    centres = np.array([[0.0, 8.0], [7.0, -4.0], [-7.0, -4.0]])
    X = np.vstack([c + np.random.default_rng(0).normal(size=(30, 2)) for c in centres])
    y = np.repeat(["a", "b", "c"], 30)
    model = sl.MaxMarginClassifier().fit(X, y)
    assert model.coef_.shape == (3, 2) and model.margin_.shape == (3,)
    for k, label in enumerate("abc"):
        alone = sl.MaxMarginClassifier().fit(X, y == label)
        np.testing.assert_allclose(model.coef_[k], alone.coef_[0], rtol=1e-13)
    np.testing.assert_allclose(model.dual_coef_ @ X[model.support_], model.coef_, rtol=1e-10, atol=1e-14)
    assert model.score(X, y) == 1.0
    assert len(model.result_.extra["problems"]) == 3


def test_kinds_of_input():
    X, t = separated(2, 60, 3, 0.1)
    reference = sl.MaxMarginClassifier().fit(X, t)
    frame = sl.MaxMarginClassifier().fit(pd.DataFrame(X, columns=["a", "b", "c"]), t)
    sparse = sl.MaxMarginClassifier().fit(scipy.sparse.csr_array(X), t)
    tensor = sl.MaxMarginClassifier().fit(torch.from_numpy(X), torch.from_numpy(t))
    assert isinstance(tensor.coef_, torch.Tensor)
    for model in (frame, sparse, tensor):
        np.testing.assert_array_equal(np.asarray(model.coef_), reference.coef_)
    single = sl.MaxMarginClassifier().fit(X.astype(np.float32), t)
    assert single.coef_.dtype == np.float64 and single.certificate_.relative_gap < 1e-10


def test_result_is_a_model_like_any_other(tmp_path):
    X, t = separated(2, 60, 3, 0.1)
    model = sl.MaxMarginClassifier().fit(X, t)
    model.result_.save(tmp_path / "model.safetensors")
    again = sl.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(X), t)
    certificate = model.result_.certify(X, t)  # the hinge with a weak enough penalty has the same optimum
    assert certificate.optimal, str(certificate)
    assert "OPTIMAL" in str(model.certificate_)


def test_linear_svc_tends_to_the_maximum_margin():
    X, t = separated(7, 80, 3, 0.1)
    truth = maximum_margin(X, t)
    largest = truth.multipliers.max()
    off = []
    for C in (largest / 100, largest / 10, largest * 1.01, largest * 100):
        model = sl.LinearSVC(loss="hinge", C=C, tol=1e-12).fit(X, t)
        off.append(np.linalg.norm(model.coef_[0] - truth.coef) / np.linalg.norm(truth.coef))
    assert off[0] > off[1] > 1e-3  # C below the largest multiplier lets rows into the margin
    assert max(off[2:]) < 1e-5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = SVC(kernel="linear", C=largest * 1.01, tol=1e-9).fit(X, t).coef_[0]
    np.testing.assert_allclose(theirs, truth.coef, rtol=1e-6)
