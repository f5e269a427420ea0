"""Data space in a replay: a sample of the rows, and where the model puts them at each frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sightline.objective import Objective, Weights
from sightline.show.boundaries import has_ones
from sightline.show.replay_frames import short, shortened
from sightline.show.trajectories import Trajectory

MOST_POINTS = 240
SEED = 0  # of the sample of rows
MOST_TERMS, FEWEST_TERMS = 10, 3  # into which the scores of the sample are split
MOST_NUMBERS = 8000  # of those terms, where that leaves the fewest terms
MOST_SCORES = 3000  # of one frame
EXACT = 1e-3  # share of their range by which scores on the page may be off
MOST_WEIGHTS = 30  # of which the page holds all, at every frame


@dataclass(frozen=True)
class Sample:
    """Rows that the page shows.

    X : (m, p) float64.  y : (m,) or (m, K) coded targets.  index : their places among all rows.  total : all rows.
    ones : the last column is the bias: nothing but ones.
    """

    X: Tensor
    y: Tensor
    index: list[int]
    total: int
    ones: bool = False

    @property
    def features(self) -> int:
        """Columns that are not the bias."""
        return self.X.shape[1] - int(self.ones)

    @property
    def words(self) -> str:
        """Which rows are shown, in a sentence."""
        if len(self.index) == self.total:
            return f"All {self.total:,} rows are shown."
        return f"{len(self.index):,} of {self.total:,} rows are shown, drawn at random (seed {SEED})."


def sample(objective: Objective) -> Sample:
    """All rows, or ``MOST_POINTS`` of them drawn with a fixed seed; fewer where each has many scores."""
    data = objective.data
    most = max(1, min(MOST_POINTS, MOST_SCORES // (data.outputs or 1)))
    index = torch.arange(data.n)
    if data.n > most:
        index = torch.randperm(data.n, generator=torch.Generator().manual_seed(SEED))[:most].sort().values
    chosen = data.design.rows(index.numpy() if data.design.sparse else index.to(data.design.device))
    y = data.y[index.to(data.y.device)].cpu()
    return Sample(chosen.to_dense().double().cpu(), y, index.tolist(), data.n, has_ones(objective))


@dataclass(frozen=True)
class Scores:
    """Scores of the sample at each frame: base + Σ_r coordinates[t][r] · basis[r].

    base (m K,), basis (R, m K), coordinates (T, R): the singular value decomposition of the scores around their mean,
    cut where what is left out is below ``EXACT`` of their range.  error : the share that is left out.
    """

    base: Tensor
    basis: Tensor
    coordinates: Tensor
    error: float

    @classmethod
    def of(cls, path: Trajectory, rows: Sample) -> Scores:
        """The scores of some rows along a path."""
        z = torch.stack([scored(rows.X, w) for w in path.weights])
        base = z.mean(0)
        u, s, v = torch.linalg.svd(z - base, full_matrices=False)
        extent = max(float(z.max() - z.min()), 1e-300)
        most = min(MOST_TERMS, len(s), max(FEWEST_TERMS, MOST_NUMBERS // len(base)))
        for terms in range(most + 1):
            left = z - base - (u[:, :terms] * s[:terms]) @ v[:terms]
            error = float(left.abs().max()) / extent
            if error <= EXACT:
                break
        size = v[:terms].abs().amax(1).clamp(min=1e-300)
        return cls(base, v[:terms] / size[:, None], u[:, :terms] * s[:terms] * size, error)

    def as_dict(self) -> dict[str, Any]:
        """Lists for the page."""
        return {
            "base": shortened(self.base.tolist(), 5),
            "basis": [[short(round(v, 3)) for v in row] for row in self.basis.tolist()],  # 1 at most
            "coordinates": [shortened(row, 5) for row in self.coordinates.tolist()],
        }


def scored(X: Tensor, weights: Weights) -> Tensor:
    """Scores X w + b of rows as one vector, row after row: (m K,)."""
    return (X @ weights.coef.cpu() + weights.intercept.cpu()).reshape(-1)


def kind_of(objective: Objective, features: int) -> str:
    """How the data are drawn: 'plane', 'lanes' (one feature, classes), 'line' (one feature, numbers), 'scores' (now
    against the optimum's), 'margins' (the same for several classes), 'actual' (predicted against actual)."""
    small = features <= 2 and (features + 1) * (objective.outputs or 1) <= MOST_WEIGHTS
    if objective.loss.targets in ("binary", "classes"):
        if small:
            return "plane" if features == 2 else "lanes"
        return "scores" if objective.outputs is None else "margins"
    return "line" if features == 1 and small else "actual"


def space(path: Trajectory, rows: Sample, scores: Scores) -> dict[str, Any]:
    """What the page draws of the data."""
    kind = kind_of(path.objective, rows.features)
    return {"plane": _plane, "lanes": _lanes, "line": _line}.get(kind, _against)(path, rows, scores, kind)


def classes_of(y: Tensor) -> list[int] | None:
    """Number of each row's class, None for targets that are numbers."""
    if y.ndim == 2:
        return None
    return (y.tolist() if y.dtype == torch.int64 else (y > 0).long().tolist())


def class_names(objective: Objective) -> list[str]:
    """The classes in words, with a real minus sign before numbers."""
    classes = objective.data.classes or (0, 1)
    return [str(c) if isinstance(c, str) else str(c).replace("-", "−") for c in classes]


def _names(objective: Objective, features: int) -> list[str]:
    known = list(objective.data.columns or ())[:features]
    return known or (["x"] if features == 1 else [f"x{_lowered(j + 1)}" for j in range(features)])


def _lowered(n: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(d)] for d in str(n))


