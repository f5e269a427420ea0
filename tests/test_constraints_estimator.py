"""ConstrainedClassifier: scikit-learn's checks, groups by column, and the guarantee."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from constraint_cases import noisy
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
    parametrize_with_checks,
)

import sightline as sl
from sightline.estimators import ConvergenceWarning

X, Y = noisy(0, 120, 24, columns=4)


@parametrize_with_checks([sl.ConstrainedClassifier()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_sample_weight_equivalence_on_dense_data, check_sample_weight_equivalence_on_sparse_data]
)
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_weights_are_copies(check, loss):
    check("ConstrainedClassifier", sl.ConstrainedClassifier(loss=loss, C=0.5))


def test_elastic_net_is_scikit_learns():
    """C Σ loss + l1_ratio ‖w‖₁ + ½ (1 - l1_ratio) ‖w‖², against its solver, where the constraint asks for nothing."""
    from sklearn.linear_model import LogisticRegression

    ours = sl.ConstrainedClassifier(["recall>=0"], C=0.2, l1_ratio=0.6).fit(X, Y)
    theirs = LogisticRegression(solver="saga", C=0.2, l1_ratio=0.6, tol=1e-8, max_iter=10_000).fit(X, Y)
    assert np.allclose(ours.coef_, theirs.coef_, atol=1e-4)
    kept = sl.ConstrainedClassifier(["recall>=0.95"], C=0.2, l1_ratio=0.6).fit(X, Y)
    assert (kept.predict(X)[Y > 0] > 0).mean() >= 0.95 and kept.certificate_.optimal


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared_hinge"])
def test_keeps_what_was_asked(loss):
    model = sl.ConstrainedClassifier(["recall>=0.9", sl.accuracy() >= 0.5], loss=loss).fit(X, Y)
    assert (model.predict(X)[Y > 0] > 0).mean() >= 0.9
    assert model.certificate_.optimal and model.coef_.dtype == np.float64
    assert model.constraints_.exact.gap <= 1e-6 * model.constraints_.exact.value


@pytest.mark.parametrize("kind", ["float32", "tensor", "sparse", "frame"])
def test_kinds_of_rows(kind):
    rows = {
        "float32": X.astype(np.float32), "tensor": torch.from_numpy(X), "sparse": scipy.sparse.csr_matrix(X),
        "frame": pd.DataFrame(X, columns=list("abcd")),
    }[kind]  # fmt: skip
    plain = sl.ConstrainedClassifier().fit(X, Y)
    model = sl.ConstrainedClassifier().fit(rows, torch.from_numpy(Y) if kind == "tensor" else Y)
    np.testing.assert_allclose(np.asarray(model.coef_), plain.coef_, rtol=1e-4, atol=1e-5)
    assert np.array_equal(np.asarray(model.predict(rows)), plain.predict(X))


def test_groups_by_column():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(sex=(X[:, 1] > 0) * 1.0)
    model = sl.ConstrainedClassifier(["recall[sex=1]>=0.95", "recall[sex=0]>=0.8"]).fit(frame, Y)
    women = (frame["sex"] == 1).to_numpy() & (Y > 0)
    assert (model.predict(frame)[women] > 0).mean() >= 0.95
    assert "recall[sex=1]" in str(model.constraints_)
    for text, words in (("recall[age=1]>=0.9", "no column of X"), ("recall[sex=2]>=0.9", "no row with the value '2'")):
        with pytest.raises(sl.DataError, match=words):
            sl.ConstrainedClassifier([text]).fit(frame, Y)
    with pytest.raises(sl.DataError, match="no names"):
        sl.ConstrainedClassifier(["recall[sex=1]>=0.9"]).fit(X, Y)


def test_guarantee():
    rows, labels = noisy(0, 600, 60)
    model = sl.ConstrainedClassifier(delta=0.05, time_limit=0.0, random_state=3).fit(rows, labels)
    assert model.constraints_.guarantee.holds
    bias = model.constraints_.guaranteed.bias.numpy()
    assert model.intercept_ == pytest.approx(bias)
    with pytest.raises(sl.DataError, match="at least 29 held-out rows"):
        sl.ConstrainedClassifier(delta=0.05, time_limit=0.0).fit(rows[:80], labels[:80])


def test_says_when_it_is_not_closed():
    rows, labels = noisy(0, 600, 120)
    with pytest.warns(ConvergenceWarning):
        sl.ConstrainedClassifier(loss="hinge", time_limit=0.0).fit(rows, labels)


def test_in_scikit_learns_tools():
    assert cross_val_score(sl.ConstrainedClassifier(C=0.1), X, Y, cv=3).mean() > 0.5


def test_three_classes_are_refused():
    with pytest.raises(sl.DataError, match="Only binary classification"):
        sl.ConstrainedClassifier().fit(X, np.arange(120) % 3)
