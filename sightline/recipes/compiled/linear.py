"""The weight and the bias of a module whose scores are X W' + b in its own parameters.

Modules are not read but probed: with random parameters and random rows the outputs must be what the parameters say. So
``nn.Linear``, ``nn.Sequential`` and a class with its own ``forward`` are alike, and one that does anything else (fixes
a scale, drops entries, adds a layer) is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sightline.recipes.compiled.errors import NotCompiled

ROWS = 5  # in a probe
Map = Callable[[Tensor], Tensor]


def unchanged(z: Tensor) -> Tensor:
    """The scores themselves."""
    return z


def log_softmax(z: Tensor) -> Tensor:
    """Log-probabilities of the classes, (n, K)."""
    return torch.log_softmax(z, -1)


@dataclass(frozen=True)
class Scores:
    """Where the scores of a module come from.

    weight : the parameter that holds W, (K, p), or any shape of as many numbers in that order; (p, K) if ``turned``.
    bias : the parameter with the K biases, or None.
    end : what the module does to the scores at last: nothing, the sigmoid, or log-softmax.
    shape : of one row's output: (), (1,) or (K,).
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    turned: bool
    end: Map
    shape: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """K."""
        return self.shape[0] if self.shape else 1

    def matrix(self, columns: int) -> Tensor:
        """W as it is now, (K, p), a tensor of its own."""
        return _as_matrix(self.weight.detach(), self.outputs, columns, self.turned).clone(
            memory_format=torch.contiguous_format
        )

    def put(self, weight: Tensor, bias: Tensor | None) -> None:
        """Write W (K, p) and b (K,) into the module's parameters."""
        with torch.no_grad():
            self.weight.copy_((weight.T if self.turned else weight).reshape(self.weight.shape))
            if self.bias is not None and bias is not None:
                self.bias.copy_(bias.reshape(self.bias.shape))


def scores_of(module: nn.Module, X: Tensor) -> Scores:
    """Find weight, bias and end.

    X : the rows that the module is to be trained on, (n, ...); only their shape and dtype are used.

    Raises
    ------
    NotCompiled : the module is not such a one.
    """
    name = type(module).__name__
    parameters = dict(module.named_parameters())
    if not 1 <= len(parameters) <= 2:
        raise _no(f"{name} has {len(parameters)} parameters ({', '.join(parameters) or 'none'})")
    generator = torch.Generator().manual_seed(0)
    values = {n: torch.randn(p.shape, generator=generator, dtype=p.dtype) for n, p in parameters.items()}
    rows = torch.randn((ROWS, *X.shape[1:]), generator=generator, dtype=X.dtype)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            out = torch.func.functional_call(module, values, (rows,))
    except Exception as error:
        raise _no(f"{name} cannot be run on rows of the shape of X, {tuple(rows.shape)} ({error})") from None
    if not isinstance(out, Tensor) or out.ndim not in (1, 2) or len(out) != ROWS:
        what = f"outputs of shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        raise _no(f"{name} gives {what} for {ROWS} rows")
    shape = tuple(out.shape[1:])
    flat = rows.reshape(ROWS, -1)
    for weight, bias, turned in _layouts(parameters, shape[0] if shape else 1, flat.shape[1]):
        W = _as_matrix(values[weight], shape[0] if shape else 1, flat.shape[1], turned)
        z = flat @ W.T + (0 if bias is None else values[bias].reshape(-1))
        for end in (unchanged, torch.sigmoid, log_softmax):
            if _near(out, end(z).reshape(out.shape)):
                chosen = parameters[weight], None if bias is None else parameters[bias]
                return Scores(chosen[0], chosen[1], turned, end, shape)
    raise _no(f"the outputs of {name} are not X W' + b with its parameters ({', '.join(parameters)}) as W and b")


def _layouts(
    parameters: dict[str, nn.Parameter], outputs: int, columns: int
) -> Iterator[tuple[str, str | None, bool]]:
    """Which parameter may be what: (weight, bias, turned)."""
    for name, weight in parameters.items():
        others = [other for other in parameters if other != name]
        bias = others[0] if others else None
        if weight.numel() != outputs * columns or (bias and parameters[bias].numel() != outputs):
            continue
        yield name, bias, False
        if outputs > 1 and columns > 1 and weight.shape == (columns, outputs):
            yield name, bias, True


def _as_matrix(weight: Tensor, outputs: int, columns: int, turned: bool) -> Tensor:
    return weight.reshape(columns, outputs).T if turned else weight.reshape(outputs, columns)


def _near(have: Tensor, want: Tensor) -> bool:
    tolerance = 1e3 * torch.finfo(want.dtype).eps
    return have.dtype == want.dtype and bool(((have - want).abs() <= tolerance * (1 + want.abs())).all())


def _no(what: str) -> NotCompiled:
    return NotCompiled(
        f"engine='compiled' cannot train this module: {what}. It trains modules whose scores are X W' + b with one"
        " weight and at most one bias: nn.Linear, alone or in nn.Sequential, or a class of that kind. Use"
        " engine='exact'."
    )