def _wide(values: Tensor, share: float = 0.06) -> list[Any]:
    """[low, high] of numbers with some air around them."""
    low, high = float(values.min()), float(values.max())
    air = share * (high - low) or max(abs(low), 1.0) * 0.5
    return shortened([low - air, high + air])


def _alike(X: Tensor) -> bool:
    """Whether two columns have extents that one scale can show."""
    extent = X.amax(0) - X.amin(0)
    return bool(extent.min() > 0) and 1 / 3 <= float(extent[0] / extent[1]) <= 3


def reference(path: Trajectory) -> tuple[Weights | None, str]:
    """Weights that the page draws beside the training's, and their name: the optimum, or where there is none the widest
    margin, or nothing."""
    best = path.optimum
    if best.weights is not None:
        return best.weights, "the certified optimum"
    if best.margin is not None:
        return best.margin, "the widest margin"
    return None, ""


def flat(weights: Weights | None, ones: bool) -> list[Any] | None:
    """Weights as the page holds them: output after output, the intercept last in each."""
    if weights is None:
        return None
    if ones:
        weights = Weights(weights.coef[:-1], weights.coef[-1])
    return shortened(weights.flat().cpu().tolist())


def _plane(path: Trajectory, rows: Sample, scores: Scores, kind: str) -> dict[str, Any]:
    names = _names(path.objective, 2)
    best, called = reference(path)
    return {
        "kind": "plane", "x": _wide(rows.X[:, 0]), "y": _wide(rows.X[:, 1]), "xname": names[0], "yname": names[1],
        "points": [shortened(row, 5) for row in rows.X[:, :2].tolist()], "optimum": flat(best, rows.ones),
        "reference": called,
        "equal": _alike(rows.X[:, :2]), "title": "Decision boundary",
        "caption": "The rows, and where the model changes its mind.",
        "alt": f"The rows over {names[0]} and {names[1]} with the boundary between the classes"
        + (f", and {called} as a dashed line." if called else "."),
    }  # fmt: skip


def _lanes(path: Trajectory, rows: Sample, scores: Scores, kind: str) -> dict[str, Any]:
    """One feature: a lane for each class, and where there are two the model's curve between them."""
    objective = path.objective
    labels = class_names(objective)
    codes = classes_of(rows.y) or []
    x = rows.X[:, 0]
    jitter = torch.rand(len(x), generator=torch.Generator().manual_seed(SEED)).sub(0.5).mul(0.1).tolist()
    best, called = reference(path)
    low, high = (0.0, 1.0) if len(labels) == 2 else (0.0, len(labels) - 1.0)
    probability = objective.loss.name == "logistic"
    return {
        "kind": "lanes", "x": _wide(x), "y": [low - 0.2, high + 0.2], "xname": _names(objective, 1)[0],
        "yname": f"class, and the probability of {labels[1]}" if probability else "class",
        "rows": [[float(k), label] for k, label in enumerate(labels)],
        "points": [shortened([float(v), k + j], 5) for v, k, j in zip(x, codes, jitter, strict=True)],
        "link": "probability" if probability else None, "optimum": flat(best, rows.ones), "reference": called,
        "title": "Decision boundary",
        "caption": "The rows, a lane for each class, and where the model changes its mind.",
        "alt": f"The rows along {_names(objective, 1)[0]}, a lane for each class, with the boundary between the classes"
        + (" and the predicted probability" if probability else "") + (f"; {called} is dashed." if called else "."),
    }  # fmt: skip


