"""Plain PyTorch as people write it: full-batch L-BFGS through autograd, and normal equations."""

from __future__ import annotations

from typing import Any

from bench.peers.base import Contender, Fit, Fitted, Inputs, Setting, iterations, on
from bench.peers.sklearn_peer import Dtypes


def _objective(inputs: Inputs, W: Any, b: Any) -> Any:
    import torch
    import torch.nn.functional as F

    instance, X, y = inputs.instance, inputs.X, inputs.y
    z = X @ W + b if b is not None else X @ W
    name = instance.problem.loss
    if name == "logistic":
        loss = F.binary_cross_entropy_with_logits(z, y)
    elif name == "softmax":
        loss = F.cross_entropy(z, y)
    elif name == "squared":
        loss = 0.5 * F.mse_loss(z, y)
    else:
        margin = torch.relu(1.0 - y * z)
        loss = margin.mean() if name == "hinge" else (margin * margin).mean()
    return loss + 0.5 * instance.l2 * W.square().sum()


def _lbfgs(search: str | None) -> Fit:
    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        import torch

        instance, X = inputs.instance, inputs.X
        shape = (instance.p, instance.classes) if instance.problem.loss == "softmax" else (instance.p,)
        W = torch.zeros(shape, dtype=X.dtype, requires_grad=True)
        b = torch.zeros(shape[1:], dtype=X.dtype, requires_grad=True) if instance.problem.intercept else None
        parameters = [W] if b is None else [W, b]
        optimizer = torch.optim.LBFGS(
            parameters,
            lr=1.0,
            max_iter=setting["max_iter"],
            max_eval=10 * setting["max_iter"],
            history_size=setting.get("history", 20),
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn=search,
        )

        def closure() -> Any:
            optimizer.zero_grad()
            loss = _objective(inputs, W, b)
            loss.backward()
            return loss

        optimizer.step(closure)
        coef = W.detach().T if instance.problem.loss == "softmax" else W.detach()
        return Fitted(coef.numpy(), b.detach().numpy() if b is not None else 0.0)

    return fit


def _normal_equations(inputs: Inputs, setting: Setting) -> Fitted:
    import torch

    instance, X, y = inputs.instance, inputs.X, inputs.y
    G, c = X.T @ X, X.T @ y
    G.diagonal().add_(instance.l2 * instance.n)
    return Fitted(torch.cholesky_solve(c[:, None], torch.linalg.cholesky(G))[:, 0].numpy())


def _lstsq(inputs: Inputs, setting: Setting) -> Fitted:
    import torch

    return Fitted(torch.linalg.lstsq(inputs.X, inputs.y[:, None], driver="gels").solution[:, 0].numpy())


def contenders() -> list[Contender]:
    """L-BFGS with and without a line search, and the direct solutions."""
    losses = ("logistic", "softmax", "squared", "hinge", "squared_hinge")
    smooth = on(*losses, penalties=("none", "l2"), sparse=False)
    ladder = iterations(3, 3000)
    direct = on("squared", penalties=("none", "l2"), sparse=False, intercept=False)
    squares = on("squared", penalties=("none",), sparse=False, intercept=False)
    found = []
    for dtype in Dtypes:
        found += [
            Contender("torch", "L-BFGS", dtype, ladder, smooth, _lbfgs("strong_wolfe"), tensors=True),
            Contender("torch", "L-BFGS, no search", dtype, ladder, smooth, _lbfgs(None), tensors=True),
            Contender("torch", "normal equations", dtype, ({},), direct, _normal_equations, tensors=True),
            Contender("torch", "lstsq", dtype, ({},), squares, _lstsq, tensors=True),
        ]
    return found
