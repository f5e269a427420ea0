"""scikit-learn: every solver of its linear models that minimises one of the objectives."""

from __future__ import annotations

from typing import Any, Literal

from bench.peers.base import Contender, Fit, Fitted, Inputs, Setting, iterations, on, tolerances
from bench.problems import Problem

MANY = 100_000
Dtype = Literal["float64", "float32"]
Dtypes: tuple[Dtype, ...] = ("float64", "float32")


def _done(model: Any) -> Fitted:
    return Fitted(model.coef_, getattr(model, "intercept_", 0.0), {"n_iter": repr(getattr(model, "n_iter_", None))})


def logistic(solver: str, module: str = "sklearn.linear_model") -> Fit:
    """`LogisticRegression` with a solver; also scikit-learn-intelex's, which has the same interface."""

    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        import importlib

        instance = inputs.instance
        model = importlib.import_module(module).LogisticRegression(
            C=instance.C,
            l1_ratio=float(instance.problem.penalty == "l1"),
            solver=solver,
            fit_intercept=instance.problem.intercept,
            random_state=0,
            **{"max_iter": MANY, **setting},
        )
        return _done(model.fit(inputs.X, inputs.y))

    return fit


def least_squares(module: str = "sklearn.linear_model") -> Fit:
    """`LinearRegression`; for dense data its only setting is the cut-off of singular values."""

    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        import importlib

        model = importlib.import_module(module).LinearRegression(fit_intercept=inputs.instance.problem.intercept)
        return _done(model.fit(inputs.X, inputs.y))

    return fit


def ridge(solver: str | None, module: str = "sklearn.linear_model") -> Fit:
    """`Ridge` with a solver (None: not a parameter that is set)."""

    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        import importlib

        instance = inputs.instance
        chosen = {"solver": solver} if solver else {}
        alpha = instance.l2 * instance.n
        model = importlib.import_module(module).Ridge(
            alpha=alpha, fit_intercept=instance.problem.intercept, **chosen, **setting
        )
        return _done(model.fit(inputs.X, inputs.y))

    return fit


def _lasso(precompute: bool) -> Fit:
    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        from sklearn.linear_model import Lasso

        instance = inputs.instance
        intercept = instance.problem.intercept
        model = Lasso(alpha=instance.l1, fit_intercept=intercept, precompute=precompute, max_iter=MANY, **setting)
        return _done(model.fit(inputs.X, inputs.y))

    return fit


def _lars(inputs: Inputs, setting: Setting) -> Fitted:
    from sklearn.linear_model import LassoLars

    instance = inputs.instance
    model = LassoLars(alpha=instance.l1, fit_intercept=instance.problem.intercept, fit_path=False, precompute=True)
    return _done(model.fit(inputs.X, inputs.y))


def _svc(dual: bool) -> Fit:
    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        from sklearn.svm import LinearSVC

        instance = inputs.instance
        loss = instance.problem.loss
        model = LinearSVC(loss=loss, C=instance.C, dual=dual, fit_intercept=False, max_iter=1_000_000, **setting)
        return _done(model.fit(inputs.X, inputs.y))

    return fit


def _sgd(inputs: Inputs, setting: Setting) -> Fitted:
    from sklearn.linear_model import SGDClassifier

    instance = inputs.instance
    loss = {"logistic": "log_loss"}.get(instance.problem.loss, instance.problem.loss)
    intercept = instance.problem.intercept
    model = SGDClassifier(loss=loss, alpha=instance.l2, fit_intercept=intercept, tol=None, average=True, **setting)
    return _done(model.fit(inputs.X, inputs.y))


def contenders() -> list[Contender]:
    """Logistic and softmax, least squares, lasso and the margin losses."""
    return [c for dtype in Dtypes for c in (*_logistics(dtype), *_squares(dtype))] + _liblinear_and_sgd()


def _logistics(dtype: Dtype) -> list[Contender]:
    l2 = on("logistic", "softmax", penalties=("l2",))
    gradient, steps = tolerances(1e-1, 1e-8), tolerances(1e-1, 1e-7)

    def few(problem: Problem) -> bool:
        return l2(problem) and problem.p * (10 if problem.loss == "softmax" else 1) <= 1000

    return [
        Contender("sklearn", "lbfgs", dtype, gradient, l2, logistic("lbfgs")),
        Contender("sklearn", "newton-cg", dtype, gradient, l2, logistic("newton-cg")),
        Contender("sklearn", "newton-cholesky", dtype, tolerances(1e1, 1e-8), few, logistic("newton-cholesky")),
        Contender("sklearn", "sag", dtype, steps, l2, logistic("sag")),
        Contender("sklearn", "saga", dtype, steps, on("logistic", "softmax"), logistic("saga")),
    ]


def _squares(dtype: Dtype) -> list[Contender]:
    plain, l2, l1 = (on("squared", penalties=(penalty,)) for penalty in ("none", "l2", "l1"))
    ladder = tolerances(1e-1, 1e-9)
    direct = {"cholesky", "svd"}
    return [
        Contender("sklearn", "LinearRegression", dtype, ({},), plain, least_squares()),
        Contender("sklearn", "Lasso", dtype, ladder, l1, _lasso(False), "F"),
        Contender("sklearn", "Lasso Gram", dtype, ladder, l1, _lasso(True), "F"),
        Contender("sklearn", "LassoLars", dtype, ({},), l1, _lars, "F"),
        *(
            Contender("sklearn", f"Ridge {solver}", dtype, ({},) if solver in direct else ladder, l2, ridge(solver))
            for solver in ("cholesky", "svd", "lsqr", "sparse_cg", "sag", "saga")
        ),
    ]


def _liblinear_and_sgd() -> list[Contender]:
    binary = on("logistic", intercept=False)
    margin = on("hinge", "squared_hinge", intercept=False)
    primal = on("squared_hinge", intercept=False)
    averaged = on("logistic", "hinge", "squared_hinge", penalties=("l2",))
    ladder = tolerances(1e0, 1e-6)
    return [
        Contender("sklearn", "liblinear", "float64", tolerances(1e1, 1e-7), binary, logistic("liblinear")),
        Contender("sklearn", "LinearSVC dual", "float64", ladder, margin, _svc(True)),
        Contender("sklearn", "LinearSVC primal", "float64", ladder, primal, _svc(False)),
        Contender("sklearn", "SGD averaged", "float64", iterations(1, 256), averaged, _sgd),
    ]
