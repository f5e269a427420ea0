"""What goes in: every kind of table gives the same model, and bad ones a sentence that says what is wrong where."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

import sightline as sl

RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 3)) @ np.diag([1.0, 2.0, 0.5]) + [0.0, 3.0, -1.0]
SCORE = X @ [1.0, -0.5, 0.3] + RNG.normal(size=60)
NAMES = ["a", "b", "c"]

MODELS = {
    "LinearRegression": sl.LinearRegression,
    "Ridge": sl.Ridge,
    "Lasso": lambda: sl.Lasso(0.1),
    "ElasticNet": lambda: sl.ElasticNet(0.1),
    "LogisticRegression": sl.LogisticRegression,
    "LinearSVC": sl.LinearSVC,
    "HuberRegressor": sl.HuberRegressor,
    "QuantileRegressor": lambda: sl.QuantileRegressor(alpha=0.01),
    "PoissonRegressor": sl.PoissonRegressor,
}
CLASSIFIERS = ["LogisticRegression", "LinearSVC"]
MANY = ["LinearRegression", "Ridge", "Lasso", "ElasticNet"]
every = pytest.mark.parametrize("name", MODELS)


def target(name):
    if name in CLASSIFIERS:
        return (SCORE - SCORE.mean() > 0).astype(np.int64)
    return np.round(np.exp(SCORE / 3)) if name == "PoissonRegressor" else SCORE


KINDS = {
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, 0)[::2],
    "reversed": lambda a: a[::-1][::-1],
    "list": lambda a: a.tolist(),
    "pandas": lambda a: pd.DataFrame(a, columns=NAMES),
    "polars": lambda a: pl.DataFrame(a, schema=NAMES),
    "csr": scipy.sparse.csr_array,
    "csc matrix": scipy.sparse.csc_matrix,
    "coo": scipy.sparse.coo_array,
    "tensor": torch.from_numpy,
    "tensor with gradient": lambda a: torch.from_numpy(a).requires_grad_(),
    "sparse tensor": lambda a: torch.from_numpy(a).to_sparse_csr(),
    "transposed tensor": lambda a: torch.from_numpy(np.ascontiguousarray(a.T)).T,
}


@every
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_model(name, kind):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        table = KINDS[kind](X.copy())
    y = target(name)
    reference = MODELS[name]().fit(X, y)
    model = MODELS[name]().fit(table, torch.from_numpy(y) if isinstance(table, torch.Tensor) else y)
    tensor = isinstance(table, torch.Tensor)
    for attribute in ("coef_", "intercept_"):
        value = getattr(model, attribute)
        assert isinstance(value, torch.Tensor) == tensor
        np.testing.assert_allclose(value, getattr(reference, attribute), rtol=1e-4, atol=1e-5)
    prediction = model.predict(table)
    assert type(prediction) is (torch.Tensor if tensor else np.ndarray)
    np.testing.assert_allclose(prediction, reference.predict(X), rtol=1e-4, atol=1e-4)
    assert model.score(table, y) == pytest.approx(reference.score(X, y), rel=1e-4)
    assert hasattr(model, "feature_names_in_") == (kind in ("pandas", "polars"))
    if hasattr(model, "predict_proba"):
        assert type(model.predict_proba(table)) is type(prediction)
        np.testing.assert_allclose(model.predict_log_proba(table).exp() if tensor else model.predict_proba(table),
                                   reference.predict_proba(X), atol=1e-5)  # fmt: skip


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, scipy.sparse.csr_array], ids=["array", "tensor", "csr"])
def test_the_datas_precision_is_kept(name, dtype, kind):
    y = target(name)
    model = MODELS[name]().fit(kind(X.astype(dtype)), y)
    for value in (model.coef_, model.intercept_, model.result_.weight):
        assert str(value.dtype).endswith(dtype)
    assert model.certificate_.optimal
    reference = MODELS[name]().fit(X, y)
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-3, atol=1e-3)
    if name not in CLASSIFIERS:
        assert str(model.predict(kind(X.astype(dtype))).dtype).endswith(dtype)


@every
@pytest.mark.parametrize("dtype", [np.int64, np.int8, bool, np.float16, np.uint16])
def test_other_numbers_become_floats(name, dtype):
    table = (X > 0).astype(dtype)
    model = MODELS[name]().fit(table, target(name))
    assert model.coef_.dtype in (np.float64, np.float32)
    tensor = torch.from_numpy(table.astype(np.int64)).to(torch.bool if dtype is bool else torch.int64)
    np.testing.assert_allclose(model.coef_, MODELS[name]().fit(tensor, target(name)).coef_, atol=1e-4)


@every
def test_the_input_is_not_written_to(name):
    y = target(name).copy()
    kept, weight = X.copy(), np.ones(60)
    kept.flags.writeable = y.flags.writeable = weight.flags.writeable = False
    MODELS[name]().fit(kept, y, sample_weight=weight).predict(kept)


@every
def test_a_model_of_tensors_predicts_arrays_and_the_reverse(name):
    y = target(name)
    arrays, tensors = MODELS[name]().fit(X, y), MODELS[name]().fit(torch.from_numpy(X), torch.from_numpy(y))
    assert isinstance(arrays.predict(torch.from_numpy(X)), torch.Tensor)
    assert isinstance(tensors.predict(X), np.ndarray)
    np.testing.assert_allclose(arrays.predict(torch.from_numpy(X)), tensors.predict(X), rtol=1e-5)
    assert arrays.predict(torch.from_numpy(X).float()).shape == (60,)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"], [False, True], [-5, 7], [0.0, 2.0], [10**12, 10**12 + 5], np.array([3, 250], dtype=np.uint8),
        np.array(["x", "y"], dtype=object),
    ],
    ids=str,
)  # fmt: skip
def test_labels_of_every_kind(name, labels):
    labels = np.asarray(labels)
    y = labels[target(name)]
    for given in (y, y.tolist(), pd.Series(y), pl.Series(y.tolist()), y[:, None][:, 0]):
        model = MODELS[name]().fit(X, given)
        assert model.classes_.tolist() == labels.tolist()
        assert set(model.predict(X).tolist()) <= set(labels.tolist())
    assert model.result_.classes == tuple(labels.tolist())
    if labels.dtype.kind in "iufb":
        for label_type in (torch.as_tensor(y), y):
            model = MODELS[name]().fit(torch.from_numpy(X), label_type)
            assert isinstance(model.classes_, torch.Tensor)
            assert model.predict(torch.from_numpy(X)).dtype == torch.as_tensor(y).dtype
    else:
        model = MODELS[name]().fit(torch.from_numpy(X), y)
        assert isinstance(model.predict(torch.from_numpy(X)), np.ndarray)


@every
def test_a_weight_is_as_many_copies(name):
    y = target(name)
    weight = RNG.integers(0, 4, size=60)
    weighted = MODELS[name]().fit(X, y, sample_weight=weight)
    copies = MODELS[name]().fit(np.repeat(X, weight, 0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.coef_, copies.coef_, rtol=1e-5, atol=1e-6)
    assert weighted.certificate_.value == pytest.approx(copies.certificate_.value, rel=1e-6)
    for given in (weight.tolist(), pd.Series(weight), torch.from_numpy(weight), weight.astype(np.float32)):
        again = MODELS[name]().fit(X, y, sample_weight=given)
        np.testing.assert_allclose(again.coef_, weighted.coef_, rtol=1e-12)
    np.testing.assert_allclose(MODELS[name]().fit(X, y, 1.0).coef_, MODELS[name]().fit(X, y).coef_, rtol=1e-5)


@every
def test_names_of_columns_are_kept_and_compared(name):
    frame, y = pd.DataFrame(X, columns=NAMES), target(name)
    model = MODELS[name]().fit(frame, y)
    assert model.feature_names_in_.tolist() == NAMES and model.result_.columns == tuple(NAMES)
    with pytest.raises(ValueError, match="same order"):
        model.predict(frame[["b", "a", "c"]])
    with pytest.raises(ValueError, match="unseen at fit time:\n- d"):
        model.predict(frame.rename(columns={"a": "d"}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


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


@every
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
def test_models_live_on_the_datas_device(name):
    table, y = torch.from_numpy(X).cuda(), target(name)
    for dtype in (torch.float64, torch.float32):
        model = MODELS[name]().fit(table.to(dtype), torch.from_numpy(y).cuda())
        assert model.coef_.is_cuda and model.intercept_.is_cuda and model.coef_.dtype == dtype
        assert model.predict(table.to(dtype)).is_cuda
        assert model.score(table.to(dtype), torch.from_numpy(y).cuda()) == pytest.approx(
            MODELS[name]().fit(X, y).score(X, y), abs=0.02
        )
