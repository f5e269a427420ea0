"""glum: generalised linear models, binomial and normal."""

from __future__ import annotations

from bench.peers.base import Contender, Fit, Fitted, Inputs, Setting, on, tolerances


def _fit(solver: str) -> Fit:
    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        from glum import GeneralizedLinearRegressor

        instance = inputs.instance
        model = GeneralizedLinearRegressor(
            alpha=max(instance.l1, instance.l2),
            l1_ratio=float(instance.problem.penalty == "l1"),
            family="binomial" if instance.problem.loss == "logistic" else "normal",
            fit_intercept=instance.problem.intercept,
            solver=solver,
            gradient_tol=setting["tol"],
            max_iter=10_000,
        )
        model.fit(inputs.X, inputs.y)
        return Fitted(model.coef_, model.intercept_, {"n_iter": repr(model.n_iter_)})

    return fit


def contenders() -> list[Contender]:
    """Its three methods; the first solves systems in the columns, so not where they are many."""
    ladder = tolerances(1e-1, 1e-9)
    smooth = on("logistic", "squared", penalties=("none", "l2"))
    lasso = on("logistic", "squared", penalties=("l1",))
    return [
        Contender("glum", "irls-ls", "float64", ladder, lambda p: smooth(p) and p.p <= 2000, _fit("irls-ls")),
        Contender("glum", "irls-cd", "float64", ladder, lambda p: lasso(p) and p.p <= 2000, _fit("irls-cd"), "F"),
        Contender("glum", "lbfgs", "float64", ladder, smooth, _fit("lbfgs")),
    ]
