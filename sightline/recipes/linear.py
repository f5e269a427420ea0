"""The linear model inside a module that is trained: its scores W x + b at any recorded parameters."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sightline.affine import affine_map, quiet
from sightline.design_matrix import Design, as_design
from sightline.objective import Weights
from sightline.recipes.recognised import LINKS
from sightline.recipes.trace import State

PROBED_STATES = 4  # random parameters at which a module must be linear as well
SAMPLED_ROWS = 256  # rows on which the module's last step is told from others


class _Rows(nn.Module):
    """A module on inputs of another shape than (n, p), as one on (n, p)."""

    def __init__(self, module: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.module, self.shape = module, shape

    def forward(self, rows: Tensor) -> Tensor:
        out: Tensor = self.module(rows.reshape(len(rows), *self.shape))
        return out


@dataclass(frozen=True)
class Read:
    """A parameter that *is* the weight matrix or the bias, up to its shape and sign: ``place`` in the module's
    parameters."""

    place: int
    turned: bool
    sign: float


@dataclass
class LinearMap:
    """How a module's scores depend on its parameters.

    copy : a copy of the module; its parameters are overwritten.  design : the rows, (n, p).
    outputs : scores a row.  link : what the module makes of the scores (see ``LINKS``).
    dtype : of the parameters.  weight, bias : where they can be read, None where the module has to be asked; bias also
    where there is none.  has_bias : an intercept is trained.
    """

    copy: nn.Module
    design: Design
    outputs: int
    link: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    weight: Read | None = None
    bias: Read | None = None
    has_bias: bool = False
    asked_for: str = field(default="squared", repr=False)

    def at(self, state: State) -> tuple[Tensor, Tensor]:
        """Weight (K, p) and bias (K,), float64, at recorded parameters."""
        if self.weight is not None:
            weight = _read(state, self.weight, self.outputs, self.design.p)
            if self.bias is None:
                return weight, torch.zeros(self.outputs, dtype=torch.float64)
            return weight, _read(state, self.bias, self.outputs, 1)[:, 0]
        put(self.copy, state)
        found = affine_map(self.copy, self.design, self.outputs, self.asked_for)
        return found.weight.clone(), found.bias.clone()  # they may share memory with the parameters

    def weights(self, state: State, difference: bool = False) -> Weights:
        """``Weights`` at recorded parameters; with ``difference`` those of the second score less the first."""
        weight, bias = self.at(state)
        if difference:
            weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
        if len(weight) == 1:
            return Weights(weight[0], bias[0])
        return Weights(weight.T.contiguous(), bias)


def put(module: nn.Module, state: State) -> None:
    """Overwrite parameters and buffers with recorded ones."""
    with torch.no_grad():
        for tensor, value in zip([*module.parameters(), *module.buffers()], state):
            tensor.copy_(value)


def own_copy(module: nn.Module) -> nn.Module | None:
    """A copy that may be changed; None where the module cannot be copied."""
    try:
        return copy.deepcopy(module)
    except Exception:  # whatever a module of one's own raises: it is trained all the same
        return None


def linear_map(module: nn.Module, X: Tensor, shape: tuple[int, ...]) -> LinearMap | str:
    """The linear map of a module, or why it has none, as a sentence.

    X : all rows, (n, ...).  shape : of the module's outputs on them.
    """
    subject = own_copy(module)
    if subject is None:
        return f"{type(module).__name__} cannot be copied, so its scores could not be examined."
    if not X.is_floating_point() or X.ndim == 0:
        return f"X holds {X.dtype}, not real numbers: {type(module).__name__} is not a linear function of it."
    if len(shape) > 2:
        return f"the outputs of {type(module).__name__} have shape {shape}, not one row of scores for each row of X."
    if X.ndim != 2:
        subject = _Rows(subject, tuple(X.shape[1:]))
    rows = X.reshape(len(X), -1)
    design = as_design(rows if rows.dtype in (torch.float32, torch.float64) else rows.float())
    if not design.is_finite():
        return "X holds NaN or infinity."
    outputs = shape[1] if len(shape) == 2 else 1
    parameters = list(subject.parameters())
    dtype = parameters[0].dtype
    reason = ""
    for asked in ("squared", "softmax" if outputs > 1 else "logistic", "poisson"):
        try:
            found = affine_map(subject, design, outputs, asked)
        except ValueError as error:
            reason = reason or str(error)
            continue
        link = _link(subject, X, found.weight, found.bias, dtype)
        if link is None:
            reason = reason or f"the last step of {type(module).__name__} is not one that Sightline knows."
            continue
        out = LinearMap(subject, design, outputs, link, shape, dtype, has_bias=found.has_bias, asked_for=asked)
        reason = _find_readings(out)
        return reason or out
    return reason


def _link(subject: nn.Module, X: Tensor, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> str | None:
    """What makes the module's outputs of its scores, on some rows."""
    sample = X[:SAMPLED_ROWS]
    with quiet(subject):
        run = subject.module if isinstance(subject, _Rows) else subject
        out = run(sample.to(dtype)).double().reshape(len(sample), -1).cpu()
    scores = sample.reshape(len(sample), -1).double().cpu() @ weight.T + bias
    tolerance = 1e-8 if dtype == torch.float64 else 1e-4
    size = scores.abs().amax().clamp(min=1.0)
    for name, link in LINKS.items():
        if ("softmax" in name) != (scores.shape[1] > 1) and name != "identity":
            continue
        scale = size if name in ("identity", "log sigmoid", "log softmax") else out.abs().amax().clamp(min=1e-3)
        if bool(((link(scores) - out).abs() <= tolerance * scale).all()):
            return name
    return None


def _read(state: State, read: Read, rows: int, columns: int) -> Tensor:
    value = state[read.place].double().cpu()
    table = value.reshape(columns, rows).T if read.turned else value.reshape(rows, columns)
    return read.sign * table


def _find_readings(found: LinearMap) -> str:
    """Look for parameters that are the weight matrix and the bias themselves, whatever their values.

    Gives why the module is not linear where that shows at other parameters only: behind a ReLU, say, that all rows of
    the data happen to pass.
    """
    parameters = list(found.copy.parameters())
    generator = torch.Generator().manual_seed(0)
    before = [p.detach().clone() for p in parameters]
    size = max(float(found.design.to_dense()[:SAMPLED_ROWS].abs().max()), 1e-30)
    k, p = found.outputs, found.design.p
    weight, bias = None, None
    try:
        for _ in range(PROBED_STATES):
            # Scores of about one, so that no sigmoid is saturated.
            random = tuple(torch.randn(q.shape, generator=generator).to(q) / size for q in parameters)
            probed, offset = found.at(random)
            weight = _matching(random, probed, k, p, size)
            bias = _matching(random, offset[:, None], k, 1, size)
            known = bias is not None or not bool(offset.abs().max() * size > 1e-4)
    except ValueError as error:
        return str(error)
    finally:
        put(found.copy, tuple(before))
    if weight is not None and known:
        found.weight, found.bias = weight, bias
        found.has_bias = bias is not None
    return ""


def _matching(state: State, wanted: Tensor, rows: int, columns: int, size: float) -> Read | None:
    """Which parameter of a state, of numbers of about 1/size, the wanted table is."""
    for place, value in enumerate(state):
        if value.numel() != rows * columns:
            continue
        for turned in (False, True):
            for sign in (1.0, -1.0):
                read = Read(place, turned, sign)
                if bool(((_read(state, read, rows, columns) - wanted).abs() * size <= 1e-4).all()):
                    return read
    return None
