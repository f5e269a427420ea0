"""Which problem `fit` solves: the loss and penalty that the options and the target make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.losses import LOSSES, Huber, Loss, Quantile, as_loss
from sightline.tables import Table, TableError, TargetKind, check_classes
from sightline.tables.errors import did_you_mean, listing

if TYPE_CHECKING:
    from sightline.commands.fit import Request

ALIASES = {
    "linear": "squared", "least_squares": "squared", "ols": "squared", "gaussian": "squared", "logit": "logistic",
    "binomial": "logistic", "multinomial": "softmax", "svm": "hinge", "median": "quantile", "pinball": "quantile",
    "counts": "poisson", "robust": "huber",
}  # fmt: skip


@dataclass(frozen=True)
class Penalty:
    """The penalty's arguments to ``sl.fit``, and what to say where they were chosen for the person."""

    arguments: dict[str, Any]
    note: str | None = None


def loss_of(request: Request, kind: TargetKind, y: Any, name: str, table: Table, rows: Any) -> tuple[Loss, str]:
    """The loss and why; TableError where the options or the target do not go with it."""
    chosen, reason = _named(request), ""
    if chosen is None:
        chosen = kind.loss
        reason = kind.reason + (f"; {kind.hint}" if kind.hint else "")
    for value, option, owner in ((request.quantile, "--quantile", "quantile"), (request.delta, "--delta", "huber")):
        if value is not None and chosen != owner:
            raise TableError(f"{option} belongs to --loss {owner}, not {chosen}")
    if request.quantile is not None:
        loss: Loss = Quantile(request.quantile)
    elif request.delta is not None:
        loss = Huber(request.delta)
    else:
        loss = as_loss(chosen)
    if loss.targets in ("binary", "classes"):
        _check_labels(loss, y, name)
    else:
        _check_numbers(loss, y, name, table, rows)
        if request.class_weight is not None:
            raise TableError(f"--class-weight is for classes, and the {loss} loss takes numbers; --weights weighs rows")
    return loss, reason


def _named(request: Request) -> str | None:
    if request.loss is None:
        return "quantile" if request.quantile is not None else "huber" if request.delta is not None else None
    word = request.loss.strip().lower().replace("-", "_").replace(" ", "_")
    word = ALIASES.get(word, word)
    if word not in LOSSES:
        raise TableError(
            f"--loss {request.loss} is not a loss{did_you_mean(word, [*LOSSES, *ALIASES]) or '.'}"
            f" Choose one of: {', '.join(LOSSES)}"
        )
    return word


def _check_labels(loss: Loss, y: Any, name: str) -> None:
    classes = np.unique(y).tolist()
    check_classes(classes, len(y), name)
    if loss.targets == "binary" and len(classes) > 2:
        raise TableError(
            f"target {name!r} has {len(classes)} classes ({listing(classes, 4)}), and the {loss} loss tells two apart:"
            " --loss softmax takes more"
        )


def _check_numbers(loss: Loss, y: Any, name: str, table: Table, rows: Any) -> None:
    if y.dtype.kind not in "biuf":
        raise TableError(
            f"target {name!r} holds {str(y[0])!r} in {table.place(rows[0])}, and the {loss} loss needs numbers:"
            " --loss logistic or softmax takes texts as classes"
        )
    if loss.targets == "counts" and (y < 0).any():
        row = int(np.argmax(y < 0))
        place = table.place(rows[row])
        raise TableError(f"target {name!r} is {y[row]} in {place}, and the {loss} loss needs counts >= 0")


def penalty_of(request: Request, loss: Loss) -> Penalty:
    """The penalty, and what to say about it; TableError for options that contradict each other."""
    C, strength, ratio, name = request.C, request.strength, request.l1_ratio, request.penalty
    if C is not None and strength is not None:
        raise TableError("--C and --strength say the same thing: give one of them")
    if C is not None and not C > 0:
        raise TableError(f"--C is {C:g}: it must be positive; inf means no penalty")
    if strength is not None and not 0 <= strength < math.inf:
        raise TableError(f"--strength is {strength:g}: it must be zero or a positive number")
    if ratio is not None and not 0 <= ratio <= 1:
        raise TableError(f"--l1-ratio is {ratio:g}: it lies between 0 (all L2) and 1 (all L1)")
    if ratio is not None and name not in (None, "elasticnet"):
        raise TableError(f"--l1-ratio belongs to --penalty elasticnet, not {name}")
    if name == "firth":
        if C is not None or strength is not None or ratio is not None:
            raise TableError("--penalty firth has no strength: leave out --C, --strength and --l1-ratio")
        if loss.name != "logistic":
            raise TableError(f"--penalty firth is for the logistic loss of two classes, not {loss}: try --C 1")
        return Penalty({"penalty": "firth"})
    free = C is not None and math.isinf(C)
    given = not free and (C is not None or strength is not None)
    if name == "none" and (given or ratio is not None):
        raise TableError(f"--penalty none has no {'strength' if given else 'l1 ratio'}: leave out one of the options")
    if free and name not in (None, "none"):
        raise TableError(f"--C inf means no penalty, and --penalty {name} asks for one: leave out one of them")
    if name == "none" or free:
        return Penalty({})
    if name is None and ratio is not None:
        name = "elasticnet"
    note = None
    if not given:
        if name is None and "hinge" not in loss.name:
            return Penalty({})
        if loss.targets not in ("binary", "classes"):
            raise TableError(f"--penalty {name} needs its strength: --strength 0.1, or --C 10 in scikit-learn's terms")
        C = 1.0
        note = f"{'an L2 penalty' if name is None else 'the penalty'} with C = 1 taken: --C or --strength changes it"
        if name is None:
            note += ", --penalty none leaves it out"
    return Penalty({"penalty": name or "l2", "C": C, "strength": strength, "l1_ratio": ratio}, note)
