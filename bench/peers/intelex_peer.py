"""scikit-learn-intelex: scikit-learn's interface on oneDAL."""

from __future__ import annotations

from bench.peers.base import Contender, Fit, Fitted, Inputs, Setting, on, threads, tolerances
from bench.peers.sklearn_peer import Dtypes, least_squares, logistic, ridge

MODULE = "sklearnex.linear_model"


def _pinned(fit: Fit) -> Fit:
    """oneDAL takes its thread count from a call, not from the environment."""

    def pinned(inputs: Inputs, setting: Setting) -> Fitted:
        import daal4py

        if daal4py.num_threads() != threads():
            daal4py.daalinit(threads())
        return fit(inputs, setting)

    return pinned


def contenders() -> list[Contender]:
    """Its logistic regression, least squares and ridge."""
    smooth = on("logistic", "softmax", penalties=("l2",))
    found = []
    for dtype in Dtypes:
        found += [
            Contender("intelex", s, dtype, tolerances(1e2, 1e-7), smooth, _pinned(logistic(s, MODULE)))
            for s in ("lbfgs", "newton-cg")
        ]
        squares, ridges = on("squared", penalties=("none",)), on("squared", penalties=("l2",))
        found.append(Contender("intelex", "LinearRegression", dtype, ({},), squares, _pinned(least_squares(MODULE))))
        found.append(Contender("intelex", "Ridge", dtype, ({},), ridges, _pinned(ridge(None, MODULE))))
    return found
