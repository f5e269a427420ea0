"""Hessians of a loss in chosen coefficients: as matrices, or as products where a matrix would be too large."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sightline.design_matrix import DenseDesign, Design, SparseDesign
from sightline.objective import Objective
from sightline.solvers.l1_quadratic import Array, DenseHessian, Hessian, Index, Mask

LARGEST = 2000  # coefficients beyond which no matrix is formed
BLOCK_ELEMENTS = 1 << 20  # of the (rows, coefficients) pieces from which a softmax Hessian is summed
SHORT = 2000  # columns of up to so many rows are gathered one by one, longer ones row by row
GATHERED = 0.8  # beyond this share of all columns a Gram matrix of all costs less than a copy of some
ACCURACY, PRODUCTS = 1e-3, 200  # relative residual and most products of a solution by conjugate gradients


@dataclass(frozen=True)
class Entries:
    """Chosen coefficients of some outputs, output after output, then the intercepts of these outputs if they move.

    index : rows of the coefficient table, one tensor an output.
    """

    outputs: list[int]
    index: list[Tensor]
    intercept: bool

    @classmethod
    def chosen(cls, mask: Tensor, outputs: list[int], intercept: bool) -> Entries:
        """Those that ``mask`` (p, K) marks."""
        return cls(outputs, [mask[:, k].nonzero()[:, 0] for k in outputs], intercept)

    @cached_property
    def starts(self) -> list[int]:
        """Where each output begins; last, where the intercepts begin."""
        return [0, *np.cumsum([len(i) for i in self.index]).tolist()]

    @property
    def size(self) -> int:
        """All of them."""
        return self.starts[-1] + (len(self.outputs) if self.intercept else 0)

    @property
    def free(self) -> Mask:
        """Which are intercepts, (size,)."""
        return np.arange(self.size) >= self.starts[-1]

    @cached_property
    def union(self) -> Tensor:
        """The columns of X they belong to, sorted."""
        return self.index[0] if len(self.index) == 1 else torch.unique(torch.cat(self.index))

    @cached_property
    def places(self) -> list[Tensor]:
        """``index`` as places in ``union``."""
        return [torch.searchsorted(self.union, index) for index in self.index]

    def gather(self, table: Tensor, intercept: Tensor | None = None) -> Array:
        """Their values in a (p, K) table and (K,) intercepts (zero by default), (size,)."""
        parts = [table[index, k] for k, index in zip(self.outputs, self.index)]
        if self.intercept:
            parts.append(table.new_zeros(len(self.outputs)) if intercept is None else intercept[self.outputs])
        return np.asarray(torch.cat(parts).cpu().numpy())

    def scatter(self, values: Array, table: Tensor, intercept: Tensor) -> None:
        """Write (size,) values where they belong."""
        x = torch.from_numpy(values).to(table.device)
        for k, index, begin, end in zip(self.outputs, self.index, self.starts, self.starts[1:]):
            table[index, k] = x[begin:end]
        if self.intercept:
            intercept[self.outputs] = x[self.starts[-1] :]


def hessian_of(objective: Objective, rows: Tensor, entries: Entries, ridge: Array, gram: Tensor | None) -> Hessian:
    """Hessian of loss + L2 part in the entries.

    rows : curvature in the scores, (n,) or (n, K); for softmax the probabilities.
    gram : of a squared loss, [X, 1]' diag(s) [X, 1], where it is known.
    """
    if entries.size > LARGEST and gram is None:
        return ImplicitHessian(objective, rows, entries, ridge)
    if gram is not None:
        matrix = _submatrix(objective, gram, entries.union)
    elif len(entries.outputs) > 1:
        matrix = _softmax(objective, rows, entries)
    elif len(entries.union) > GATHERED * objective.p:
        matrix = _submatrix(objective, _gram(objective, objective.data.design, rows), entries.union)
    else:
        matrix = _gram(objective, columns(objective.data.design, entries.union), rows)
    held = matrix.cpu().numpy()
    held[np.diag_indices_from(held)] += ridge
    return DenseHessian(held)


def columns(design: Design, index: Tensor) -> Design:
    """The chosen columns; all of them without a copy."""
    if len(index) == design.p:
        return design
    if not isinstance(design, DenseDesign):
        return design.columns(index)
    if design.n <= SHORT:
        return DenseDesign(design.X.T.index_select(0, index).T)
    if design.device.type == "cpu":
        return DenseDesign(torch.from_numpy(np.take(design.X.numpy(), index.numpy(), axis=1)))
    return DenseDesign(design.X.index_select(1, index))


def normal_equations(objective: Objective, dual: Tensor) -> tuple[Tensor, Tensor]:
    """[X, 1]' diag(s) [X, 1] (without the ones where there is no intercept) and X'(s dual), in one read of X."""
    p, weight = objective.p, objective.data.weight
    gram = torch.zeros((p, p), dtype=torch.float64, device=dual.device)
    cross, adjoint = gram.new_zeros(p), gram.new_zeros((p, *dual.shape[1:]))
    s = objective.weighted(torch.ones(objective.n, dtype=torch.float64, device=dual.device))
    weighted = objective.weighted(dual)
    for rows, block in objective.data.design.blocks():
        gram += block.gram(None if weight is None else s[rows])
        adjoint += block.adjoint(weighted[rows])
        if objective.intercept:
            cross += block.adjoint(s[rows])
    if weight is None:
        gram /= objective.n
    return (_bordered(gram, cross, s.sum()) if objective.intercept else gram), adjoint


def _gram(objective: Objective, design: Design, rows: Tensor) -> Tensor:
    """[X, 1]' diag(s d) [X, 1], without the ones where there is no intercept."""
    d = objective.weighted(rows if rows.ndim == 1 else rows[:, 0])
    gram = design.gram(d)
    return _bordered(gram, design.adjoint(d), d.sum()) if objective.intercept else gram


