"""The plane that a loss surface is drawn over: two weights, or the slice through the optimum along the path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from sightline.objective import Objective
from sightline.show.picture import PictureError
from sightline.show.trajectories import Trajectory

WORK = 60_000_000  # loss values that a surface may cost: the grid is coarser where there are many rows
FINEST, COARSEST = 101, 15  # points of the grid each way
SMOOTH = 25  # points below which those between are filled in
BLOCK = 2_000_000  # scores held at once
MARGIN = 0.2  # of the extent of the path, on each side
FAR = 3.0  # a path that goes farther from the optimum than so many times its start is cut off


@dataclass(frozen=True)
class Plane:
    """origin + a·across + b·up, vectors (P,) in the layout of ``Weights.flat``.

    names : of the two axes.  share : of the squared motion of the paths (from the origin) that lies in it, in [0, 1];
    None where the two axes are the model's only weights.
    """

    origin: Tensor
    across: Tensor
    up: Tensor
    names: tuple[str, str]
    share: float | None

    def coordinates(self, flat: Tensor) -> Tensor:
        """(T, 2) of weights (T, P): their orthogonal projection."""
        moved = flat - self.origin
        return torch.stack([moved @ self.across, moved @ self.up], 1)


def plane_of(paths: Sequence[Trajectory]) -> Plane:
    """The plane for some paths of one problem.

    Two weights that may move: themselves.  More: the slice through the optimum (without one, through the first path's
    end) that holds most of the squared distances of all steps from there: the principal plane.

    Raises
    ------
    PictureError : one weight only, or no steps to lay a plane through.
    """
    objective = paths[0].objective
    free = free_weights(objective)
    names = weight_names(objective)
    size = len(objective.zeros().flat())
    if len(free) == 2:
        basis = torch.zeros((2, size), dtype=torch.float64)
        basis[0, free[0]] = basis[1, free[1]] = 1.0
        return Plane(torch.zeros(size, dtype=torch.float64), basis[0], basis[1], (names[0], names[1]), None)
    if len(free) < 2:
        raise PictureError("a loss surface needs two weights; this model has one. sl.show.gap shows its training.")
    steps = torch.cat([p.flat[: p.finite] for p in paths]) if any(p.finite for p in paths) else None
    best = paths[0].optimum.weights
    if steps is None:
        raise PictureError(
            f"the model has {len(free)} weights: its surface is drawn in the plane of a path, and there is none."
            " Give the result of sl.train."
        )
    origin = steps[-1] if best is None else best.flat().cpu()
    moved = steps.cpu() - origin
    moved = moved[(moved.norm(dim=1) <= FAR * max(float(moved[0].norm()), 1e-300)) | (moved.norm(dim=1) == 0)]
    _, s, rows = torch.linalg.svd(moved, full_matrices=False)
    total = float(s.square().sum())
    basis = _completed(rows[: int((s[:2] > 1e-9 * max(float(s[0]), 1e-300)).sum())], free)
    share = float((moved @ basis.T).square().sum()) / total if total > 0 else 1.0
    return Plane(origin, basis[0], basis[1], ("first direction of the path", "second direction of the path"), share)


def _completed(rows: Tensor, free: list[int]) -> Tensor:
    """Two orthonormal rows: those there are, each with its largest entry positive, and axes for those missing."""
    found = [row * torch.sign(row[row.abs().argmax()]) for row in rows]
    for i in free:
        if len(found) == 2:
            break
        axis = torch.zeros(rows.shape[1], dtype=torch.float64)
        axis[i] = 1.0
        for row in found:
            axis -= (axis @ row) * row
        if float(axis.norm()) > 0.3:
            found.append(axis / axis.norm())
    return torch.stack(found)


def free_weights(objective: Objective) -> list[int]:
    """Places in ``Weights.flat`` of the weights that may move: all but the intercept of a problem without one."""
    outputs, size = objective.outputs or 1, objective.p + 1
    return [k * size + j for k in range(outputs) for j in range(size) if j < objective.p or objective.intercept]


def weight_names(objective: Objective) -> list[str]:
    """Names of the weights that may move, in the order of ``free_weights``."""
    data, p = objective.data, objective.p
    columns = data.columns or tuple(f"w{_lowered(j + 1)}" if p > 1 else "weight w" for j in range(p))
    columns = tuple(f"weight of {c}" if data.columns else c for c in columns)
    one = [*columns, *(["bias b"] if objective.intercept else [])]
    if objective.outputs is None:
        return one
    classes = data.classes or tuple(range(objective.outputs))
    return [f"{name} ({c})" for c in classes for name in one]


def _lowered(n: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(d)] for d in str(n))


def view(points: Tensor, centre: Tensor | None, start: Tensor | None) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) around points (N, 2), cut where a diverging path goes far beyond its start."""
    if centre is not None:
        reach = FAR * float((start - centre).norm()) if start is not None else 0.0
        near = (points - centre).norm(dim=1) <= max(reach, 1e-300)
        points = torch.cat([points[near], centre[None]])
    low, high = points.amin(0), points.amax(0)
    extent = high - low
    largest = float(extent.max())
    if largest == 0:
        extent = torch.maximum(points[0].abs(), torch.ones(2, dtype=torch.float64))
    # A path along one axis still needs a view across it, in proportion to the other.
    extent = torch.maximum(extent, 0.2 * torch.full_like(extent, largest))
    middle = (low + high) / 2
    half = extent * (0.5 + MARGIN)
    return tuple(float(v) for pair in zip(middle - half, middle + half, strict=True) for v in pair)  # type: ignore[return-value]


