"""statsmodels: least squares, and logit without a penalty (which C=1 on many rows is, to the accuracy asked)."""

from __future__ import annotations

from bench.peers.base import Contender, Fit, Fitted, Inputs, Setting, iterations, on


def _logit(inputs: Inputs, setting: Setting) -> Fitted:
    import statsmodels.api as sm

    found = sm.Logit(inputs.y, inputs.X).fit(method="newton", maxiter=setting["max_iter"], disp=0)
    return Fitted(found.params)


def _ols(method: str) -> Fit:
    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        import statsmodels.api as sm

        return Fitted(sm.OLS(inputs.y, inputs.X).fit(method=method).params)

    return fit


def contenders() -> list[Contender]:
    """Both without an intercept (it would be a column of X)."""
    squares = on("squared", penalties=("none",), intercept=False)
    logit = on("logistic", penalties=("l2",), sparse=False, intercept=False)
    return [
        Contender("statsmodels", "Logit", "float64", iterations(2, 16), lambda p: logit(p) and p.n > p.p, _logit),
        Contender("statsmodels", "OLS pinv", "float64", ({},), squares, _ols("pinv")),
        Contender("statsmodels", "OLS qr", "float64", ({},), squares, _ols("qr")),
    ]
