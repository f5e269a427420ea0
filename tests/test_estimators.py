"""Estimators keep scikit-learn's conventions: its own checks, signatures, parameter errors, tools around them."""

import inspect
import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn
import sklearn.exceptions
import sklearn.linear_model
import sklearn.svm
from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_class_weight_balanced_linear_classifier,
    check_estimators_dtypes,
    check_fit_idempotent,
    check_methods_subset_invariance,
    check_param_validation,
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
    parametrize_with_checks,
)

import sightline as sl
from sightline.estimators import ConvergenceWarning

NAMES = [
    "LinearRegression", "Ridge", "Lasso", "ElasticNet", "LogisticRegression", "LinearSVC", "HuberRegressor",
    "QuantileRegressor", "PoissonRegressor",
]  # fmt: skip
CLASSIFIERS = ["LogisticRegression", "LinearSVC"]
VARIANTS = [
    sl.Ridge(alpha=0.1, positive=True),
    sl.LogisticRegression(l1_ratio=1.0, C=0.7),
    sl.LogisticRegression(C=0.7, fit_intercept=False),
    sl.LinearSVC(loss="hinge"),
    sl.PoissonRegressor(alpha=0.01, fit_intercept=False),
]


def theirs(name):
    return getattr(sklearn.linear_model, name, None) or getattr(sklearn.svm, name)


@parametrize_with_checks([getattr(sl, name)() for name in NAMES])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("model", VARIANTS, ids=str)
@pytest.mark.parametrize(
    "check",
    [
        check_sample_weight_equivalence_on_dense_data,
        check_sample_weight_equivalence_on_sparse_data,
        check_fit_idempotent,
        check_methods_subset_invariance,
        check_estimators_dtypes,
    ],
)
def test_scikit_learns_checks_of_other_settings(model, check):
    check(type(model).__name__, model)


