"""The affine map x -> W x + b inside whatever holds a linear model: modules, tensors, state dicts, estimators.

Plain layers are read; any other module is probed with zeros and unit vectors and the answer is checked on rows of the
data, so a model that is not linear is noticed, with the number.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sightline.design_matrix import Design

CHECKED_ROWS = 2000  # rows of the data on which a probed module is checked
PROBES = 1024  # unit vectors in one forward pass


@dataclass(frozen=True)
class Affine:
    """weight (K, p) and bias (K,), float64 on the CPU; dtype of the source; whether a bias can be trained."""

    weight: Tensor
    bias: Tensor
    dtype: torch.dtype
    has_bias: bool


def affine_map(model: Any, design: Design, outputs: int, loss: str) -> Affine:
    """The affine map of a model on the columns of ``design`` before a last sigmoid, softmax or exponential.

    outputs : scores that the problem has (1, or K); tells (p, K) from (K, p) where only one of them fits.

    Raises
    ------
    ValueError : shapes that do not fit (both named), weights that are not finite (named), a module that is not linear
        (with the number by which it is not), without parameters, or with layers that were never given a size.
    """
    if isinstance(model, nn.Module):
        found = _of_module(model, design, loss)
    elif hasattr(model, "weight") and hasattr(model, "bias") and hasattr(model, "certificate"):
        found = _of_numbers(model.weight, model.bias, design.p, outputs)
        found = Affine(found.weight, found.bias, found.dtype, bool(model.fit_intercept))
    elif hasattr(model, "coef_"):
        found = _of_estimator(model, design.p, outputs)
    elif isinstance(model, Mapping):
        found = _of_state(model, design.p, outputs)
    elif isinstance(model, tuple | list) and len(model) == 2 and np.ndim(_plain(model[0])) >= 1:
        found = _of_numbers(model[0], model[1], design.p, outputs)
    elif hasattr(model, "predict") or callable(model):
        hint = "fit it first" if hasattr(model, "fit") else "give an nn.Module, a tensor, (weight, bias) or a Result"
        raise ValueError(f"{type(model).__name__} has no weights to certify: {hint}.")
    else:
        found = _of_numbers(model, None, design.p, outputs)
    if found.weight.shape[1] != design.p:
        raise ValueError(
            f"the model takes {found.weight.shape[1]} columns (weight {tuple(found.weight.shape)}) but X has shape"
            f" ({design.n}, {design.p}); give it the X that it was made for."
        )
    return found


def _plain(values: Any) -> Any:
    return values.detach().cpu() if isinstance(values, Tensor) else values


def _tensor(values: Any, what: str) -> tuple[Tensor, torch.dtype]:
    if hasattr(values, "toarray"):
        values = values.toarray()
    try:
        tensor = values.detach() if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} is not a tensor of numbers ({error}).") from None
    dtype = tensor.dtype if tensor.is_floating_point() else torch.float64
    return tensor.to_dense().double().cpu() if tensor.is_sparse else tensor.double().cpu(), dtype


def _of_numbers(weight: Any, bias: Any, p: int, outputs: int) -> Affine:
    """(p,), (K, p) as ``nn.Linear``, (p, K) where only that fits; one column more is the bias, last."""
    w, dtype = _tensor(weight, "the weight")
    shape = tuple(w.shape)
    if w.ndim == 0 or w.ndim > 2:
        raise ValueError(f"the weight has shape {shape}; it must be ({p},) or (outputs, {p}).")
    if w.ndim == 1:
        w = w[None]
    extra = 1 if bias is None else 0
    turned = w.shape[1] not in (p, p + extra) and w.shape[0] in (p, p + extra)
    if turned or (w.shape[0] == p and w.shape[1] == outputs != p):
        w = w.T
    if bias is None and w.shape[1] == p + 1:
        return Affine(w[:, :p], w[:, p], dtype, True)
    if w.shape[1] != p:
        more = f", or {p + 1} with the bias last" if bias is None else ""
        raise ValueError(f"the weight has shape {shape} but X has {p} columns: it must be (outputs, {p}){more}.")
    if bias is None:
        return Affine(w, torch.zeros(len(w), dtype=torch.float64), dtype, False)
    b, _ = _tensor(bias, "the bias")
    b = b.reshape(-1)
    if len(b) == 1 and len(w) > 1:
        b = b.expand(len(w))
    if len(b) != len(w):
        raise ValueError(f"the weight has shape {shape} and the bias {tuple(b.shape)}; they must be (K, {p}) and (K,).")
    return Affine(w, b.clone(), dtype, True)


def _of_estimator(model: Any, p: int, outputs: int) -> Affine:
    found = _of_numbers(model.coef_, getattr(model, "intercept_", 0.0), p, outputs)
    return Affine(found.weight, found.bias, found.dtype, bool(getattr(model, "fit_intercept", True)))


def _of_state(state: Mapping[Any, Any], p: int, outputs: int) -> Affine:
    weights = [k for k, v in state.items() if np.ndim(_plain(v)) == 2]
    biases = [k for k, v in state.items() if np.ndim(_plain(v)) <= 1 and "num_batches" not in str(k)]
    if len(weights) != 1 or len(biases) > 1:
        raise ValueError(
            f"the state dict holds {', '.join(map(str, state)) or 'nothing'}: what happens between several tensors is"
            " not in it. Load it into its module and give that."
        )
    return _of_numbers(state[weights[0]], state[biases[0]] if biases else None, p, outputs)


# ---------------------------------------------------------------------------------------------------------- modules

ENDS = (nn.Sigmoid, nn.Softmax, nn.LogSoftmax, nn.LogSigmoid)
NOTHING = (nn.Identity, nn.Dropout, nn.AlphaDropout, nn.Flatten)


def _of_module(module: nn.Module, design: Design, loss: str) -> Affine:
    parameters = list(module.parameters())
    if not parameters:
        raise ValueError(f"{type(module).__name__} has no parameters: there are no weights to certify.")
    for name, parameter in module.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError(f"{name} of {type(module).__name__} has no size yet; run the module on data once.")
        if not bool(torch.isfinite(parameter).all()):
            where = [int(i) for i in (~torch.isfinite(parameter)).nonzero()[0]]
            value = float(parameter.detach()[tuple(where)])
            raise ValueError(f"{name}{where or ''} of {type(module).__name__} is {value}; training diverged.")
    dtype = parameters[0].dtype
    named = any(("bias" in n or "intercept" in n or n.rsplit(".")[-1] == "b") for n, _ in module.named_parameters())
    layers = _layers(module)
    if layers is not None:
        weight, bias = _composed(layers)
        return Affine(weight, bias, dtype, named)
    weight, bias = _probed(module, design, loss)
    return Affine(weight, bias, dtype, named or bool(bias.any()))


def _layers(module: nn.Module) -> list[nn.Linear] | None:
    """The linear layers of a plain stack, or None where it holds anything whose working is not known."""
    flat = list(_flatten(module))
    if flat and type(flat[-1]) in ENDS:
        flat.pop()
    flat = [m for m in flat if type(m) not in NOTHING]
    plain = all(type(m) is nn.Linear and not m._forward_hooks and not m._forward_pre_hooks for m in flat)
    return flat if flat and plain else None  # type: ignore[return-value]


def _flatten(module: nn.Module) -> Iterator[nn.Module]:
    if type(module) is nn.Sequential:
        for child in module:
            yield from _flatten(child)
    else:
        yield module


def _composed(layers: list[nn.Linear]) -> tuple[Tensor, Tensor]:
    weight, bias = None, torch.zeros(layers[0].in_features, dtype=torch.float64)
    for layer in layers:
        w = layer.weight.detach().double().cpu()
        b = torch.zeros(len(w), dtype=torch.float64) if layer.bias is None else layer.bias.detach().double().cpu()
        if w.shape[1] != len(bias):
            raise ValueError(f"a layer of {w.shape[1]} inputs follows one of {len(bias)} outputs.")
        weight, bias = (w if weight is None else w @ weight), w @ bias + b
    assert weight is not None
    return weight, bias


@contextlib.contextmanager
def quiet(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, and everything as it was afterwards."""
    modes = [(m, m.training) for m in module.modules()]
    with torch.random.fork_rng(), torch.no_grad():
        module.eval()
        try:
            yield
        finally:
            for m, mode in modes:
                m.training = mode


