"""The design matrix behind scores that are affine in the parameters, and where each coefficient is among these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.check.program import Program
from sightline.check.recovering.scores import AFFINE, STACK, Scores, doubled

MOST_COLUMNS = 3000  # parameters that are moved one by one
MOST_NUMBERS = 2e7  # of the derivative of all scores in all parameters


@dataclass(frozen=True)
class LinearScores:
    """scores = X W + b (+ constant), with W and b read off the parameters.

    X : (n, p) float64.  outputs : K.  where : (K, p), place of each coefficient among the parameters, flattened one
    after another; None where no parameter is a coefficient (a stack of linear layers).  bias : (K,) places, or None.
    constant : (n, K) part of the scores that nothing trained is in, or None.  shape : of the scores.
    """

    X: Tensor
    outputs: int
    where: Tensor | None
    bias: Tensor | None
    has_bias: bool
    constant: Tensor | None
    shape: tuple[int, ...]
    slots: tuple[int, ...]

    def weights(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """(W (K, p), b (K,)) of parameters, flattened."""
        assert self.where is not None
        b = flat[self.bias] if self.bias is not None else torch.zeros(self.outputs, dtype=flat.dtype)
        return flat[self.where], b


def flat(program: Program, weights: Mapping[int, Tensor], slots: Sequence[int]) -> Tensor:
    """Parameters one after another, float64."""
    return torch.cat([weights[s].detach().double().reshape(-1).cpu() for s in slots])


def _unflat(program: Program, vector: Tensor, slots: Sequence[int]) -> dict[int, Tensor]:
    sizes = [program.leaves[s].numel() for s in slots]
    return {
        s: part.reshape(program.leaves[s].shape).to(program.leaves[s].device)
        for s, part in zip(slots, vector.split(sizes))
    }


def linear_scores(scores: Scores, values: Mapping[int, Tensor], weights: Mapping[int, Tensor]) -> LinearScores | None:
    """The design matrix of all rows, checked against the scores at random parameters; None where there is none."""
    program = scores.program
    slots = tuple(s for s in program.parameters if s in program.before(scores.slot))
    fixed = doubled(values)
    others = {s: w for s, w in doubled(dict(weights)).items() if s not in slots}
    if scores.kind == STACK:
        return _of_stack(scores, fixed, weights)
    count = sum(program.leaves[s].numel() for s in slots)

    def at(vector: Tensor) -> Tensor:
        with torch.no_grad():
            z = program.run({**fixed, **others, **_unflat(program, vector, slots)}, [scores.slot])[0]
        return z.double().cpu()

    zero = at(torch.zeros(count, dtype=torch.float64))
    shape = tuple(zero.shape)
    table = zero.reshape(shape[0] if zero.ndim else 1, -1)
    n, outputs = table.shape
    found = None
    if count <= MOST_COLUMNS and n * outputs * count <= MOST_NUMBERS:
        columns = []
        for j in range(count):
            unit = torch.zeros(count, dtype=torch.float64)
            unit[j] = 1.0
            columns.append((at(unit) - zero).reshape(n, outputs))
        found = _from_derivative(torch.stack(columns, 2), table, shape, slots)
    if found is None:
        found = _from_features(scores, fixed, at, count, table, shape, slots)
    return found if found is not None and _checked(found, at, count, n) else None


def _from_derivative(
    A: Tensor, constant: Tensor, shape: tuple[int, ...], slots: tuple[int, ...]
) -> LinearScores | None:
    """A : (n, K, P).  Each parameter must belong to one output, and the outputs must have the same columns."""
    n, outputs, count = A.shape
    if outputs == 1:
        owners = torch.zeros(count, dtype=torch.long)
    else:
        sizes = A.abs().amax(0)  # (K, P)
        if bool(((sizes > 0).sum(0) > 1).any()):
            return None
        owners = sizes.argmax(0)
    per = [(owners == k).nonzero().reshape(-1) for k in range(outputs)]
    if len({len(p) for p in per}) != 1:
        return None
    own = [A[:, k, per[k]] for k in range(outputs)]
    if any(not torch.allclose(o, own[0], rtol=1e-9, atol=1e-12) for o in own[1:]):
        return None
    X = own[0]
    where = torch.stack(per)
    still = (X == 1.0).all(0)
    bias = None
    if bool(still.any()) and n > 1:
        last = int(still.nonzero()[-1])  # of several columns of ones the last is the intercept
        bias = where[:, last]
        keep = [j for j in range(X.shape[1]) if j != last]
        X, where = X[:, keep], where[:, keep]
    offset = constant if bool(constant.abs().max() > 1e-12 * (1 + X.abs().max())) else None
    return LinearScores(X, outputs, where, bias, bias is not None, offset, shape, slots)


def _from_features(
    scores: Scores, fixed: Mapping[int, Tensor], at: object, count: int, constant: Tensor, shape: tuple[int, ...],
    slots: tuple[int, ...],
) -> LinearScores | None:
    """Many parameters: the features are one of the inputs, the weights one of the parameters, the bias another."""
    program = scores.program
    n, outputs = constant.shape
    begins, place = {}, 0
    for s in slots:
        begins[s] = place
        place += program.leaves[s].numel()
    for feature in scores.features:
        X = fixed[feature]
        if X.ndim < 2 or X.shape[0] != n or not X.is_floating_point():
            continue
        X = X.reshape(n, -1).cpu()
        p = X.shape[1]
        for s in slots:
            leaf = program.leaves[s]
            rest = [o for o in slots if o != s]
            if leaf.numel() != p * outputs or len(rest) > 1 or (rest and program.leaves[rest[0]].numel() != outputs):
                continue
            numbers = torch.arange(leaf.numel()) + begins[s]
            bias = torch.arange(outputs) + begins[rest[0]] if rest else None
            for where in (numbers.reshape(outputs, p), numbers.reshape(p, outputs).T):
                found = LinearScores(X, outputs, where, bias, bool(rest), None, shape, slots)
                if _checked(found, at, count, n):
                    return found
    return None


def _checked(found: LinearScores, at: object, count: int, n: int) -> bool:
    generator = torch.Generator().manual_seed(1)
    vector = torch.randn(count, generator=generator, dtype=torch.float64)
    want = at(vector).reshape(n, -1)  # type: ignore[operator]
    W, b = found.weights(vector)
    have = found.X @ W.T + b
    if found.constant is not None:
        have = have + found.constant
    scale = (found.X.abs() @ W.T.abs() + b.abs()).max()
    return bool((have - want).abs().max() <= 1e-5 * (scale + want.abs().max()))


def _of_stack(scores: Scores, fixed: Mapping[int, Tensor], weights: Mapping[int, Tensor]) -> LinearScores | None:
    """Affine in the rows alone: the rows are the design, the coefficients those of the composed map."""
    rows = [s for s in scores.features if fixed[s].is_floating_point() and fixed[s].numel() > 1]
    if len(rows) != 1:
        return None
    X = fixed[rows[0]]
    program = scores.program
    with torch.no_grad():
        z = program.run({**fixed, **doubled(dict(weights))}, [scores.slot])[0].double().cpu()
    n = z.shape[0] if z.ndim else 1
    if X.ndim == 0 or X.shape[0] != n:
        return None
    return LinearScores(
        X.reshape(n, -1).cpu(), z.numel() // n, None, None, True, None, tuple(z.shape), tuple(program.parameters)
    )


def composed(
    scores: Scores, linear: LinearScores, values: Mapping[int, Tensor], weights: Mapping[int, Tensor]
) -> Tensor:
    """Scores (n, K) at the given parameters, whatever the layers."""
    with torch.no_grad():
        z = scores.program.run({**doubled(values), **doubled(dict(weights))}, [scores.slot])[0]
    return z.double().cpu().reshape(len(linear.X), -1)


__all__ = ["AFFINE", "LinearScores", "composed", "flat", "linear_scores"]