def grid_values(objective: Objective, plane: Plane, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Objective at plane points, (len(ys), len(xs)); inf where it overflows.

    Scores are linear in the weights, so three passes over the columns serve all points.
    """
    zero = objective.zeros()
    base = objective.scores(zero.unflat(plane.origin))
    none = objective.scores(zero)
    across, up = (objective.scores(zero.unflat(d)) - none for d in (plane.across, plane.up))
    y, n = objective.data.y, objective.n
    k = base[:1].numel()
    out = np.empty((len(ys), len(xs)))
    chunk = max(1, BLOCK // (n * k))
    steps = torch.from_numpy(np.ascontiguousarray(xs))
    for i, b in enumerate(ys):
        row = base + float(b) * up
        for at in range(0, len(xs), chunk):
            a = steps[at : at + chunk]
            z = row[None] + a.reshape(-1, *([1] * row.ndim)) * across[None]
            loss = objective.loss.value(z.reshape(-1, *row.shape[1:]), y.repeat(len(a), *([1] * (y.ndim - 1))))
            out[i, at : at + chunk] = objective.weighted(loss.reshape(len(a), n).T).sum(0).numpy()
    # The objective's own L2 strengths, which may hold the bias; then the rest of the penalty point by point.
    ridge = objective.ridge.cpu().repeat(objective.outputs or 1)
    rest = replace(objective.penalty, l2=0.0)
    for i, b in enumerate(ys) if not rest.none or bool(ridge.any()) else ():
        points = plane.origin + float(b) * plane.up + steps[:, None] * plane.across
        out[i] += 0.5 * (points.square() @ ridge).numpy()
        if not rest.none:
            out[i] += [rest.value(zero.unflat(point).coef) for point in points]
    out[~np.isfinite(out)] = np.inf
    return out


def grid_size(objective: Objective) -> int:
    """Points of the grid each way: fewer where there are many rows."""
    work = objective.n * (objective.outputs or 1)
    return int(min(FINEST, max(COARSEST, math.sqrt(WORK / work))))


def filled_in(xs: np.ndarray, ys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid of fewer than ``SMOOTH`` points each way with cubic splines between them; any other, or one with infinite
    values, as it is.  The values at the points stay; none between them is below the least.
    """
    if len(xs) >= SMOOTH or not np.isfinite(values).all():
        return xs, ys, values
    from scipy.interpolate import RectBivariateSpline

    times = -(-(SMOOTH - 1) // (len(xs) - 1))
    fine_x, fine_y = (np.linspace(v[0], v[-1], times * (len(v) - 1) + 1) for v in (xs, ys))
    fine = RectBivariateSpline(ys, xs, values)(fine_y, fine_x).clip(min=values.min())
    fine[::times, ::times] = values
    return fine_x, fine_y, fine
