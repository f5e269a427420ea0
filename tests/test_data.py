"""Input that is not a table of finite numbers is refused, with the place and the remedy named."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch

import sightline as sl

X = np.arange(12.0).reshape(6, 2) ** 0.5
Y = np.array([0, 1, 0, 1, 1, 0])
NAN, INF = X.copy(), X.copy()
NAN[3, 1], INF[2, 0] = math.nan, -math.inf
FRAME = pd.DataFrame(X, columns=["height", "weight"])


def with_cell(frame, row, column, value):
    frame = frame.copy()
    frame.loc[row, column] = value
    return frame


BAD = {
    "nan": ((NAN, Y), {}, r"NaN: column 1, row 3"),
    "infinity": ((INF, Y), {}, r"infinity: column 0, row 2"),
    "nan in a named column": ((with_cell(FRAME, 3, "weight", math.nan), Y), {}, r"NaN: column 'weight', row 3"),
    "nan in a polars frame": ((pl.DataFrame({"a": [1.0, math.nan, 2.0]}), Y[:3]), {}, r"NaN: column 'a', row 1"),
    "null in a polars frame": ((pl.DataFrame({"a": [1.0, None, 2.0]}), Y[:3]), {}, r"NaN: column 'a', row 1"),
    "nan in a tensor": ((torch.from_numpy(NAN), Y), {}, r"NaN: column 1, row 3"),
    "nan in a sparse matrix": ((sp.csr_array(NAN), Y), {}, r"NaN: column 1, row 3"),
    "two nans are counted": ((np.full((6, 2), math.nan), Y), {}, r"12 such cells"),
    "text column": ((FRAME.assign(sex="f"), Y), {}, r"column 'sex' holds .* not numbers"),
    "date column": ((FRAME.assign(day=pd.Timestamp("2020-01-01")), Y), {}, r"column 'day' holds .* not numbers"),
    "polars text column": ((pl.DataFrame({"a": ["x", "y", "z"]}), Y[:3]), {}, r"column 'a' holds .* not numbers"),
    "array of text": ((X.astype(str).astype(object) + "x", Y), {}, r"not numbers"),
    "complex numbers": ((X + 1j, Y), {}, r"not numbers|complex"),
    "rows of different length": (([[1.0, 2.0], [3.0]], Y[:2]), {}, r"different lengths"),
    "one dimension": ((X[:, 0], Y), {}, r"reshape\(-1, 1\)"),
    "three dimensions": ((X[:, :, None], Y), {}, r"shape \(6, 2, 1\)"),
    "no rows": ((X[:0], Y[:0]), {}, r"0 rows"),
    "no columns": ((X[:, :0], Y), {}, r"0 columns"),
    "y too short": ((X, Y[:4]), {}, r"6 rows but y has 4"),
    "y missing": ((X, None), {}, r"y is missing"),
    "y a number": ((X, 3), {}, r"y has shape \(\)"),
    "y of three dimensions": ((X, Y.reshape(6, 1, 1)), {}, r"y has shape"),
    "one class": ((X, np.ones(6)), {}, r"one class only, 1"),
    "three classes for two": ((X, np.arange(6) % 3), {}, r"3 classes.*softmax"),
    "one-hot target": ((X, np.eye(6)[:, :3]), {}, r"argmax"),
    "nan label": ((X, np.array([0, 1, math.nan, 1, 0, 1])), {}, r"y in row 2"),
    "missing label": ((X, np.array(["a", "b", None, "a", "b", "a"], dtype=object)), {}, r"y is missing in row 2"),
    "labels of two types": ((X, np.array(["a", 1, "a", 1, "a", 1], dtype=object)), {}, r"different types"),
    "nan target": ((X, np.array([0, 1, math.nan, 1, 0, 1])), {"loss": "squared"}, r"y in row 2 is nan"),
    "text target": ((X, list("abcdef")), {"loss": "squared"}, r"y holds values that are not numbers"),
    "negative counts": ((X, np.array([0, 1, -2, 1, 0, 1])), {"loss": "poisson"}, r"row 2 is -2.*counts"),
    "two targets for huber": ((X, X), {"loss": "huber"}, r"one target"),
    "soft label above one": ((X, Y * 1.5), {"loss": sl.Logistic(soft=True)}, r"between 0 and 1"),
    "negative weight": ((X, Y), {"sample_weight": [1, 1, -1, 1, 1, 1]}, r"row 2 is -1"),
    "nan weight": ((X, Y), {"sample_weight": [1, 1, math.nan, 1, 1, 1]}, r"sample_weight in row 2"),
    "weights too short": ((X, Y), {"sample_weight": [1, 1]}, r"sample_weight has shape \(2,\)"),
    "all weights zero": ((X, Y), {"sample_weight": np.zeros(6)}, r"every sample_weight is zero"),
    "weights leave one class": ((X, Y), {"sample_weight": 1.0 - Y}, r"one class only, 0"),
    "offset too short": ((X, Y), {"offset": [1.0]}, r"offset has shape"),
    "text offset": ((X, Y), {"offset": list("abcdef")}, r"offset holds values that are not numbers"),
    "class weight of no class": ((X, Y), {"class_weight": {7: 2.0}}, r"label 7"),
    "class weight zero": ((X, Y), {"class_weight": {1: 0.0}}, r"positive"),
    "class weight word": ((X, Y), {"class_weight": "even"}, r"'balanced'"),
    "class weight of regression": ((X, X[:, 0]), {"loss": "squared", "class_weight": "balanced"}, r"sample_weight"),
    "label outside classes": ((X, Y), {"classes": [0, 2]}, r"label 1"),
    "tol zero": ((X, Y), {"tol": 0}, r"tol=0"),
    "tol nan": ((X, Y), {"tol": math.nan}, r"tol=nan"),
    "max_iter zero": ((X, Y), {"max_iter": 0}, r"max_iter=0"),
    "C zero": ((X, Y), {"C": 0}, r"C=0"),
    "C and strength": ((X, Y), {"C": 1.0, "strength": 1.0}, r"give one of them"),
    "start of the wrong shape": ((X, Y), {"start": (np.ones(3), 0)}, r"\(1, 2\) and \(1,\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused_with_the_place_named(case):
    (features, target), arguments, message = BAD[case]
    with pytest.raises(ValueError, match=message) as caught:
        sl.fit(features, target, **{"loss": "logistic", **arguments})
    assert len(str(caught.value)) < 400


FORMS = {
    "list": X.tolist(),
    "fortran": np.asfortranarray(X),
    "reversed view": X[::-1][::-1],
    "read only": np.broadcast_to(X, X.shape),
    "pandas": FRAME,
    "polars": pl.DataFrame(X, schema=["height", "weight"]),
    "tensor": torch.from_numpy(X),
    "transposed tensor": torch.from_numpy(X.T.copy()).T,
    "tensor with gradient": torch.from_numpy(X).requires_grad_(),
    "csr": sp.csr_matrix(X),
    "csc": sp.csc_array(X),
    "coo with duplicates": sp.coo_array(
        (np.r_[X.ravel() / 2, X.ravel() / 2], (np.tile(np.repeat(np.arange(6), 2), 2), np.tile([0, 1], 12)))
    ),
    "sparse tensor": torch.from_numpy(X).to_sparse(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_numbers_gives_the_same_fit(form):
    expected = sl.fit(X, Y, loss="logistic", C=1.0, tol=1e-10)
    result = sl.fit(FORMS[form], Y, loss="logistic", C=1.0, tol=1e-10)
    assert torch.allclose(result.weight, expected.weight, atol=1e-8)
    assert result.columns == (("height", "weight") if form in ("pandas", "polars") else None)


@pytest.mark.parametrize(
    "labels",
    [Y.astype(bool), Y.astype(np.int8), Y.astype(float), np.where(Y, "yes", "no"), torch.from_numpy(Y), pd.Series(Y),
     Y[:, None], np.where(Y, 1, -1), pd.Categorical(np.where(Y, "yes", "no"))],
)  # fmt: skip
def test_every_form_of_the_same_labels(labels):
    expected = sl.fit(X, Y, loss="logistic", C=1.0)
    result = sl.fit(X, labels, loss="logistic", C=1.0)
    assert torch.equal(result.weight, expected.weight)
    assert len(result.classes) == 2


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(torch.float64, torch.float64), (torch.float32, torch.float32), (torch.float16, torch.float32),
     (torch.bfloat16, torch.float32), (torch.int32, torch.float64), (torch.bool, torch.float64)],
)  # fmt: skip
def test_dtype_is_kept(dtype, kept):
    features = torch.from_numpy(X).round().to(dtype)
    result = sl.fit(features, Y, loss="logistic", C=1.0, tol=1e-5)
    assert result.weight.dtype == kept
    assert result.certificate.optimal


def test_the_users_data_are_not_changed():
    features, weight = X.copy(), np.ones(6)
    for loss in ("logistic", "hinge", "squared", "quantile"):
        sl.fit(features, Y, loss=loss, penalty="l2", strength=0.1, sample_weight=weight)
    assert (features == X).all() and (weight == 1).all()
    tensor = torch.from_numpy(features).requires_grad_()
    sl.fit(tensor, Y, loss="logistic", C=1.0)
    assert tensor.grad is None


def test_large_integers_and_huge_labels():
    result = sl.fit(X, Y * 10**15, loss="logistic", C=1.0)
    assert result.classes == (0, 10**15)


def test_many_rows_of_two_labels_are_coded_as_by_sorting():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 5000) * 3 - 1
    labels[4999] = 2
    coded = sl.make_data(rng.standard_normal((5000, 1)), labels, sl.Logistic())
    assert coded.classes == (-1, 2)
    assert (coded.y.numpy() == np.where(labels == 2, 1.0, -1.0)).all()
    labels[4999] = 5
    with pytest.raises(ValueError, match="3 classes"):
        sl.make_data(rng.standard_normal((5000, 1)), labels, sl.Logistic())
