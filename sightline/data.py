"""Data: the rows of a problem, checked and coded.

``Data`` holds the design matrix, the target coded as its loss wants it, weights and offset, and the words that belong
to them (column names, classes).  It is made once from whatever the user has; everything later trusts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.design_matrix import Design, SparseDesign, as_design
from sightline.losses import Logistic, Loss


class DataError(ValueError):
    """The data cannot be fitted; the message says which row, column or value, and what to do."""


@dataclass(frozen=True)
class Data:
    """Checked rows.

    design : (n, p) design matrix.
    y : coded target: float64 (n,) or (n, K), -1/+1 for binary losses, int64 class numbers for softmax.
    weight : (n,) float64 >= 0, or None for all ones.
    offset : (n,) float64 added to the scores, or None.
    classes : labels in the order of the codes, or None for regression.
    columns : names of the p columns, or None.
    """

    design: Design
    y: Tensor
    weight: Tensor | None = None
    offset: Tensor | None = None
    classes: tuple[Any, ...] | None = None
    columns: tuple[str, ...] | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.design.n

    @property
    def total_weight(self) -> float:
        """Sum of the weights (the number of rows where there are none)."""
        return float(self.n) if self.weight is None else float(self.weight.sum())

    @property
    def outputs(self) -> int | None:
        """Columns of scores: None for one score a row, K for K classes or targets."""
        if self.y.dtype == torch.int64:
            assert self.classes is not None
            return len(self.classes)
        return None if self.y.ndim == 1 else self.y.shape[1]


def make_data(
    X: Any,
    y: Any,
    loss: Loss,
    *,
    sample_weight: Any = None,
    class_weight: Any = None,
    offset: Any = None,
    columns: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
) -> Data:
    """Check and code rows for a loss.

    Parameters
    ----------
    X : (n, p) tensor, array, frame (pandas, polars, ...), SciPy sparse matrix or nested list.
    y : (n,) target; (n, K) for several targets of the squared loss; soft labels in [0, 1] for the logistic loss.
    sample_weight : (n,) >= 0.  Rows of weight 0 are left out altogether.
    class_weight : 'balanced' (n / (K · count)) or a mapping from class label to weight; for classification.
    offset : (n,) added to the scores.
    classes : all labels, in order, where y may lack some.

    Raises
    ------
    DataError : shapes that do not fit, NaN or infinity (column and row named), text, no rows, a single class,
        negative weights or counts.
    """
    if columns is None:
        columns = column_names(X)
    design = as_design(as_array(X))
    return check_and_code(
        design, y, loss, sample_weight=sample_weight, class_weight=class_weight, offset=offset,
        columns=None if columns is None else tuple(str(c) for c in columns), classes=classes,
    )


def column_names(X: Any) -> tuple[str, ...] | None:
    """Names of the columns of a frame; None for anything else."""
    if isinstance(X, Tensor | np.ndarray) or not hasattr(X, "columns"):
        return None
    return tuple(str(c) for c in X.columns)


def as_array(X: Any) -> Any:
    """A frame or list as an array; tensors, arrays and sparse matrices as they are."""
    if isinstance(X, Tensor | np.ndarray) or hasattr(X, "tocsr"):
        array = X
    elif hasattr(X, "columns") or hasattr(X, "__dataframe__"):
        import narwhals as nw

        frame = nw.from_native(X, eager_only=True)
        for name, dtype in frame.schema.items():
            if not (dtype.is_numeric() or dtype == nw.Boolean):
                kind = str(dtype).lower()
                raise DataError(f"column {name!r} holds {kind} values, not numbers; encode it or leave it out.")
        array = frame.to_numpy()
        if array.dtype == object:
            array = array.astype(np.float64)
    else:
        try:
            array = np.asarray(X)
        except ValueError as error:
            raise DataError(f"X is not a table: its rows have different lengths ({error}).") from None
    if array.dtype.kind == "c" if isinstance(array, np.ndarray) else getattr(array, "is_complex", bool)():
        raise DataError("X holds complex numbers; a linear model takes real ones (split real and imaginary parts).")
    if isinstance(array, np.ndarray) and array.dtype.kind not in "fiub":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"X holds values that are not numbers ({error}); encode text (one-hot) first.") from None
    if array.ndim != 2:
        raise DataError(
            f"X has shape {tuple(array.shape)}; it must be (rows, columns)."
            + (" For a single column use X.reshape(-1, 1)." if array.ndim == 1 else "")
        )
    return array


def check_and_code(
    design: Design,
    y: Any,
    loss: Loss,
    *,
    sample_weight: Any = None,
    class_weight: Any = None,
    offset: Any = None,
    columns: tuple[str, ...] | None = None,
    classes: Sequence[Any] | None = None,
) -> Data:
    """``make_data`` for a design matrix that exists already."""
    if design.n == 0 or design.p == 0:
        raise DataError(f"X has {design.n} rows and {design.p} columns; there is nothing to fit.")
    if not design.is_finite():
        raise DataError(locate_not_finite(design, columns))
    if y is None:
        raise DataError("y is missing: the target has one value for each row of X.")
    labels = _labels(y)
    if len(labels) != design.n:
        raise DataError(f"X has {design.n} rows but y has {len(labels)}.")
    weight = _row_vector(sample_weight, "sample_weight", design)
    if weight is not None and bool((weight < 0).any()):
        i = int((weight < 0).nonzero()[0])
        raise DataError(f"sample_weight in row {i} is {float(weight[i]):g}; weights must be >= 0.")
    shift = _row_vector(offset, "offset", design)
    if weight is not None and not bool((weight > 0).all()):
        keep = weight > 0
        if not bool(keep.any()):
            raise DataError("every sample_weight is zero: there is nothing to fit.")
        labels = labels[keep.to(labels.device) if isinstance(labels, Tensor) else keep.cpu().numpy()]
        design, weight = design.rows(keep), weight[keep]
        shift = None if shift is None else shift[keep]
    if loss.targets in ("binary", "classes"):
        coded, known = _code_classes(labels, loss, classes)
    else:
        coded, known = _code_numbers(labels, loss), None
    coded = coded.to(design.device)
    if class_weight is not None:
        weight = _times_class_weight(weight, coded, known, class_weight, design)
    return Data(design, coded, weight, shift, known, columns)


def _labels(y: Any) -> Any:
    """y as a 1-D or 2-D array or tensor without empty dimensions."""
    if isinstance(y, Tensor):
        labels: Any = y.detach()
    elif hasattr(y, "to_numpy"):
        labels = y.to_numpy()
    else:
        labels = np.asarray(y)
    if labels.ndim == 0 or labels.ndim > 2:
        raise DataError(f"y has shape {tuple(labels.shape)}; it must have one value for each row of X.")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if isinstance(labels, np.ndarray) and labels.dtype == object:
        missing = [i for i, v in enumerate(labels.reshape(-1)) if v is None or v != v]
        if missing:
            raise DataError(f"y is missing in row {missing[0]} ({len(missing)} such rows); leave those rows out.")
    return labels


def _numbers(values: Any, name: str) -> Tensor:
    """A float64 tensor of finite numbers."""
    if isinstance(values, Tensor):
        tensor = values.detach().double()
    else:
        if hasattr(values, "to_numpy"):
            values = values.to_numpy()
        try:
            tensor = torch.from_numpy(np.array(values, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise DataError(f"{name} holds values that are not numbers ({error}).") from None
    if not bool(torch.isfinite(tensor).all()):
        i = int((~torch.isfinite(tensor)).reshape(len(tensor), -1).any(1).nonzero()[0])
        raise DataError(f"{name} in row {i} is {tensor[i].tolist()}; every value must be finite.")
    return tensor


def _row_vector(values: Any, name: str, design: Design) -> Tensor | None:
    if values is None:
        return None
    tensor = _numbers(values, name)
    if tensor.ndim == 0:
        return torch.full((design.n,), float(tensor), dtype=torch.float64, device=design.device)
    if tensor.shape != (design.n,):
        raise DataError(f"{name} has shape {tuple(tensor.shape)}; it must be ({design.n},), one value a row.")
    return tensor.to(design.device)


def _code_numbers(labels: Any, loss: Loss) -> Tensor:
    y = _numbers(labels, "y")
    if y.ndim == 2 and loss.name != "squared":
        raise DataError(f"y has {y.shape[1]} columns; the {loss} loss takes one target. Fit each on its own.")
    if loss.targets == "counts":
        if bool((y < 0).any()):
            i = int((y < 0).nonzero()[0])
            raise DataError(f"y in row {i} is {float(y[i]):g}; the {loss} loss needs counts >= 0.")
        if not bool((y > 0).any()):
            # Reported by the certificate as NO_MINIMUM: every rate tends to zero.
            return y
    return y


def _code_classes(labels: Any, loss: Loss, classes: Sequence[Any] | None) -> tuple[Tensor, tuple[Any, ...]]:
    if isinstance(loss, Logistic) and loss.soft:
        q = _numbers(labels, "y")
        if bool(((q < 0) | (q > 1)).any()):
            raise DataError("soft labels must lie between 0 and 1.")
        return 2 * q - 1, (0, 1)
    if labels.ndim == 2:
        raise DataError(
            f"y has shape {tuple(labels.shape)}; the {loss} loss takes one label a row, shape ({len(labels)},)."
            " From one-hot columns use y.argmax(1)."
        )
    if isinstance(labels, Tensor):
        if labels.is_floating_point() and not bool(torch.isfinite(labels).all()):
            _numbers(labels, "y")
        found, codes = torch.unique(labels, return_inverse=True)
        known: tuple[Any, ...] = tuple(found.tolist())
    else:
        if labels.dtype.kind == "f":
            _numbers(labels, "y")
        try:
            values, inverse = _unique(labels)
        except TypeError:
            raise DataError("y mixes labels of different types (text and numbers); make them one type.") from None
        known, codes = tuple(values.tolist()), torch.from_numpy(inverse.reshape(-1))
    if classes is not None:
        places = {c: k for k, c in enumerate(classes)}
        unknown = [c for c in known if c not in places]
        if unknown:
            raise DataError(f"y holds the label {unknown[0]!r}, which is not among classes={list(classes)}.")
        codes = torch.tensor([places[c] for c in known])[codes.cpu().long()]
        known = tuple(classes)
    if len(known) < 2:
        raise DataError(f"y has one class only, {known[0]!r}: there is nothing to tell apart.")
    if loss.targets == "binary":
        if len(known) > 2:
            raise DataError(
                f"y has {len(known)} classes; the {loss} loss tells two apart. For more use loss='softmax'."
            )
        return codes.double().mul_(2).sub_(1), known
    return codes.long(), known


def _unique(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``np.unique(labels, return_inverse=True)``, without sorting all labels where there are two values only."""
    if len(labels) > 1000 and labels.dtype.kind in "biuf":
        values = np.unique(labels[:1000])
        if len(values) == 2:
            second = labels == values[1]
            if (second | (labels == values[0])).all():
                return values, second
    return np.unique(labels, return_inverse=True)


