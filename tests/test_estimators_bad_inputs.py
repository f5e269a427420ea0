"""Bad tables, targets, weights and parameters are refused with a sentence that says what is wrong where."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from estimator_cases import CLASSIFIERS, MANY, MODELS, NAMES, SCORE, X, every, target

import sightline as sl


def bad(row, column, value, dtype=np.float64):
    table = X.astype(dtype)
    table[row, column] = value
    return table


def frame(column, row, value):
    table = pd.DataFrame(X, columns=NAMES).astype({column: object})
    table.loc[row, column] = value
    return table


# name: (X, what the message must match)
BAD_TABLES = {
    "nan": (bad(7, 1, np.nan), "NaN: column 1, row 7"),
    "inf": (bad(7, 1, np.inf), "infinity: column 1, row 7"),
    "minus inf": (bad(59, 2, -np.inf), "infinity: column 2, row 59"),
    "nan in float32": (bad(0, 0, np.nan, np.float32), "NaN: column 0, row 0"),
    "nan in a list": (bad(7, 1, np.nan).tolist(), "NaN: column 1, row 7"),
    "nan in a tensor": (torch.from_numpy(bad(7, 1, np.nan)), "NaN: column 1, row 7"),
    "nan in a sparse matrix": (scipy.sparse.csr_array(bad(7, 1, np.nan)), "NaN: column 1, row 7"),
    "inf in a sparse matrix": (scipy.sparse.csc_array(bad(7, 1, np.inf)), "infinity: column 1, row 7"),
    "nan in pandas": (pd.DataFrame(bad(7, 1, np.nan), columns=NAMES), "NaN: column 'b', row 7"),
    "missing in pandas": (pd.DataFrame(X, columns=NAMES).astype("Float64").mask(X > 4), "NaN: column 'b'"),
    "inf in polars": (pl.DataFrame(bad(7, 1, np.inf), schema=NAMES), "infinity: column 'b', row 7"),
    "null in polars": (pl.DataFrame({"a": X[:, 0], "b": [None, *X[1:, 1]], "c": X[:, 2]}), "NaN: column 'b', row 0"),
    "text in pandas": (frame("c", 4, "high"), "'high' in column 'c', row 4"),
    "text column in pandas": (pd.DataFrame(X, columns=NAMES).assign(d="red"), "'red' in column 'd', row 0"),
    "text column in polars": (pl.DataFrame(X, schema=NAMES).with_columns(d=pl.lit("red")), "'red' in column 'd'"),
    "dates in pandas": (pd.DataFrame(X, columns=NAMES).assign(d=pd.Timestamp("2020-01-01")), "column 'd'"),
    "text in a list": ([*X[:59].tolist(), [1.0, "high", 2.0]], "'high' in column 1, row 59"),
    "text array": (X.astype(str).astype(object) + "x", "in column 0, row 0"),
    "complex": (X + 1j, "Complex data not supported"),
    "complex tensor": (torch.from_numpy(X + 1j), "Complex data not supported"),
    "ragged": ([*X[:59].tolist(), [1.0, 2.0]], "inhomogeneous|sequence|different lengths"),
    "one column as a vector": (X[:, 0], "1D array.*\n.*reshape|Reshape"),
    "tensor as a vector": (torch.from_numpy(X[:, 0]), "1D tensor.*reshape"),
    "three dimensions": (X[:, :, None], "dim 3|3D|Found array"),
    "tensor of three dimensions": (torch.from_numpy(X[:, :, None]), "3D tensor"),
    "number": (3.0, "2D array"),
    "none": (None, "2D array|None"),
    "text": ("table.csv", "2D array|scalar|string"),
    "dictionary": ({"a": 1}, "2D array|dict"),
    "no rows": (X[:0], "0 sample"),
    "no columns": (X[:, :0], "0 feature"),
    "tensor without rows": (torch.zeros(0, 3), "0 sample"),
    "tensor without columns": (torch.zeros(60, 0), "0 feature"),
    "sparse without rows": (scipy.sparse.csr_array((0, 3)), "0 sample"),
    "frame without columns": (pd.DataFrame(index=range(60)), "0 feature"),
    "too few rows": (X[:59], r"59.*60|60.*59"),
    "too few rows of a tensor": (torch.from_numpy(X[:59]), r"59.*60|60.*59"),
    "too few rows of a sparse matrix": (scipy.sparse.csr_array(X[:59]), r"59.*60|60.*59"),
    "list of tensors": ([torch.ones(3)] * 60, r"torch\.stack"),
    "names of mixed types": (pd.DataFrame(X, columns=["a", 1, "c"]), "string names"),
}  # fmt: skip


@every
@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_are_refused_with_their_place(name, case):
    table, message = BAD_TABLES[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        MODELS[name]().fit(table, target(name))
    assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)


BAD_PREDICTIONS = [
    "nan", "nan in a tensor", "nan in a sparse matrix", "complex tensor", "three dimensions", "no rows",
    "tensor without rows", "one column as a vector", "list of tensors", "text in a list", "none",
]  # fmt: skip


@every
@pytest.mark.parametrize("case", BAD_PREDICTIONS)
def test_bad_tables_are_refused_in_predictions(name, case):
    model = MODELS[name]().fit(X, target(name))
    table, message = BAD_TABLES[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        model.predict(table)
    assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)


@every
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, scipy.sparse.csr_array, pl.from_numpy])
def test_another_number_of_columns_is_refused(name, kind):
    model = MODELS[name]().fit(kind(X), target(name))
    with pytest.raises(ValueError, match=r"X has 2 features, but \w+ is expecting 3|feature names should match"):
        model.predict(kind(np.ascontiguousarray(X[:, :2])))


def changed(y, row, value, dtype=None):
    y = np.array(
        y, dtype=dtype or (object if isinstance(value, str) or value is None or value is pd.NA else np.float64)
    )
    y[row] = value
    return y


# what is done to a good target: (the target it becomes, what the message must match)
BAD_TARGETS = {
    "none": (lambda y: None, "requires y to be passed, but the target y is None"),
    "too short": (lambda y: y[:-1], "60.*59"),
    "too long": (lambda y: np.append(y, 1), "60.*61"),
    "too short a tensor": (lambda y: torch.from_numpy(y[:-1]), "60.*59"),
    "empty": (lambda y: y[:0], "60.*0|0 sample"),
    "nan": (lambda y: changed(y, 5, np.nan), r"NaN|y in row 5 is \[?nan"),
    "inf": (lambda y: changed(y, 5, np.inf), r"inf"),
    "nan in a tensor": (lambda y: torch.from_numpy(changed(y, 5, np.nan)), "row 5"),
    "none inside": (lambda y: changed(y, 5, None), "row 5|NaN"),
    "missing inside": (lambda y: pd.Series(changed(y, 5, pd.NA)), "row 5|NaN"),
    "three dimensions": (lambda y: y[:, None, None], "1d array|dimension|shape"),
    "tensor of three dimensions": (lambda y: torch.from_numpy(y)[:, None, None], "1d array|shape"),
    "number": (lambda y: 3.0, "1d array|shape|60"),
    "ragged": (lambda y: [*y[:-1].tolist(), [1, 2]], "different lengths|inhomogeneous"),
    "complex": (lambda y: y + 1j, "Complex data not supported"),
    "complex tensor": (lambda y: torch.from_numpy(y + 1j), "Complex|complex|continuous"),
    "sparse": (lambda y: scipy.sparse.csr_array(y[:, None]), "sparse"),
}
BAD_CLASSES = {
    "continuous": (lambda y: y + 0.25 * np.arange(60), "Unknown label type"),
    "continuous tensor": (lambda y: torch.from_numpy(y + 0.25 * np.arange(60)), "Unknown label type"),
    "one class": (lambda y: np.ones(60, dtype=int), "one class only, 1"),
    "one class of a tensor": (lambda y: torch.ones(60), "one class only, 1"),
    "one class of text": (lambda y: np.full(60, "a"), "one class only, 'a'"),
    "one-hot": (lambda y: np.eye(2)[y], "1d array|column-vector|shape"),
    "one-hot tensor": (lambda y: torch.eye(2)[torch.from_numpy(y)], "argmax"),
    "text and numbers": (
        lambda y: np.array([*y[:-1].tolist(), "a"], dtype=object),
        "label type|types|mix|uniform",
    ),
}
BAD_NUMBERS = {
    "text": (lambda y: np.where(np.arange(60) == 5, "high", "1"), "'high' in row 5"),
    "dates": (lambda y: np.full(60, np.datetime64("2020-01-01")), "datetime64"),
    "text in polars": (lambda y: pl.Series(["1"] * 59 + ["x"]), "'x' in row 59"),
}
BAD_SINGLE = {"two targets": (lambda y: np.stack([y, y], 1), "1d array"),
              "two targets in a tensor": (lambda y: torch.from_numpy(np.stack([y, y], 1)), "1d array")}  # fmt: skip
BAD_MANY = {"no targets": (lambda y: np.zeros((60, 0)), "no target"),
            "nan in the second": (lambda y: np.stack([y, changed(y, 5, np.nan)], 1), "row 5")}  # fmt: skip
BAD_COUNTS = {"negative": (lambda y: changed(y, 5, -2.0), "row 5 is -2"),
              "negative in a tensor": (lambda y: torch.from_numpy(changed(y, 5, -2.0)), "row 5 is -2")}  # fmt: skip


def bad_targets():
    for name in MODELS:
        cases = dict(BAD_TARGETS)
        cases |= BAD_CLASSES if name in CLASSIFIERS else BAD_NUMBERS
        cases |= BAD_MANY if name in MANY else BAD_SINGLE if name not in CLASSIFIERS else {}
        cases |= BAD_COUNTS if name == "PoissonRegressor" else {}
        for case, (change, message) in cases.items():
            yield pytest.param(name, change, message, id=f"{name}-{case}")


@pytest.mark.parametrize(("name", "change", "message"), list(bad_targets()))
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_bad_targets_are_refused_with_their_place(name, change, message, kind):
    with pytest.raises((ValueError, TypeError)) as caught:
        MODELS[name]().fit(kind(X), change(target(name)))
    assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)


W = np.ones(60)
BAD_WEIGHTS = {
    "negative": (changed(W, 5, -1.0), "sample_weight in row 5 is -1"),
    "nan": (changed(W, 5, np.nan), "sample_weight in row 5"),
    "inf in a tensor": (torch.from_numpy(changed(W, 5, np.inf)), "sample_weight in row 5"),
    "all zero": (0 * W, "sample_weight is zero"),
    "too short": (W[:-1], r"sample_weight has shape \(59,\)"),
    "two columns": (np.ones((60, 2)), "sample_weight has shape"),
    "one column": (np.ones((60, 1)), "sample_weight has shape"),
    "text": (["a"] * 60, "sample_weight holds values that are not numbers"),
}  # fmt: skip


@every
@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_bad_weights_are_refused(name, case):
    weight, message = BAD_WEIGHTS[case]
    with pytest.raises(ValueError, match=message):
        MODELS[name]().fit(X, target(name), sample_weight=weight)


@pytest.mark.parametrize(
    ("name", "class_weight", "message"),
    [
        ("LogisticRegression", "heavy", "class_weight.*heavy"),
        ("LinearSVC", [1, 2], "class_weight"),
        ("LogisticRegression", {0: -1.0}, "class_weight holds.*0: -1"),
        ("LinearSVC", {0: np.nan}, "class_weight holds"),
        ("LogisticRegression", {0: 0.0, 1: 1.0}, "one class only"),
        ("LinearSVC", {0: 0.0, 1: 1.0}, "one class only"),
        ("LogisticRegression", {5: 1.0}, r"classes, \[0, 1\], are not in class_weight"),
    ],
)
def test_bad_class_weights_are_refused(name, class_weight, message):
    model = MODELS[name]().set_params(class_weight=class_weight)
    with pytest.raises(ValueError, match=message):
        model.fit(X, target(name))


def test_rows_without_weight_may_not_leave_one_class():
    y = target("LogisticRegression")
    for name in CLASSIFIERS:
        with pytest.raises(ValueError, match="one class only in the rows of positive weight"):
            MODELS[name]().fit(X, y, sample_weight=y)


@pytest.mark.parametrize("alpha", [[1.0, 2.0, 3.0], [-1.0, 1.0], [np.nan, 1.0], ["a", "b"]], ids=str)
def test_bad_strengths_of_several_targets(alpha):
    with pytest.raises(ValueError, match="alpha"):
        sl.Ridge(alpha).fit(X, np.stack([SCORE, SCORE], 1))


@pytest.mark.parametrize(
    "offset", [np.ones(59), [np.nan] * 60, ["a"] * 60, np.ones((60, 2))], ids=["short", "nan", "text", "2d"]
)
def test_bad_offsets(offset):
    with pytest.raises(ValueError, match="offset"):
        sl.PoissonRegressor().fit(X, target("PoissonRegressor"), offset=offset)
    with pytest.raises(ValueError, match="offset"):
        sl.PoissonRegressor().fit(X, target("PoissonRegressor")).predict(X, offset=offset)
