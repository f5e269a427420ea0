"""skglm: working sets and coordinate descent, compiled by numba at the first fit (the priming fit, so not timed)."""

from __future__ import annotations

from bench.peers.base import Contender, Fitted, Inputs, Setting, on, tolerances


def _l1(inputs: Inputs, setting: Setting) -> Fitted:
    import skglm

    instance = inputs.instance
    kind = skglm.SparseLogisticRegression if instance.problem.loss == "logistic" else skglm.Lasso
    model = kind(
        alpha=instance.l1, fit_intercept=instance.problem.intercept, max_iter=200, max_epochs=50_000, **setting
    )
    model.fit(inputs.X, inputs.y)
    return Fitted(model.coef_, model.intercept_, {"n_iter": repr(model.n_iter_)})


def _smooth(inputs: Inputs, setting: Setting) -> Fitted:
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Logistic, Quadratic
    from skglm.penalties import L2
    from skglm.solvers import LBFGS

    instance = inputs.instance
    datafit = Logistic() if instance.problem.loss == "logistic" else Quadratic()
    solver = LBFGS(max_iter=10_000, **setting)
    solver.fit_intercept = solver.warm_start = False  # the estimator reads both, this solver lacks them
    model = GeneralizedLinearEstimator(datafit, L2(instance.l2), solver)
    model.fit(inputs.X, inputs.y)
    return Fitted(model.coef_, model.intercept_)


def _svc(inputs: Inputs, setting: Setting) -> Fitted:
    from skglm import LinearSVC

    model = LinearSVC(C=inputs.instance.C, fit_intercept=False, max_iter=200, **setting)
    model.fit(inputs.X, inputs.y)
    return Fitted(model.coef_)


def contenders() -> list[Contender]:
    """L1 in both precisions, L2 by L-BFGS, hinge by its dual."""
    l1 = on("logistic", "squared", penalties=("l1",))
    l2 = on("logistic", "squared", penalties=("l2",), intercept=False)
    ladder = tolerances(1e-2, 1e-9)
    return [
        Contender("skglm", "working set", "float64", ladder, l1, _l1, "F", signs=True),
        Contender("skglm", "working set", "float32", ladder, l1, _l1, "F", signs=True),
        Contender("skglm", "lbfgs", "float64", ladder, l2, _smooth, "F", signs=True),
        Contender("skglm", "LinearSVC", "float64", ladder, on("hinge", intercept=False, sparse=False), _svc, "F"),
    ]
