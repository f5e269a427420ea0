"""What estimators are given, made into what the core takes.

Plain float arrays and tensors take a short way; everything else (frames, lists, sparse matrices, other number types) is
read by scikit-learn's own ``validate_data``, whose errors are then made to say which column and row is to blame.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d, validate_data
from torch import Tensor

from sightline.data import DataError, _numbers, _row_vector, locate_not_finite
from sightline.design_matrix import Design, as_design

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def read_rows(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """X as a float array, tensor or CSR matrix, (n, p), not yet examined for NaN.

    With ``reset`` the estimator learns the number and names of the columns, else they must be those it knows.
    """
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype in FLOATS and X.size:
        state, p = estimator.__dict__, X.shape[1]
        if reset:
            state["n_features_in_"] = p
            state.pop("feature_names_in_", None)
            return X
        if p == state["n_features_in_"] and "feature_names_in_" not in state:
            return X
    elif isinstance(X, Tensor):
        return _read_tensor(estimator, X, reset)
    if getattr(X, "shape", None) and X.shape[-1] == 0:
        raise DataError(f"Found array with 0 feature(s) (shape={tuple(X.shape)}) while a minimum of 1 is required.")
    if (
        X is not None
        and not hasattr(X, "shape")
        and hasattr(X, "__len__")
        and any(isinstance(row, Tensor) for row in X)
    ):
        raise DataError("X is a list of tensors; make it one tensor, for example with torch.stack(X).")
    try:
        return validate_data(
            estimator, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite=False
        )
    except (TypeError, ValueError) as error:
        place = _not_a_number(X)
        if place is None:
            raise
        raise type(error)(f"{error}\nX holds {place}; encode text (one-hot) or leave it out.") from None


def _read_tensor(estimator: BaseEstimator, X: Tensor, reset: bool) -> Tensor:
    if X.ndim != 2:
        raise DataError(
            f"Expected 2D tensor, got {X.ndim}D tensor instead: X has shape {tuple(X.shape)}, not (rows, columns)."
            + (" Reshape your data with X.reshape(-1, 1) for a single column." if X.ndim == 1 else "")
        )
    if X.is_complex():
        raise DataError("Complex data not supported: X is complex; split it into real and imaginary columns.")
    n, p = X.shape
    if n == 0 or p == 0:
        thing, other = ("sample", "row") if n == 0 else ("feature", "column")
        raise DataError(
            f"Found tensor with 0 {thing}(s) (shape=({n}, {p})) while a minimum of one {other} is required."
        )
    if reset:
        estimator.n_features_in_ = p
        estimator.__dict__.pop("feature_names_in_", None)
    elif p != estimator.n_features_in_:
        raise DataError(
            f"X has {p} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} features"
            " as input."
        )
    X = X.detach()
    if X.dtype in (torch.float16, torch.bfloat16):
        return X.float()
    return X if X.dtype in (torch.float32, torch.float64) else X.double()


def _not_a_number(X: Any) -> str | None:
    """Where a table first holds something that is not a number, in words; None where that is not the trouble."""
    if hasattr(X, "columns") and hasattr(X, "__getitem__"):
        for name in list(X.columns):
            place = _first_bad(np.asarray(X[name], dtype=object).reshape(-1))
            if place is not None:
                return f"{place[1]!r} in column {name!r}, row {place[0]}"
        return None
    try:
        table = np.asarray(X, dtype=object)
    except ValueError:
        return None
    if table.ndim != 2:
        return None
    place = _first_bad(table.reshape(-1))
    if place is None:
        return None
    row, column = divmod(place[0], table.shape[1])
    return f"{place[1]!r} in column {column}, row {row}"


def _first_bad(values: np.ndarray) -> tuple[int, Any] | None:
    for i, value in enumerate(values):
        try:
            float(value)
        except (TypeError, ValueError):
            if value is not None and type(value).__name__ not in ("NAType", "NaTType"):
                return i, value.item() if isinstance(value, np.generic) else value
    return None


def column_names(estimator: BaseEstimator) -> tuple[str, ...] | None:
    """Names of the columns seen in ``fit``, for messages and the result."""
    names = estimator.__dict__.get("feature_names_in_")
    return None if names is None else tuple(names.tolist())


def require_finite(estimator: BaseEstimator, X: Any) -> None:
    """Refuse NaN and infinity, naming the first cell that holds one."""
    if type(X) is np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            if math.isfinite(X.sum()):
                return
    design = as_design(X)
    if not design.is_finite():
        raise DataError(locate_not_finite(design, column_names(estimator)))


def require_target(estimator: BaseEstimator, y: Any) -> None:
    """Refuse a target that is missing altogether."""
    if y is None:
        raise DataError(f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None.")


def require_length(y: Any, n: int) -> None:
    """Refuse a target of another length than X."""
    if len(y) != n:
        raise DataError(f"X has {n} rows but y has {len(y)}: found inconsistent numbers of samples [{n}, {len(y)}].")


def numeric_target(y: Any, n: int, *, many: bool) -> Tensor:
    """A regression target as a float64 tensor, (n,), or (n, K) where ``many`` targets may be."""
    values: Any = y
    if isinstance(y, Tensor):
        if y.is_complex():
            raise DataError("Complex data not supported: y is complex.")
        if y.ndim == 2 and not many and y.shape[1] == 1:
            values = y.reshape(-1)
    elif not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "fiub"):
        values = _array_target(y, many)
    if not 1 <= values.ndim <= (2 if many else 1):
        raise DataError(f"y should be a 1d array, got an array of shape {tuple(values.shape)} instead.")
    require_length(values, n)
    if values.ndim == 2 and values.shape[1] == 0:
        raise DataError(f"y has shape {tuple(values.shape)}: there is no target in it.")
    return _numbers(values, "y")


def _array_target(y: Any, many: bool) -> np.ndarray:
    if hasattr(y, "toarray"):
        raise DataError("y is a sparse matrix; the target must be dense: y.toarray().ravel().")
    values = _as_array(y)
    if values.dtype.kind == "c":
        raise DataError("Complex data not supported: y is complex.")
    if values.dtype.kind in "mM":
        raise DataError(f"y holds {values.dtype} values; a target must be a number.")
    if values.dtype.kind in "OUS":
        missing = [
            i for i, v in enumerate(values.reshape(len(values), -1)[:, 0]) if type(v).__name__ in ("NAType", "NoneType")
        ]
        if missing:
            raise DataError(f"Input y contains NaN: it is missing in row {missing[0]} ({len(missing)} such rows).")
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            place = _first_bad(values.reshape(-1))
            where = "" if place is None else f": {place[1]!r} in row {place[0] // max(1, math.prod(values.shape[1:]))}"
            raise DataError(f"y holds values that are not numbers{where} ({error}).") from None
    if values.ndim > 2:
        raise DataError(f"y should be a 1d array, got an array of shape {values.shape} instead.")
    if many and values.ndim == 2:
        return values
    flat: np.ndarray = column_or_1d(values, warn=True)
    return flat


def _as_array(y: Any) -> np.ndarray:
    if isinstance(y, list | tuple) and any(isinstance(v, Tensor) for v in y):
        y = [v.item() if isinstance(v, Tensor) and v.numel() == 1 else v for v in y]
    try:
        return np.asarray(y)
    except ValueError as error:
        raise DataError(f"y is not a list of values: its entries have different lengths ({error}).") from None


def class_target(y: Any, X: Any) -> tuple[Any, Tensor]:
    """The sorted labels, an array or tensor as scikit-learn's ``classes_``, and the codes of the rows, int64 (n,).

    Labels follow the kind of X: numbers become a tensor on its device where X is one.
    """
    labels: Any
    if isinstance(y, Tensor):
        labels, codes = _tensor_classes(y)
    else:
        labels, codes = _array_classes(y)
    require_length(codes, X.shape[0])
    labels = labels_like(labels, X)
    codes = codes.to(X.device if isinstance(X, Tensor) else "cpu")
    if len(labels) < 2:
        only = labels.tolist()[0]
        raise DataError(
            f"y has one class only, {only!r}: needs samples of at least 2 classes, or there is nothing to tell apart."
        )
    return labels, codes


def labels_like(labels: Any, X: Any) -> Any:
    """Labels in the kind of X, where they can be: text stays an array."""
    if isinstance(X, Tensor):
        if isinstance(labels, np.ndarray) and labels.dtype.kind in "fiub":
            labels = torch.from_numpy(np.array(labels))
        return labels.to(X.device) if isinstance(labels, Tensor) else labels
    return labels.cpu().numpy() if isinstance(labels, Tensor) else labels


def _tensor_classes(y: Tensor) -> tuple[Tensor, Tensor]:
    y = y.detach()
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.reshape(-1)
    if y.ndim != 1:
        raise DataError(
            f"y should be a 1d array, got a tensor of shape {tuple(y.shape)} instead. For one-hot columns: y.argmax(1)."
        )
    if y.is_complex():
        raise DataError("Complex data not supported: y is complex.")
    if y.is_floating_point():
        values = _numbers(y, "y")
        if bool((values != values.floor()).any()):
            raise DataError(
                "Unknown label type: continuous. Maybe you are trying to fit a classifier, which expects classes,"
                " on a regression target with continuous values."
            )
    labels, codes = torch.unique(y, return_inverse=True)
    return labels, codes


def _array_classes(given: Any) -> tuple[np.ndarray, Tensor]:
    y: Any = given
    if not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iub"):
        if hasattr(y, "toarray"):
            raise DataError("y is a sparse matrix; the target must be dense: y.toarray().ravel().")
        y = column_or_1d(_labels_array(y), warn=True)
        if y.dtype.kind == "c":
            raise DataError("Complex data not supported: y is complex.")
        if y.dtype.kind == "f":
            _numbers(y, "y")
        elif y.dtype.kind == "O":
            missing = [i for i, v in enumerate(y) if v is None or type(v).__name__ == "NAType" or v != v]
            if missing:
                raise DataError(f"Input y contains NaN: it is missing in row {missing[0]} ({len(missing)} such rows).")
        if y.dtype.kind != "U":
            check_classification_targets(y)
    if y.dtype.kind in "iu" and len(y):
        low, high = int(y.min()), int(y.max())
        width = high - low + 1
        if width <= 4 * len(y) and low > -(2**62) and high < 2**62:
            codes = (y - y.dtype.type(low)).astype(np.int64) if low else y.astype(np.int64)
            # Of two neighbouring numbers both are there.
            present = np.arange(width) if width <= 2 else np.flatnonzero(np.bincount(codes, minlength=width))
            if len(present) < width:
                place = np.zeros(width, dtype=np.int64)
                place[present] = np.arange(len(present))
                codes = place[codes]
            return (present + low).astype(y.dtype), torch.from_numpy(codes)
    try:
        labels, inverse = np.unique(y, return_inverse=True)
    except TypeError:
        raise DataError("y mixes labels of different types (text and numbers); make them one type.") from None
    return labels, torch.from_numpy(inverse.reshape(-1))


def _labels_array(y: Any) -> np.ndarray:
    values = _as_array(y)
    if values.ndim > 2:
        raise DataError(f"y should be a 1d array, got an array of shape {values.shape} instead.")
    if values.ndim == 0 or values.dtype.kind not in "OUSfiubc":
        found: np.ndarray = check_array(values, ensure_2d=False, dtype=None)
        return found
    return values


def gather(
    estimator: BaseEstimator, X: Any, target: Tensor, sample_weight: Any = None, offset: Any = None
) -> tuple[Design, Tensor, Tensor | None, Tensor | None]:
    """Design matrix, target, weights and offset, checked, without the rows of weight zero."""
    design = as_design(X)
    if not design.is_finite():
        raise DataError(locate_not_finite(design, column_names(estimator)))
    target = target.to(design.device)
    weight = None if sample_weight is None else _row_vector(sample_weight, "sample_weight", design)
    shift = None if offset is None else _row_vector(offset, "offset", design)
    if weight is None:
        return design, target, None, shift
    if not bool((weight > 0).all()):
        if bool((weight < 0).any()):
            i = int((weight < 0).nonzero()[0])
            raise DataError(
                f"sample_weight in row {i} is {float(weight[i]):g}; Negative values in data: weights must be >= 0."
            )
        keep = weight > 0
        if not bool(keep.any()):
            raise DataError("every sample_weight is zero: there is nothing to fit.")
        return design.rows(keep), target[keep], weight[keep], None if shift is None else shift[keep]
    return design, target, weight, shift
