"""What cannot be trained, said before or at the first step in terms of what was given."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sightline.affine import quiet
from sightline.data import DataError


def check_module(module: Any) -> None:
    """Raise ValueError unless this is a module with parameters to train."""
    if not isinstance(module, nn.Module):
        raise ValueError(f"module is a {type(module).__name__}; give an nn.Module, for example nn.Linear(2, 1).")
    name = type(module).__name__
    parameters = list(module.named_parameters())
    if not parameters:
        plain = [k for k, v in vars(module).items() if isinstance(v, Tensor)]
        listed = [k for k, v in vars(module).items() if isinstance(v, list | tuple | dict) and _holds(v)]
        advice = "there is nothing to train."
        if plain:
            advice = f"its {plain[0]} is a plain tensor; make it one: self.{plain[0]} = nn.Parameter(...)."
        elif listed:
            advice = (
                f"its {listed[0]} is a plain {type(getattr(module, listed[0])).__name__}, in which PyTorch does not"
                " look; use nn.ModuleList, nn.ModuleDict or nn.ParameterList."
            )
        raise ValueError(f"{name} has no parameters: {advice}")
    for key, parameter in parameters:
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError(f"{key} of {name} has no size yet; run the module on some rows of X once.")
        if not bool(torch.isfinite(parameter).all()):
            raise ValueError(f"{key} of {name} holds NaN or infinity before the first step; start from finite weights.")
    if not any(p.requires_grad for _, p in parameters):
        raise ValueError(f"no parameter of {name} can be trained: all have requires_grad=False.")


def _holds(values: Any) -> bool:
    inside = values.values() if isinstance(values, dict) else values
    return any(isinstance(v, nn.Module | Tensor) for v in inside)


def check_rows(X: Tensor, y: Tensor) -> None:
    """Raise DataError where a tensor holds NaN or infinity, with the row (and column) of the first."""
    for name, values in (("X", X), ("y", y)):
        # A sum is finite only if all its terms are, and it is far cheaper than a look at each.
        if not values.is_floating_point() or math.isfinite(float(values.detach().sum())):
            continue
        if bool(torch.isfinite(values).all()):
            continue
        bad = (~torch.isfinite(values)).nonzero()
        where = [int(i) for i in bad[0]]
        value = float(values[tuple(where)])
        place = f"row {where[0]}" + (f", column {where[1]}" if len(where) == 2 and values.shape[1] > 1 else "")
        more = f" ({len(bad)} such values)" if len(bad) > 1 else ""
        raise DataError(f"{name} holds {value:g}: {place}{more}; fill or leave out such rows.")


def suited(module: nn.Module, function: Callable[[Any, Any], Any], X: Tensor, y: Tensor) -> Tensor:
    """Targets that came as an array or a list, which have no dtype or shape of PyTorch's yet, as the loss takes them.

    As they are if it takes them so; else as floats of the module's dtype, as a column, or both.
    """
    try:
        with quiet(module):
            out = module(X[:2])
    except Exception:  # said at the first step, with what is wrong
        return y
    if not isinstance(out, Tensor) or len(out) != len(y[:2]):
        return y
    tries = [y, y.to(out.dtype)]
    if out.shape != y[:2].shape and out.numel() == y[:2].numel():
        tries += [t.reshape(len(y), *out.shape[1:]) for t in tries]
    for target in tries:
        try:
            with torch.random.fork_rng(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                leaf = out.detach().clone().requires_grad_()
                with torch.enable_grad():
                    function(leaf, target[:2]).sum().backward()
            if not broadcasts(function, out, target[:2]):
                return target
        except Exception:  # a loss that does not take these
            continue
    return y


class CheckedLoss:
    """The recipe's loss, which looks at shapes when it meets them for the first time.

    It is the same function otherwise: nothing is added to its value or its graph.
    """

    def __init__(self, function: Callable[[Any, Any], Tensor]) -> None:
        self.function = function
        self._seen: set[tuple[Any, Any]] = set()

    def __call__(self, out: Any, y: Any) -> Tensor:
        shapes = (getattr(out, "shape", None), getattr(y, "shape", None))
        if shapes in self._seen:
            return self.function(out, y)
        value = self._first(out, y)
        self._seen.add(shapes)
        return value

    def _first(self, out: Any, y: Any) -> Tensor:
        what = _named(self.function)
        if isinstance(out, Tensor) and isinstance(y, Tensor):
            _check_lengths(out, y)
            if broadcasts(self.function, out, y):
                fix = "y.reshape(-1, 1)" if out.ndim == 2 else "y.reshape(-1)"
                also = ", or end the module with nn.Flatten(0)" if out.ndim == 2 else ""
                raise ValueError(
                    f"the outputs have shape {_shape(out)} and y {_shape(y)}: {what} would compare each output with"
                    f" every row's y. Give {fix}{also}."
                )
        try:
            value = self.function(out, y)
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(_no_loss(what, out, y, error)) from error
        if not isinstance(value, Tensor):
            raise ValueError(f"{what} returns {type(value).__name__}, not a tensor: PyTorch cannot find its gradient.")
        if value.numel() != 1:
            raise ValueError(
                f"{what} returns {_shape(value)} values, one for each row; a step needs one number:"
                " use reduction='mean', or .mean()."
            )
        if not value.requires_grad:
            raise ValueError(
                f"{what} does not depend on the module's parameters: somewhere on the way there is .detach(), .data,"
                " .item(), a comparison or a rounding."
            )
        return value


def _named(function: Any) -> str:
    name = getattr(function, "__name__", None) or type(function).__name__
    return "the loss" if name == "<lambda>" else str(name)


def _shape(tensor: Any) -> str:
    return str(tuple(tensor.shape))


def _check_lengths(out: Tensor, y: Tensor) -> None:
    if out.ndim and y.ndim and len(out) != len(y):
        raise ValueError(
            f"the module gives outputs of shape {_shape(out)} for a batch of {len(y)} rows (y has shape {_shape(y)});"
            " there must be one for each row."
        )


def _no_loss(what: str, out: Any, y: Any, error: Exception) -> str:
    if not isinstance(out, Tensor):
        return f"{what} cannot take what the module returns, a {type(out).__name__}: {error}"
    kinds = f"outputs of shape {_shape(out)}, {out.dtype}"
    advice = ""
    if "between 0 and 1" in str(error):
        advice = " It takes probabilities: end the module in nn.Sigmoid(), or use nn.BCEWithLogitsLoss()."
    elif isinstance(y, Tensor):
        kinds += f", and y of shape {_shape(y)}, {y.dtype}"
        if "Long" in str(error) or "Int" in str(error) or "Double" in str(error) or "dtype" in str(error):
            advice = " Labels are y.long() for class numbers, y.to(outputs' dtype) for everything else."
        elif out.ndim == 2 and out.shape[1] == 1 and y.ndim == 1:
            advice = " Give y.reshape(-1, 1)."
        elif out.ndim == 1 and y.ndim == 2:
            advice = " Give y.reshape(-1)."
    return f"{what} cannot take {kinds}: {_first_line(error)}.{advice}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


def broadcasts(function: Callable[[Any, Any], Any], out: Tensor, y: Tensor) -> bool:
    """Whether the loss compares every output with every target because their shapes differ, as (n, 1) and (n,) do.

    Found by what it computes: the derivative at one row changes with the target of another, and no longer does so when
    the target is given in the shape of the outputs.
    """
    if len(out) < 2 or out.shape == y.shape or out.numel() != y.numel() or not out.is_floating_point():
        return False
    return _mixes(function, out, y) and not _mixes(function, out, y.reshape(out.shape))


def _mixes(function: Callable[[Any, Any], Any], out: Tensor, y: Tensor) -> bool:
    generator = torch.Generator().manual_seed(0)
    other = y.clone()
    flipped = 1 - y[-1] if bool(((y >= 0) & (y <= 1)).all()) else -y[-1] if bool((y[-1] != 0).all()) else y[-1] + 1
    other[-1] = flipped
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for scale in (0.1, 1.0):
            z = scale * torch.rand(out.shape, generator=generator).to(out)
            slopes = []
            for target in (y, other):
                leaf = z.clone().requires_grad_()
                try:
                    with torch.enable_grad():
                        value = function(leaf, target)
                        slopes.append(torch.autograd.grad(value.sum(), leaf)[0])
                except Exception:  # a loss that refuses such outputs compares nothing with them
                    return False
            if not torch.allclose(slopes[0][:-1], slopes[1][:-1], rtol=1e-5, atol=1e-12):
                return True
    return False


def first_forward(module: nn.Module, X: Any) -> Any:
    """The module on the first batch; an error in it is said with the shapes and dtypes that caused it.

    Raises
    ------
    ValueError : what the module raises, with what it was given.
    """
    try:
        return module(X)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if not isinstance(X, Tensor):
            raise
        parameter = next(module.parameters())
        advice = ""
        if X.dtype != parameter.dtype:
            advice = f" X is {X.dtype} and the parameters {parameter.dtype}: give X.to({parameter.dtype})."
        elif X.device != parameter.device:
            advice = f" X is on {X.device} and the parameters on {parameter.device}: move one of them."
        raise ValueError(
            f"{type(module).__name__} cannot take a batch X of shape {_shape(X)}: {_first_line(error)}.{advice}"
        ) from error