def _times_class_weight(
    weight: Tensor | None, coded: Tensor, classes: tuple[Any, ...] | None, class_weight: Any, design: Design
) -> Tensor:
    if classes is None:
        raise DataError("class_weight is for classification; use sample_weight.")
    codes = coded if coded.dtype == torch.int64 else (coded > 0).long()
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise DataError(f"class_weight={class_weight!r}; use 'balanced' or a mapping from label to weight.")
        counts = torch.bincount(codes, weights=weight, minlength=len(classes)).double()
        present = (counts > 0).sum()
        factors = torch.where(counts > 0, counts.sum() / (present * counts), 0.0)
    else:
        unknown = [c for c in class_weight if c not in classes]
        if unknown:
            raise DataError(f"class_weight names the label {unknown[0]!r}, which y does not hold: {list(classes)}.")
        factors = torch.tensor([float(class_weight.get(c, 1.0)) for c in classes], dtype=torch.float64)
        if bool((factors <= 0).any()) or not bool(torch.isfinite(factors).all()):
            raise DataError(f"class_weight={class_weight!r}; every weight must be a positive number.")
    factors = factors.to(design.device)[codes]
    return factors if weight is None else weight * factors


def locate_not_finite(design: Design, columns: tuple[str, ...] | None) -> str:
    """The sentence on the first cell that is not finite."""
    if isinstance(design, SparseDesign):
        coo = design.X.tocoo()
        where = np.flatnonzero(~np.isfinite(coo.data))
        row, column, value, count = int(coo.row[where[0]]), int(coo.col[where[0]]), coo.data[where[0]], len(where)
    else:
        bad = ~torch.isfinite(design.X)
        count = int(bad.sum())
        row, column = (int(i) for i in bad.nonzero()[0])
        value = float(design.X[row, column])
    name = f"column {columns[column]!r}" if columns else f"column {column}"
    more = f" ({count} such cells)" if count > 1 else ""
    kind = "NaN" if value != value else "infinity"
    return f"X contains {kind}: {name}, row {row}{more}; fill or leave out such rows."
