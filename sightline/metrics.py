"""How well scores predict: the metrics that fit a loss, weighted by the rows' weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.losses import Loss

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A number with its name, what it means in a few words, and in which direction it gets better (+1, -1, 0)."""

    name: str
    value: float
    about: str = ""
    better: int = 0


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z)) without overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


def softmax(z: Floats) -> Floats:
    """Probabilities of each row of scores, (n, K)."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def predicted(loss: Loss, z: Floats) -> Floats:
    """What the scores predict: the class's number for classification, the rate for Poisson, else the score."""
    if loss.targets == "binary":
        return (z > 0).astype(np.float64)
    if loss.targets == "classes":
        return z.argmax(axis=1).astype(np.float64)
    if loss.targets == "counts":
        with np.errstate(over="ignore"):
            return np.exp(z)
    return z


def metrics(loss: Loss, z: Floats, y: Floats, weight: Floats | None = None) -> list[Metric]:
    """The metrics of a loss.

    z : scores with the offset, (n,) or (n, K).  y : the target as the loss codes it (-1/+1, class numbers, numbers).
    weight : (n,) > 0, or None for all ones.
    """
    w = np.ones(len(y)) if weight is None else weight
    w = w / w.sum()
    if y.ndim == 2:
        return _several(z, y, w)
    if loss.targets in ("binary", "classes"):
        return _classification(loss, z, y, w)
    return _counts(z, y, w) if loss.targets == "counts" else _regression(loss, z, y, w)


def _classification(loss: Loss, z: Floats, y: Floats, w: Floats) -> list[Metric]:
    codes = (y > 0).astype(np.int64) if loss.targets == "binary" else y.astype(np.int64)
    right = predicted(loss, z) == codes
    share = float(np.bincount(codes, weights=w).max())
    found = [
        Metric("accuracy", float(w @ right), "share of the rows that is told rightly", 1),
        Metric("share of the largest class", share, "the accuracy that one has without a model"),
    ]
    if loss.name in ("logistic", "softmax"):
        rows = _values(loss, z, codes if loss.name == "softmax" else y)
        found.append(Metric("log loss", float(w @ rows), "mean of −log probability of what happened", -1))
    else:
        found.append(Metric(f"{loss.name.replace('_', ' ')} loss", float(w @ _values(loss, z, y)), "", -1))
    if loss.targets == "binary":
        auc = area(z, codes, w)
        if auc is not None:
            found.append(Metric("AUC", auc, "chance that a positive row scores above a negative one", 1))
    else:
        present = np.unique(codes)
        recalls = [float((w * right)[codes == k].sum() / w[codes == k].sum()) for k in present]
        found.append(Metric("balanced accuracy", float(np.mean(recalls)), "mean over the classes", 1))
    return found


def _values(loss: Loss, z: Floats, y: Any) -> Floats:
    """The loss of each row."""
    import torch

    return np.asarray(loss.value(torch.from_numpy(z), torch.from_numpy(y)).numpy())


def area(z: Floats, codes: Any, w: Floats) -> float | None:
    """Area under the ROC curve, rows of equal scores counting half; None where one class is absent."""
    if codes.min() == codes.max():
        return None
    order = np.argsort(z, kind="stable")
    z, positive, negative = z[order], (w * codes)[order], (w * (1 - codes))[order]
    first = np.flatnonzero(np.r_[True, np.diff(z) > 0])
    pos, neg = np.add.reduceat(positive, first), np.add.reduceat(negative, first)
    below = np.cumsum(neg) - neg
    return float(pos @ (below + 0.5 * neg) / (pos.sum() * neg.sum()))


def _regression(loss: Loss, z: Floats, y: Floats, w: Floats) -> list[Metric]:
    residual = y - z
    found = []
    if loss.name == "quantile":
        q = float(loss.quantile)  # type: ignore[attr-defined]
        pinball = float(w @ np.maximum(q * residual, (q - 1) * residual))
        found.append(Metric("pinball loss", pinball, f"at the quantile {q:g}", -1))
        found.append(Metric("share below", float(w @ (residual < 0)), f"of targets below the prediction; meant {q:g}"))
        found.append(Metric("mean absolute error", float(w @ np.abs(residual)), "", -1))
        return found
    found.append(Metric("R²", explained(y, z, w), "share of the target's variance that is explained", 1))
    found.append(Metric("RMSE", float(np.sqrt(w @ residual**2)), "root mean squared error, in the target's units", -1))
    found.append(Metric("mean absolute error", float(w @ np.abs(residual)), "", -1))
    if loss.name == "huber":
        beyond = float(w @ (np.abs(residual) > loss.delta))  # type: ignore[attr-defined]
        found.append(Metric("share of outliers", beyond, f"of residuals beyond delta = {loss.delta:g}"))  # type: ignore[attr-defined]
    return found


def _several(z: Floats, y: Floats, w: Floats) -> list[Metric]:
    mean = float(np.mean([explained(y[:, k], z[:, k], w) for k in range(y.shape[1])]))
    return [Metric("R²", mean, "mean over the targets", 1)]


def explained(y: Floats, z: Floats, w: Floats) -> float:
    """R²; NaN where the target is constant."""
    total = float(w @ (y - w @ y) ** 2)
    return 1.0 - float(w @ (y - z) ** 2) / total if total > 0 else math.nan


def deviance(y: Floats, rate: Floats, w: Floats) -> float:
    """Mean Poisson deviance, 2 (y log(y / rate) - y + rate)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.where(y > 0, y * np.log(y / rate), 0.0)
    return 2.0 * float(w @ (log - y + rate))


def _counts(z: Floats, y: Floats, w: Floats) -> list[Metric]:
    rate = predicted_rate(z)
    own, null = deviance(y, rate, w), deviance(y, np.full_like(y, w @ y), w)
    found = [Metric("mean deviance", own, "twice the Poisson loss", -1)]
    if null > 0:
        found.append(Metric("D²", 1 - own / null, "share of the deviance that is explained", 1))
    found.append(Metric("RMSE", float(np.sqrt(w @ (y - rate) ** 2)), "root mean squared error, in counts", -1))
    return found


def predicted_rate(z: Floats) -> Floats:
    """exp of the scores."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(z))