def test_scikit_learns_check_of_array_input():
    """It must be asked for before SciPy is imported, so it runs in a process of its own."""
    code = f"""
import sightline as sl
from sklearn.utils.estimator_checks import check_array_api_input
for name in {NAMES!r}:
    check_array_api_input(name, getattr(sl, name)(), array_namespace="numpy", expect_only_array_outputs=False)
print("passed")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "SCIPY_ARRAY_API": "1"}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "passed", done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_wrong_parameters_are_refused_in_scikit_learns_words(name):
    check_param_validation(name, getattr(sl, name)())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_balanced_class_weights(name):
    check_class_weight_balanced_linear_classifier(name, getattr(sl, name)())


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_defaults_are_scikit_learns_but_for_tol(name):
    ours = inspect.signature(getattr(sl, name)).parameters
    reference = inspect.signature(theirs(name)).parameters
    assert list(ours) == list(reference)
    for parameter, (mine, its) in zip(ours, zip(ours.values(), reference.values(), strict=True), strict=True):
        assert mine.kind == its.kind, parameter
        assert mine.default == (1e-6 if parameter == "tol" else its.default), parameter
    mine, its = (inspect.signature(c.fit).parameters for c in (getattr(sl, name), theirs(name)))
    assert list(mine)[: len(its)] == list(its)


@pytest.mark.parametrize("name", NAMES)
def test_public_methods_are_scikit_learns(name):
    left_out = {"set_callbacks", "path"}
    reference = {m for m in dir(theirs(name)) if not m.startswith("_")} - left_out
    assert reference <= set(dir(getattr(sl, name)))


@pytest.mark.parametrize("name", NAMES)
def test_tags_are_scikit_learns(name):
    ours, reference = getattr(sl, name)().__sklearn_tags__(), theirs(name)().__sklearn_tags__()
    for tags in (ours, reference):
        tags.array_api_support = False
    ours.input_tags.sparse = reference.input_tags.sparse
    assert ours == reference


@pytest.mark.parametrize("name", NAMES)
def test_fitted_attributes_are_scikit_learns(name):
    X, y = make_regression(60, 4, noise=3.0, random_state=0)
    y = (y > 0).astype(int) if name in CLASSIFIERS else np.abs(y).round() if name == "PoissonRegressor" else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = theirs(name)().fit(X, y)
    ours = getattr(sl, name)().fit(X, y)
    wanted = [a for a in vars(reference) if a.endswith("_")] + ["certificate_", "result_", "n_iter_"]
    for attribute in wanted:
        assert hasattr(ours, attribute), attribute
        mine, its = getattr(ours, attribute), getattr(reference, attribute, None)
        if its is not None and isinstance(its, np.ndarray | float | int):
            assert np.shape(mine) == np.shape(its), attribute
    assert ours.certificate_.optimal
    assert isinstance(ours.result_, sl.Result)


@pytest.mark.parametrize("name", NAMES)
def test_all_solver_names_of_scikit_learn_give_the_same_optimum(name):
    if "solver" not in inspect.signature(theirs(name)).parameters:
        pytest.skip("no such parameter")
    X, y = make_regression(50, 3, noise=5.0, random_state=1)
    y = (y > 0).astype(int) if name in CLASSIFIERS else np.abs(y).round() if name == "PoissonRegressor" else y
    reference = getattr(sl, name)(solver="auto").fit(X, y).coef_
    options = theirs(name)._parameter_constraints["solver"][0].options
    for solver in options:
        assert np.array_equal(getattr(sl, name)(solver=solver).fit(X, y).coef_, reference), solver


def test_our_own_solver_names_are_taken():
    X, y = load_iris(return_X_y=True)
    model = sl.LogisticRegression(solver="newton").fit(X, y)
    assert model.result_.solver.startswith("newton")


@pytest.mark.parametrize("name", NAMES)
def test_pipeline_search_clone_and_pickle(name):
    X, y = make_regression(80, 3, noise=5.0, random_state=2)
    y = (y > 0).astype(int) if name in CLASSIFIERS else np.abs(y).round() if name == "PoissonRegressor" else y
    model = make_pipeline(StandardScaler(), getattr(sl, name)()).set_output(transform="pandas")
    model.fit(X, y)
    step = name.lower()
    strength = {"C", "alpha"} & set(getattr(sl, name)().get_params())
    grid = {f"{step}__{s}": [0.1, 1.0] for s in strength} or {f"{step}__fit_intercept": [True, False]}
    search = GridSearchCV(clone(model), grid, cv=3, error_score="raise").fit(X, y)
    assert np.isfinite(search.best_score_)
    assert np.isfinite(cross_val_score(clone(model), X, y, cv=3, error_score="raise")).all()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again[-1].certificate_ == model[-1].certificate_


def test_metadata_routing():
    X, y = load_iris(return_X_y=True)
    weight = np.where(y == 0, 2.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = sl.LogisticRegression().set_fit_request(sample_weight=True)
        piped = make_pipeline(model).fit(X, y, sample_weight=weight)
        counts = sl.PoissonRegressor().set_fit_request(offset=True).set_predict_request(offset=True)
        chain = make_pipeline(counts).fit(X, y, offset=weight)
        expected = sl.PoissonRegressor().fit(X, y, offset=weight)
        assert np.array_equal(chain.predict(X, offset=weight), expected.predict(X, offset=weight))
    plain = sl.LogisticRegression().fit(X, y, sample_weight=weight)
    assert np.array_equal(piped[-1].coef_, plain.coef_)


def test_parameters_can_go_unchecked():
    X, y = load_iris(return_X_y=True)
    with sklearn.config_context(skip_parameter_validation=True):
        sl.Ridge(copy_X="whatever").fit(X, y)


def test_warning_exactly_when_the_optimum_is_not_proven():
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sl.LogisticRegression().fit(X, y)
        sl.LinearRegression().fit(np.hstack([X, X]), y)  # not unique, which does no harm
    with pytest.warns(ConvergenceWarning, match="INACCURATE.*\n.*proven within"):
        short = sl.LogisticRegression(max_iter=1).fit(X, y)
    assert short.certificate_.gap > 0 and short.certificate_.verdict is sl.Verdict.INACCURATE
    with pytest.warns(sklearn.exceptions.ConvergenceWarning) as caught:
        sl.LogisticRegression(max_iter=0).fit(X, y)
    assert caught[0].filename == __file__
    assert issubclass(ConvergenceWarning, sl.ConvergenceWarning)


def test_separable_classes_without_a_penalty_have_no_optimum():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="NO_MINIMUM"):
        model = sl.LogisticRegression(C=np.inf).fit(X[:100], y[:100])
    assert model.certificate_.verdict is sl.Verdict.NO_MINIMUM
    assert model.certificate_.witness is not None
    assert model.score(X[:100], y[:100]) == 1.0


def test_warm_start_begins_where_the_last_fit_ended():
    X, y = load_iris(return_X_y=True)
    model = sl.LogisticRegression(warm_start=True).fit(X, y)
    first = model.n_iter_[0]
    assert model.fit(X, y).n_iter_[0] < first
    for name in ("ElasticNet", "PoissonRegressor", "HuberRegressor"):
        again = getattr(sl, name)(warm_start=True, alpha=0.01).fit(X, y)
        coef = again.coef_.copy()
        np.testing.assert_allclose(again.fit(X, y).coef_, coef, atol=1e-7)
    model.fit(X[:, :2], y)  # another number of columns: a start from zero
    assert model.coef_.shape == (3, 2)


def test_sparsify_and_densify():
    X, y = load_iris(return_X_y=True)
    model = sl.LogisticRegression(l1_ratio=1.0, C=0.1).fit(X, y)
    before = model.predict_proba(X)
    assert hasattr(model.sparsify().coef_, "tocsr")
    np.testing.assert_allclose(model.predict_proba(X), before)
    assert isinstance(model.densify().coef_, np.ndarray)


def test_deprecated_penalty_works_as_in_scikit_learn():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        old = sl.LogisticRegression(penalty="l2", C=0.5).fit(X, y)
    assert np.array_equal(old.coef_, sl.LogisticRegression(C=0.5).fit(X, y).coef_)
    with pytest.warns(FutureWarning), pytest.warns(UserWarning, match="Inconsistent values"):
        old = sl.LogisticRegression(penalty="l1", C=0.5).fit(X, y)
    assert np.array_equal(old.coef_, sl.LogisticRegression(l1_ratio=1.0, C=0.5).fit(X, y).coef_)
    with pytest.warns(FutureWarning), pytest.warns(UserWarning, match="penalty=None will ignore"):
        old = sl.LogisticRegression(penalty=None, C=0.5).fit(X[:, :2], (y == 1).astype(int))
    assert np.array_equal(old.coef_, sl.LogisticRegression(C=np.inf).fit(X[:, :2], (y == 1).astype(int)).coef_)
    with pytest.warns(FutureWarning), pytest.raises(ValueError, match="l1_ratio must be specified"):
        sl.LogisticRegression(penalty="elasticnet", l1_ratio=None).fit(X, y)
    with pytest.warns(FutureWarning, match="l1_ratio=None"):
        sl.LogisticRegression(l1_ratio=None).fit(X, y)
    with pytest.warns(FutureWarning, match="n_jobs"):
        sl.LogisticRegression(n_jobs=2).fit(X, y)


def test_import_of_sightline_leaves_scikit_learn_alone():
    code = "import sys, sightline as s; m = sys.modules; s.fit; print('sklearn' in m); s.Ridge; print('sklearn' in m)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "True"]