def _probed(module: nn.Module, design: Design, loss: str) -> tuple[Tensor, Tensor]:
    name, p = type(module).__name__, design.p
    try:
        subject = copy.deepcopy(module)
    except Exception:
        subject = module
    device = next(module.parameters()).device
    own = next(module.parameters()).dtype
    attempts = [own] if subject is module else [torch.float64, own]
    step = max(1, design.n // CHECKED_ROWS)
    rows = design.rows(torch.arange(0, design.n, step, device=design.device)).to_dense().cpu()
    with quiet(subject):
        for i, dtype in enumerate(attempts):

            def run(x: Tensor, dtype: torch.dtype = dtype, ended: bool = True) -> Tensor:
                with contextlib.nullcontext() if ended else _WithoutEnd():
                    pieces = [subject(part.to(device, dtype)) for part in x.split(PROBES)]
                if not all(isinstance(piece, Tensor) for piece in pieces):
                    raise ValueError(f"{name} returns {type(pieces[0]).__name__}, not a tensor of scores.")
                out = torch.cat([piece.double().cpu() for piece in pieces])
                if out.ndim not in (1, 2) or len(out) != len(x):
                    raise ValueError(
                        f"{name} gives outputs of shape {tuple(out.shape)} for {len(x)} rows; they must be"
                        f" ({len(x)},), or ({len(x)}, outputs)."
                    )
                return out[:, None] if out.ndim == 1 else out

            try:
                subject.to(dtype)
                at_rows = run(rows)
            except ValueError:
                raise
            except Exception as error:
                if i + 1 < len(attempts):
                    continue
                raise ValueError(f"{name} cannot be run on rows of X, shape ({len(rows)}, {p}): {error}") from None
            return _affine_part(run, rows, at_rows, loss, name, dtype)
    raise AssertionError


class _WithoutEnd(TorchFunctionMode):
    """Scores in place of the probabilities made of them: sigmoid, softmax and their logarithms give back their input.

    So no digit is lost where a probability is near 0 or 1.
    """

    FUNCTIONS = frozenset((
        torch.sigmoid, torch.sigmoid_, torch.special.expit, Tensor.sigmoid, Tensor.sigmoid_, F.sigmoid, F.logsigmoid,
        torch.softmax, Tensor.softmax, F.softmax, torch.log_softmax, Tensor.log_softmax, F.log_softmax,
    ))  # fmt: skip

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, or not."""
        kwargs = kwargs or {}
        if func in self.FUNCTIONS:
            return args[0] if args else kwargs["input"]
        return func(*args, **kwargs)


def _is_end(scores: Tensor, outputs: Tensor, tolerance: float) -> bool:
    """Whether the outputs are what a last sigmoid or softmax, or its logarithm, makes of the scores."""
    ends: list[Callable[[Tensor], Tensor]] = [lambda z: F.softmax(z, 1), lambda z: F.log_softmax(z, 1)]
    if scores.shape[1] == 1:
        ends = [torch.sigmoid, F.logsigmoid]
    return any(torch.allclose(end(scores), outputs, rtol=tolerance, atol=tolerance) for end in ends)


def _affine_part(
    run: Callable[..., Tensor], rows: Tensor, at_rows: Tensor, loss: str, name: str, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Weight and bias of the module's outputs, or of what a last sigmoid, softmax or exponential was given."""
    p = rows.shape[1]
    tolerance = 1e-9 if dtype == torch.float64 else 1e3 * torch.finfo(dtype).eps
    # Unit vectors of the columns' own size, so that no probe is far from the data.
    size = rows.abs().amax(0).clamp(min=1e-300)

    def probes(**how: bool) -> tuple[Tensor, Tensor]:
        zero = run(torch.zeros(1, p, dtype=torch.float64), **how)
        return zero, torch.cat([run(torch.diag(size)[i : i + PROBES], **how) for i in range(0, p, PROBES)])

    at_zero, at_units = probes()
    if loss in ("logistic", "softmax"):
        scores = run(rows, ended=False)
        if _is_end(scores, at_rows, 1e3 * tolerance):
            at_zero, at_units = probes(ended=False)
            at_rows = scores
    least = None
    for undo in (lambda v: v, *_inverses(loss, at_rows)):
        zero, units, want = undo(at_zero), undo(at_units), undo(at_rows)
        if not (bool(torch.isfinite(zero).all()) and bool(torch.isfinite(units).all())):
            continue
        weight = ((units - zero) / size[:, None]).T
        usable = torch.isfinite(want).all(1)
        have = rows @ weight.T + zero
        scale = rows.abs() @ weight.abs().T + zero.abs() + want.abs()
        off = ((have - want).abs() / scale.clamp(min=1e-300))[usable]
        worst = float(off.max()) if len(off) else 0.0
        # Undoing a saturated probability loses digits: as many as it is near to one.
        if worst <= tolerance * (1 if undo(at_rows) is at_rows else 1e4):
            return weight, zero[0]
        least = worst if least is None else min(least, worst)
    raise ValueError(
        f"{name} is not linear: its outputs on the rows of X differ from the nearest affine map's by up to"
        f" {100 * (least or 0.0):.3g} % of their size. Certificates are for linear models."
    )


def _inverses(loss: str, v: Tensor) -> Iterator[Callable[[Tensor], Tensor]]:
    """What undoes the last step of a module, as far as its outputs on the data allow that step."""
    if loss == "poisson" and bool((v > 0).all()):
        yield torch.log
    if loss not in ("logistic", "softmax"):
        return
    if v.shape[1] == 1:
        if bool(((v >= 0) & (v <= 1)).all()):
            yield lambda v: torch.log(v) - torch.log1p(-v)
        if bool((v <= 0).all()):
            yield lambda v: v - torch.log(-torch.expm1(v))
    else:
        if bool((v >= 0).all()) and bool(((v.sum(1) - 1).abs() < 1e-3).all()):
            yield lambda v: v.log() - v.log().mean(1, keepdim=True)
        if bool((v.logsumexp(1).abs() < 1e-3).all()):
            yield lambda v: v - v.mean(1, keepdim=True)
