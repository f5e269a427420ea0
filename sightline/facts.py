"""The facts of a fit that need its data: spreads, standard errors, metrics, and what the report's pictures show.

They are plain values that JSON can hold, and travel with the model in ``Result.extra["facts"]``, so that
``sightline show`` gives the same table and the same page without the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sightline.certificate import Verdict
from sightline.data import Data, make_data
from sightline.design_matrix import SparseDesign
from sightline.metrics import Floats, metrics, predicted, predicted_rate, sigmoid, softmax
from sightline.result import Result

VERSION = 1
MOST_POINTS = 300  # of a scatter picture
MOST_CLASSES = 12  # of a confusion matrix
MOST_STEPS = 200  # of the picture of the gap
MOST_PROFILE = 2e10  # rows × columns⁴ beyond which no profile intervals are computed unasked
BINS = 10
INTERRUPTED = "their computation was interrupted"
NORMAL = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Rows:
    """Rows and target: X (n, p) as ``fit`` takes it, y (n,) labels or numbers, weight and offset (n,) or None."""

    X: Any
    y: Any
    weight: Any = None
    offset: Any = None

    def __len__(self) -> int:
        return len(self.y)

    def data(self, result: Result) -> Data:
        """The rows as the fit saw them; class weights are no part of them."""
        return make_data(
            self.X, self.y, result.loss, sample_weight=self.weight, offset=self.offset, classes=result.classes,
            columns=result.columns,
        )


def gather(
    result: Result,
    train: Rows | None,
    test: Rows | None = None,
    *,
    target: str | None = None,
    source: str | None = None,
    reason: str | None = None,
    notes: Sequence[str] = (),
    command: str | None = None,
    dropped: dict[str, str] | None = None,
    fields: int | None = None,
    class_weighted: bool = False,
) -> dict[str, Any]:
    """The facts of a result.

    train, test : the rows fitted, and those held out.  target, source : names of the target and of the file.
    reason : why this loss.  notes : sentences about the data.  command : what was typed.
    fields : columns as they were read.  dropped : the level of each column of text whose rows are all zeros.
    class_weighted : the fit weighted the classes.

    Ctrl-C while the standard errors are computed, which comes last, leaves them out.
    """
    told: dict[str, Any] = {
        "version": VERSION, "target": target, "source": source, "reason": reason, "notes": list(notes),
        "command": command, "fields": fields, "dropped": dict(dropped or {}), "trace": _trace(result), "spread": None,
        "errors": None, "metrics": {}, "picture": None,
        "rows": {"train": result.rows, "test": 0 if test is None else len(test)},
    }  # fmt: skip
    if train is None:
        return told
    data = train.data(result)
    told["spread"] = _listed(spread(data))
    for name, rows in (("train", data), ("test", None if test is None else test.data(result))):
        if rows is not None:
            z, y, weight = scored(result, rows)
            told["metrics"][name] = [[m.name, _json(m.value), m.about] for m in metrics(result.loss, z, y, weight)]
            told["picture"] = {"rows": name, "n": len(y), **picture(result, z, y, weight)}
    try:
        told["errors"] = errors(result, data, class_weighted)
    except KeyboardInterrupt:
        told["errors"] = {"reason": INTERRUPTED}
    return told


def scored(result: Result, data: Data) -> tuple[Floats, Any, Floats | None]:
    """Scores with the offset, coded target and weights of rows, as arrays."""
    coef = result.weight.double().T
    z = data.design.scores(coef.to(data.design.device)).double().cpu() + result.bias.double().cpu()
    if data.offset is not None:
        z = z + data.offset.cpu()[:, None]
    scores = z.numpy()
    weight = None if data.weight is None else data.weight.cpu().numpy()
    return (scores[:, 0] if data.outputs is None else scores), data.y.cpu().numpy(), weight


def errors(result: Result, data: Data, class_weighted: bool = False) -> dict[str, Any]:
    """Standard errors of the weights and what makes intervals of them, or the reason why there are none.

    kind : 't' with its degrees of freedom or 'z'.  factor : half width of a 95 % interval, in standard errors.
    coef (K, p), intercept (K,) : as ``Result.weight`` and ``Result.bias``.
    low_coef, high_coef, p_coef and the same of the intercept : ends of profile intervals and p-values, for Firth's
    penalty alone.
    """
    told: dict[str, Any] = {"kind": None, "df": None, "factor": None, "coef": None, "intercept": None, "reason": None}
    reason = _no_errors(result, class_weighted)
    if reason is None and result.penalty.jeffreys:
        return _profile(result, data, told)
    if reason is None:
        from sightline.inference import standard_errors
        from sightline.objective import Objective, Weights

        weight, bias = result.weight.double(), result.bias.double()
        one = data.outputs is None
        weights = Weights(weight[0], bias[0]) if one else Weights(weight.T.contiguous(), bias)
        objective = Objective(data, result.loss, result.penalty, result.fit_intercept)
        found = standard_errors(objective, weights)
        if found.coef is not None and found.intercept is not None:
            told["coef"] = (found.coef[None] if one else found.coef.T).tolist()
            told["intercept"] = found.intercept.reshape(-1).tolist()
            told["kind"], told["factor"] = "z", NORMAL
            if result.loss.quadratic:
                from scipy.special import stdtrit

                df = data.total_weight - weight.shape[1] - int(result.fit_intercept)
                told["kind"], told["df"], told["factor"] = "t", df, float(stdtrit(df, 0.975))
        reason = found.reason
    told["reason"] = reason
    return told


def _profile(result: Result, data: Data, told: dict[str, Any]) -> dict[str, Any]:
    """Errors and intervals of a fit with Firth's penalty: of the profile penalised likelihood, where it is not too
    long to compute."""
    from sightline.firth_profile import intervals
    from sightline.objective import Objective, Weights

    objective = Objective(data, result.loss, result.penalty, result.fit_intercept)
    if data.n * float(data.design.p + 1) ** 4 > MOST_PROFILE:
        return {**told, "reason": "profile intervals of so many coefficients are left to sl.profile_intervals"}
    found = intervals(objective, Weights(result.weight[0].double(), result.bias[0].double()), result.columns)
    start = int(result.fit_intercept)

    def split(values: Floats) -> tuple[list[list[float | None]], list[float | None]]:
        whole = [_json(float(v)) for v in values]
        return [whole[start:]], whole[:1] if start else [0.0]

    for key, values in (("", found.error), ("low_", found.low), ("high_", found.high), ("p_", found.p_value)):
        told[key + "coef"], told[key + "intercept"] = split(values)
    told["kind"], told["factor"] = "z", NORMAL
    return told


def _no_errors(result: Result, class_weighted: bool) -> str | None:
    verdict = result.certificate.verdict
    if "constraints" in result.extra:
        return "constraints on rates hold the weights, and the usual errors are those of weights that are free"
    if verdict is Verdict.NO_MINIMUM:
        return "there is no optimum whose neighbourhood could tell them"
    if verdict is Verdict.NOT_UNIQUE:
        return "some columns are combinations of others, so their coefficients are one choice out of many"
    if verdict not in (Verdict.OPTIMAL, Verdict.STATIONARY):
        return "the fit ended short of its optimum"
    return "weights of classes are not counts of rows" if class_weighted else None


def spread(data: Data) -> Floats:
    """Standard deviation of each column over the weighted rows, (p,)."""
    design = data.design
    s = torch.full((data.n,), 1.0 / data.n, dtype=torch.float64)
    if data.weight is not None:
        s = data.weight / data.weight.sum()
    s = s.to(design.device)
    mean = design.adjoint(s if design.dtype == torch.float64 else s.to(design.dtype)).double()
    total = torch.zeros(design.p, dtype=torch.float64, device=design.device)
    for rows, block in design.blocks():
        if isinstance(block, SparseDesign):
            total += torch.from_numpy(block.X.astype("float64").power(2).T @ s[rows].numpy())
        else:
            total += s[rows] @ (block.X - mean).square()
    if isinstance(design, SparseDesign):
        total = (total - mean.square()).clamp(min=0)
    return np.asarray(total.sqrt().cpu().numpy())


def picture(result: Result, z: Floats, y: Any, weight: Floats | None) -> dict[str, Any]:
    """What the report draws of the predictions."""
    loss = result.loss
    w = np.ones(len(y)) if weight is None else weight
    if y.ndim == 2:
        return {}
    if loss.targets in ("binary", "classes"):
        codes = (y > 0).astype(np.int64) if loss.targets == "binary" else y.astype(np.int64)
        said = predicted(loss, z).astype(np.int64)
        found: dict[str, Any] = {"confusion": _confusion(codes, said, result.classes or ())}
        if loss.name == "logistic":
            p = sigmoid(z)
            found["calibration"] = calibration(p, codes.astype(np.float64), w)
            found["histogram"] = _histogram(p, codes, 0.0, 1.0)
        elif loss.targets == "binary":
            edge = float(np.quantile(np.abs(z), 0.99)) or 1.0
            found["histogram"] = _histogram(np.clip(z, -edge, edge), codes, -edge, edge)
        elif loss.name == "softmax":
            p = softmax(z)
            sure = p.max(axis=1)
            found["calibration"] = calibration(sure, (p.argmax(axis=1) == codes).astype(np.float64), w)
        return found
    if loss.targets == "counts":
        return {"rates": calibration(predicted_rate(z), y, w, counts=True)}
    index = np.unique(np.linspace(0, len(y) - 1, min(len(y), MOST_POINTS)).astype(np.int64))
    return {"points": [_listed(z[index]), _listed(y[index])]}


def calibration(p: Floats, y: Floats, w: Floats, counts: bool = False) -> list[list[float]]:
    """[mean predicted, mean observed, its 95 % interval, rows] of tenths of the rows by prediction.

    The interval of a share is Wilson's (1927), that of a mean count the mean ± 1.96 standard errors.
    """
    order = np.argsort(p, kind="stable")
    found = []
    for part in np.array_split(order, min(BINS, len(order))):
        weight = w[part] / w[part].sum()
        mean, seen = float(weight @ p[part]), float(weight @ y[part])
        n = 1.0 / float(weight @ weight)
        if counts:
            error = 1.96 * math.sqrt(float(weight @ (y[part] - seen) ** 2) / n)
            low, high = max(0.0, seen - error), seen + error
        else:
            low, high = wilson(seen, n)
        found.append([_round(mean), _round(seen), _round(low), _round(high), len(part)])
    return found


def wilson(share: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share seen in n rows."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _histogram(p: Floats, codes: Any, low: float, high: float) -> dict[str, Any]:
    bins = [np.histogram(p[codes == k], bins=20, range=(low, high))[0].tolist() for k in (0, 1)]
    return {"low": low, "high": high, "counts": bins}


def _confusion(true: Any, said: Any, classes: tuple[Any, ...]) -> dict[str, Any] | None:
    if len(classes) > MOST_CLASSES:
        return None
    k = len(classes)
    table = np.bincount(true * k + said, minlength=k * k).reshape(k, k)
    return {"classes": [str(c) for c in classes], "counts": table.tolist()}


def _trace(result: Result) -> dict[str, Any]:
    """Relative gap by step, thinned.  What a step's value is above the lower bound that the end proved is a proven
    gap too, so every step has one."""
    proof, values = result.certificate, result.trace.value
    steps = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_STEPS)).astype(np.int64)).tolist()
    least = max(proof.relative_gap, 1e-17)
    above = [(values[i] - proof.lower_bound) / proof.scale if proof.scale > 0 else 0.0 for i in steps] if values else []
    return {
        "step": steps if values else [],
        "gap": [_json(float(f"{max(gap, least):.4g}")) for gap in above],
        "seconds": float(result.trace.seconds[-1]) if values else None,
    }


def _json(value: float) -> float | None:
    """A number as JSON can hold it."""
    return float(value) if math.isfinite(value) else None


def _round(value: float) -> float:
    return float(f"{value:.6g}") if math.isfinite(value) else 0.0


def _listed(values: Any) -> list[float]:
    return [_round(float(value)) for value in values]