def _line(path: Trajectory, rows: Sample, scores: Scores, kind: str) -> dict[str, Any]:
    y = rows.y.reshape(len(rows.y), -1).double()
    x = rows.X[:, 0]
    best, called = reference(path)
    name = _names(path.objective, 1)[0]
    points = [shortened([float(x[i]), float(y[i, k])], 5) for k in range(y.shape[1]) for i in range(len(x))]
    counts = path.objective.loss.targets == "counts"
    return {
        "kind": "line", "x": _wide(x), "y": _wide(y, 0.15), "xname": name, "yname": "y", "points": points,
        "classes": [k for k in range(y.shape[1]) for _ in range(len(x))],
        "link": "exponential" if counts else "identity", "optimum": flat(best, rows.ones), "reference": called,
        "title": "Fitted curve" if counts else "Fitted line", "caption": "The rows, and what the model says of them.",
        "alt": f"The rows over {name} and the fitted {'curve' if counts else 'line'}"
        + (f"; {called}'s is dashed." if called else "."),
    }  # fmt: skip


def _against(path: Trajectory, rows: Sample, scores: Scores, kind: str) -> dict[str, Any]:
    """Each row by what the model says of it now, against what the optimum says, or what is true."""
    objective = path.objective
    z = (scores.base + scores.coordinates @ scores.basis).reshape(len(path), len(rows.X), -1)
    if kind == "actual":
        return _actual(objective, rows, z)
    best, called = reference(path)
    if best is None:
        best, called = path.last(), "the last step"
    across = scored(rows.X, best).reshape(len(rows.X), -1)
    if kind == "margins":
        up, across = margins(z, rows.y), margins(across[None], rows.y)[0]
        name, unit = "margin", "true class's score less the best other"
    else:
        up, across = z[..., 0], across[:, 0]
        name, unit = "score", f"score of {class_names(objective)[1]}"
    return {
        "kind": "scores", "margins": kind == "margins", "zero": True,
        "x": _with_zero(across), "y": _with_zero(up[-1] if len(up) < 3 else up[len(up) // 3 :]),
        "xname": f"{name} by {called}", "yname": f"{unit}, now", "across": shortened(across.tolist(), 5),
        "link": "identity", "reference": called, "optimum": None, "title": "Scores of the rows",
        "caption": "Each row by what the model says now, upwards, and " + (
            f"what {called} says, rightwards." if called != "the last step" else "at the last step, rightwards."),
        "alt": f"The {name} of each row now against that by {called}; above the solid line "
        + ("the row is told rightly." if kind == "margins" else "the model says the second class."),
    }  # fmt: skip


def margins(z: Tensor, y: Tensor) -> Tensor:
    """The true class's score less the best of the others, (T, m), of scores (T, m, K) and class numbers (m,)."""
    own = torch.nn.functional.one_hot(y, z.shape[2]).bool().expand(z.shape)
    return z.masked_fill(~own, -torch.inf).amax(2) - z.masked_fill(own, -torch.inf).amax(2)


def _with_zero(values: Tensor) -> list[Any]:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    air = 0.06 * (high - low) or 1.0
    return shortened([low - air, high + air])


def _actual(objective: Objective, rows: Sample, z: Tensor) -> dict[str, Any]:
    counts = objective.loss.targets == "counts"
    up = z.clamp(max=700).exp() if counts else z
    y = rows.y.reshape(len(rows.y), -1).double()
    late = up[len(up) // 3 :]
    return {
        "kind": "scores", "margins": False, "zero": False, "x": _wide(y),
        "y": _wide(torch.cat([late.reshape(-1), y.reshape(-1)])), "xname": "actual", "yname": "predicted, now",
        "across": shortened(y.reshape(-1).tolist(), 5),
        "classes": [k for _ in range(len(y)) for k in range(y.shape[1])],
        "link": "exponential" if counts else "identity", "reference": "", "optimum": None,
        "title": "Predicted and actual", "caption": "Each row by what the model says now, and what is true.",
        "alt": "The prediction of each row now against what is true; they agree on the"
        " dotted line.",
    }  # fmt: skip
