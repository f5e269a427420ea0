"""What a target is - two classes, several, counts, or real numbers - and so which loss fits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .checks import check_usable, missing_sentence
from .column import Column, is_whole, number_text
from .errors import TableError, listing, plural, shown

if TYPE_CHECKING:
    from .table import Table

Kind = Literal["binary", "classes", "counts", "real"]
Loss = Literal["logistic", "softmax", "poisson", "squared"]

MOST_CLASS_CODES = 20
ROWS_A_CLASS = 5


@dataclass(frozen=True)
class TargetKind:
    """What a target looks like, the loss chosen for it, and why.

    `reason` is a sentence for the person, `hint` what else they may have meant and how to say so (or ""), `classes` the
    distinct labels in sorted order for the kinds "binary" and "classes". `loss` is never "poisson": counts are a guess
    that the person confirms by naming the loss.
    """

    kind: Kind
    loss: Loss
    reason: str
    hint: str = ""
    classes: tuple[Any, ...] = ()


def guess_target(y: Any, name: str = "target") -> TargetKind:
    """The kind of the target y, shape (n,): an array, list or Column of numbers, truth values or texts.

    - Two distinct values of any type: "binary", logistic loss.
    - Text: "classes", softmax loss.
    - Whole numbers that number classes: "classes", softmax loss. That is, 3 to 20 distinct values, the least -1, 0 or
      1, few gaps (1,2,3,5,6,7 passes, 0,10,20 does not), and five rows a value on average, for this is how data sets
      number their classes, whereas scores (3 to 9), years, prices and quantities start elsewhere or are many. The hint
      says how to have them as numbers, for ratings from 1 to 5 are written in the same way.
    - Counts: like such numbers, but from 0, with frequencies that fall off to a thin tail (most patients have no visit,
      few have seven). A softmax over them is not what people mean. They are fitted with the squared loss, and the hint
      names the Poisson loss: a straight line is the plain choice, a log link one to be made knowingly.
    - All other numbers: "real", squared loss, with a hint where they are whole numbers from 0 or 1, or few.

    Raises TableError for a target that is empty, constant, missing or infinite somewhere, or text that is different in
    (nearly) every row.
    """
    values = _array(y, name)
    n = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    k = len(distinct)
    if n == 0:
        raise TableError(f"target {name!r} is empty")
    if k == 1:
        only = shown(_text(distinct[0]))
        if n == 1:
            raise TableError(f"target {name!r} has a single row: a fit needs at least two that differ")
        if values.dtype.kind == "f" or (values.dtype.kind in "iu" and distinct[0] not in (-1, 0, 1)):
            raise TableError(f"target {name!r} is constant: it is {only} in all {n:,} rows, so there is nothing to fit")
        raise TableError(f"target {name!r} has one class only: it is {only} in all {n:,} rows; a fit needs two classes")
    classes = tuple(distinct.tolist())
    override = "--loss squared takes them as numbers"
    if k == 2:
        low, high = (shown(_text(value)) for value in distinct)
        reason = f"target {name!r} holds two values, {low} and {high}: logistic loss (the probability of {high})"
        return TargetKind("binary", "logistic", reason, override if values.dtype.kind in "iuf" else "", classes)
    if values.dtype.kind in "US":
        if k == n or (k * 2 > n and k > 10):
            raise TableError(
                f"target {name!r} holds {k:,} different texts in {n:,} rows, such as {shown(distinct[0])}: "
                "classes need several rows each; name the column to be predicted"
            )
        reason = f"target {name!r} holds {k} text labels: softmax loss (multinomial logistic regression)"
        return TargetKind("classes", "softmax", reason, "", classes)
    numbers = values.astype(np.float64)
    low, high = number_text(float(distinct[0])), number_text(float(distinct[-1]))
    if not is_whole(numbers):
        reason = f"target {name!r} holds numbers from {low} to {high}: squared loss (least squares)"
        few = k <= MOST_CLASS_CODES and n >= ROWS_A_CLASS * k
        return TargetKind("real", "squared", reason, f"--loss softmax takes its {k} values as classes" if few else "")
    span = f"whole numbers from {low} to {high}"
    if _numbers_classes(distinct.astype(np.float64), n):
        if _falls_off(distinct.astype(np.float64), counts):
            reason = f"target {name!r} holds {span} that look like counts: squared loss (least squares)"
            hint = "--loss poisson models counts by a log link; --loss softmax takes them as classes"
            return TargetKind("counts", "squared", reason, hint)
        reason = f"target {name!r} holds {k} class numbers ({span}): softmax loss (multinomial logistic regression)"
        return TargetKind("classes", "softmax", reason, f"{override}, as for a rating", classes)
    reason = f"target {name!r} holds {span} ({k:,} different): squared loss (least squares)"
    hints = []
    if distinct[0] in (0, 1):
        hints.append("--loss poisson models counts by a log link")
    if k <= MOST_CLASS_CODES and n >= ROWS_A_CLASS * k:
        hints.append(f"--loss softmax takes its {k} values as classes")
    return TargetKind("real", "squared", reason, "; ".join(hints))


def check_classes(classes: Sequence[Any], n: int, name: str = "target") -> None:
    """Refuse what no classifier can fit: one class only, or nearly as many classes as the n rows. TableError."""
    if len(classes) < 2:
        only = f": it is {shown(_text(classes[0]))} in every row" if len(classes) else ""
        raise TableError(f"target {name!r} has one class only{only}; a fit needs two classes")
    if len(classes) * 2 > n and len(classes) > 2:
        raise TableError(
            f"target {name!r} has {len(classes):,} classes in {plural(n, 'row')} ({listing(classes, 4)}): classes need "
            "several rows each; --loss squared takes numbers as they are"
        )


def check_target(column: Column, table: Table) -> None:
    """Refuse a target with dates, missing or infinite cells, with the row. TableError."""
    check_usable(column, table, "target")
    if column.missing.any():
        sentence = missing_sentence([column], table).replace("column", "target", 1)
        raise TableError(f"{sentence}: --missing drop leaves such rows out")


def _numbers_classes(distinct: NDArray[np.float64], n: int) -> bool:
    k = len(distinct)
    width = distinct[-1] - distinct[0] + 1
    return bool(k <= MOST_CLASS_CODES and -1 <= distinct[0] <= 1 and width <= 1.5 * k and n >= ROWS_A_CLASS * k)


def _falls_off(distinct: NDArray[np.float64], counts: NDArray[np.int64]) -> bool:
    """Whether the values are 0, 1, 2, ... with frequencies like those of counts: a peak at 0 or 1 and a thin tail."""
    if distinct[0] != 0 or len(distinct) < 4 or int(np.argmax(counts)) > 1:
        return False
    tail = counts[int(np.argmax(counts)) :]
    falling = np.mean(np.diff(tail) <= 0)
    return bool(counts[-1] * 20 < counts.max() and falling >= 0.6)


def _array(y: Any, name: str) -> NDArray[Any]:
    """The labels of y as a NumPy array of one dimension without missing or infinite cells."""
    if isinstance(y, Column):
        if y.missing.any():
            row = int(np.argmax(y.missing))
            raise TableError(f"target {name!r} is missing in row {row + 1}: --missing drop leaves such rows out")
        y = y.labels()
    values = np.asarray(y)
    if values.ndim == 2 and 1 in values.shape:
        values = values.reshape(-1)
    if values.ndim != 1:
        raise TableError(f"target {name!r} has the shape {values.shape}, and one value a row is needed")
    if values.dtype == object:
        gone = [value is None or value != value for value in values]
        if any(gone):
            raise TableError(f"target {name!r} is missing in row {gone.index(True) + 1}")
        if all(isinstance(value, bool | int | float | np.number | np.bool_) for value in values):
            values = np.array(values.tolist())
        else:
            values = np.array([str(value) for value in values])
    if values.dtype.kind not in "biufUS":
        raise TableError(f"target {name!r} holds {values.dtype}, and numbers, truth values or text are needed")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.argmax(~np.isfinite(values)))
        raise TableError(f"target {name!r} holds {values[row]} in row {row + 1}: correct the cell")
    return values


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return number_text(float(value))
    return str(value)