def _bordered(gram: Tensor, cross: Tensor, corner: Tensor) -> Tensor:
    return torch.cat([torch.cat([gram, cross[:, None]], 1), torch.cat([cross, corner.reshape(1)])[None]])


def _submatrix(objective: Objective, gram: Tensor, index: Tensor) -> Tensor:
    """A copy of the chosen rows and columns, with the intercept's where there is one."""
    chosen = torch.cat([index, index.new_tensor([objective.p])]) if objective.intercept else index
    return gram[chosen[:, None], chosen]


def _softmax(objective: Objective, probability: Tensor, entries: Entries) -> Tensor:
    """X_j' diag(s p_j) X_j in the blocks of one class, less Σ_i s_i v_i v_i' over all, v_i = p_ij x_i class by class
    (Böhning 1992, section 2)."""
    size, total, starts = entries.size, entries.starts[-1], entries.starts
    hessian = np.zeros((size, size))
    weight = objective.weighted(torch.ones_like(probability[:, 0]))
    places = [place.cpu().numpy() for place in entries.places]
    design = columns(objective.data.design, entries.union) if total else None
    step = max(64, BLOCK_ELEMENTS // max(size, 1))
    for begin in range(0, objective.n, step):
        rows = slice(begin, begin + step)
        X = np.zeros((0, 0)) if design is None else design.rows(rows).to_dense().cpu().numpy()
        s, p = weight[rows].cpu().numpy(), probability[rows].cpu().numpy()
        root = np.sqrt(s)
        v = np.empty((len(s), size))
        for j, place in enumerate(places):
            part = slice(starts[j], starts[j + 1])
            of_class = X[:, place] if len(place) else np.zeros((len(s), 0))
            half = of_class * (root * np.sqrt(p[:, j]))[:, None]
            hessian[part, part] += half.T @ half
            v[:, part] = of_class * (root * p[:, j])[:, None]
            if entries.intercept:
                v[:, total + j] = root * p[:, j]
                hessian[total + j, total + j] += s @ p[:, j]
                cross = (s * p[:, j]) @ of_class
                hessian[part, total + j] += cross
                hessian[total + j, part] += cross
        hessian -= v.T @ v
    if entries.intercept:
        # All intercepts may be shifted together; this keeps the step from doing so and changes nothing else.
        hessian[total:, total:] += hessian[total:, total:].diagonal().mean() / len(places)
    return torch.from_numpy(hessian)


class ImplicitHessian:
    """The same by products with the chosen columns; solutions by conjugate gradients with the diagonal."""

    def __init__(self, objective: Objective, rows: Tensor, entries: Entries, ridge: Array) -> None:
        self.objective, self.entries, self.ridge = objective, entries, ridge
        self.design = columns(objective.data.design, entries.union)
        self.rows = rows[:, entries.outputs] if rows.ndim == 2 else rows[:, None]
        self.local = Entries(list(range(len(entries.outputs))), entries.places, entries.intercept)
        self.softmax = len(entries.outputs) > 1

    def _gathered(self, r: Tensor) -> Array:
        """[X, 1]'r in the entries, for r (n, K)."""
        return self.local.gather(self.design.adjoint(r), r.sum(0))

    @cached_property
    def diagonal(self) -> Array:
        """The diagonal, (m,)."""
        d = self.objective.weighted(self.rows * (1 - self.rows) if self.softmax else self.rows)
        if isinstance(self.design, SparseDesign):
            squares: Design = SparseDesign(self.design.X.astype("float64").power(2))
            sums = squares.adjoint(d)
        else:
            sums = torch.zeros((self.design.p, d.shape[1]), dtype=torch.float64, device=d.device)
            for part, block in self.design.blocks():
                sums += block.X.square().T @ d[part]
        return self.local.gather(sums, d.sum(0)) + self.ridge

    def product(self, x: Array) -> Array:
        """H x."""
        outputs = self.rows.shape[1]
        table = torch.zeros((self.design.p, outputs), dtype=torch.float64, device=self.rows.device)
        shift = table.new_zeros(outputs)
        self.local.scatter(x, table, shift)
        bent = self.rows * (self.design.scores(table) + shift)
        if self.softmax:
            bent -= self.rows * bent.sum(1, keepdim=True)
        return self._gathered(self.objective.weighted(bent)) + self.ridge * x

    def solve(self, index: Index, right: Array) -> Array:
        """By conjugate gradients to a relative residual of ``ACCURACY``: every iterate descends."""
        scale = 1 / np.maximum(self.diagonal[index], 1e-300)
        x, residual = np.zeros_like(right), right.copy()
        z = scale * residual
        direction, energy = z.copy(), float(residual @ z)
        target = ACCURACY**2 * energy
        whole = np.zeros(self.entries.size)
        for _ in range(PRODUCTS):
            whole[index] = direction
            image = self.product(whole)[index]
            bend = float(direction @ image)
            if not bend > 0:
                break
            step = energy / bend
            x += step * direction
            residual -= step * image
            z = scale * residual
            before, energy = energy, float(residual @ z)
            if energy <= target:
                break
            direction = z + (energy / before) * direction
        return x if x.any() else scale * right
