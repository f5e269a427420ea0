"""What goes in: every kind of table, label and weight gives the same model."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from estimator_cases import CLASSIFIERS, MODELS, NAMES, RNG, X, every, target

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
