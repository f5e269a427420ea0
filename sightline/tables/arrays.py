"""Arrays in files: .npy, .npz, .pt and .safetensors, opened without ever running code from the file."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import TableError, listing, module, shown
from .opening import reading

# A file holds one array, under the empty name, or several under theirs. A value is an ndarray or a CSR matrix.
Arrays = dict[str, Any]


def load_arrays(path: Path, kind: str) -> Arrays:
    """The arrays of a file of `kind` "npy", "npz", "pt" or "safetensors"; TableError when it cannot be read."""
    load = {"npy": _npy, "npz": _npz, "pt": _pt, "safetensors": _safetensors}[kind]
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a damaged file makes libraries warn of ends in an error anyway
        try:
            arrays = load(path)
        except (TableError, PermissionError):
            raise
        except MemoryError as error:
            raise TableError(f"{path} does not fit into memory, or is damaged") from error
        except Exception as error:
            raise TableError(f"{path} is not a readable .{kind} file: it is damaged or another kind") from error
    if not arrays:
        raise TableError(f"{path} holds no arrays")
    return arrays


def _npy(path: Path) -> Arrays:
    with path.open("rb") as file:
        _check_header(file, path.stat().st_size, str(path))
        array = np.lib.format.read_array(file, allow_pickle=False)
    return {"": _usable(array, str(path))}


def _npz(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        members = [name.removesuffix(".npy") for name in archive.namelist()]
        if {"data.pkl"} & {name.rpartition("/")[2] for name in archive.namelist()}:
            raise TableError(f"{path} is a file of torch.save: name it .pt")
        if {"format", "shape", "data"} <= set(members):
            return {"": _sparse(path)}
        arrays: Arrays = {}
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                continue
            with archive.open(info) as file:
                raw = io.BytesIO(file.read())
            key = info.filename.removesuffix(".npy")
            where = f"{key!r} in {path}"
            _check_header(raw, len(raw.getbuffer()), where)
            arrays[key] = _usable(np.lib.format.read_array(raw, allow_pickle=False), where)
    return arrays


def _check_header(file: Any, size: int, where: str) -> None:
    """Refuse, before memory is asked for, an array of Python objects or one that is larger than its file."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise TableError(f"{where} is of the .npy version {version}, which is unknown")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise TableError(f"{where} holds Python objects, which are not opened since they can run code: save numbers")
    count = 1
    for extent in shape:
        if extent < 0:
            raise TableError(f"{where} is damaged: its shape is {shape}")
        count *= extent
    if count * dtype.itemsize > size - file.tell():
        raise TableError(f"{where} is incomplete: its shape is {shape} and the data end early")
    file.seek(0)


def _sparse(path: Path) -> Any:
    sparse = module("scipy.sparse")
    with path.open("rb") as file:
        matrix = sparse.load_npz(file)
    if matrix.ndim != 2:
        raise TableError(f"{path} holds a sparse array of {matrix.ndim} dimensions: features have two")
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
    else:
        coordinates = matrix.tocoo() if matrix.format != "dia" else None
        if coordinates is not None:
            coordinates._check()
    csr = sparse.csr_matrix(matrix.tocsr(), dtype=np.float64)
    csr.sum_duplicates()
    return csr


def _pt(path: Path) -> Arrays:
    import pickle

    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise TableError(
            f"{path} is damaged or holds more than tensors, which is not opened since it can run code: "
            "save a tensor or a dict of tensors by torch.save"
        ) from error
    if isinstance(content, torch.Tensor):
        return {"": _tensor(content, str(path))}
    if isinstance(content, list | tuple):
        content = dict(zip("Xy", content)) if len(content) == 2 else dict(enumerate(content))
    if not isinstance(content, dict):
        raise TableError(f"{path} holds {type(content).__name__}: save a tensor or a dict of tensors")
    wrong = next((key for key, value in content.items() if not isinstance(value, torch.Tensor)), None)
    if wrong is not None:
        held = type(content[wrong]).__name__
        raise TableError(f"{path} holds {held} under {shown(wrong)}: save a tensor or a dict of tensors")
    return {str(key): _tensor(value, f"{key!r} in {path}") for key, value in content.items()}


def _safetensors(path: Path) -> Arrays:
    safetensors = module("safetensors", what="reading .safetensors")
    arrays: Arrays = {}
    with safetensors.safe_open(path, framework="pt", device="cpu") as file:
        for key in file.keys():  # noqa: SIM118 -- not a dict
            arrays[key] = _tensor(file.get_tensor(key), f"{key!r} in {path}")
    return arrays


def _tensor(tensor: Any, where: str) -> Any:
    """A torch tensor as an array: float64, int64 or bool, or CSR for a sparse one."""
    import torch

    if tensor.is_complex():
        raise TableError(f"{where} holds complex numbers: features are real")
    if tensor.is_quantized:
        raise TableError(f"{where} is quantized: save tensor.dequantize()")
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        sparse = module("scipy.sparse")
        if tensor.ndim != 2:
            raise TableError(f"{where} is sparse of {tensor.ndim} dimensions: features have two")
        entries = tensor.to_sparse_coo().coalesce()
        index = entries.indices().numpy()
        values = entries.values().to(torch.float64).numpy()
        return sparse.csr_matrix((values, (index[0], index[1])), shape=tuple(tensor.shape))
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float64)
    return _usable(tensor.numpy(), where)


def _usable(array: NDArray[Any], where: str) -> NDArray[Any]:
    """The array, where it holds numbers, truth values, texts or named fields of them."""
    if array.dtype.names is not None or array.dtype.kind in "biufUS":
        return array
    if array.dtype.kind == "c":
        raise TableError(f"{where} holds complex numbers: features are real")
    if array.dtype.kind in "mM":
        raise TableError(f"{where} holds dates: derive numbers from them, such as days since the first")
    raise TableError(f"{where} holds cells of type {array.dtype}, which are no numbers")


def choose(arrays: Arrays, key: str | None, names: tuple[str, ...], where: str, what: str, flag: str) -> str:
    """The key of the features (or labels) in `arrays`: `key`, the only one, or the first of the usual `names`."""
    if key is not None:
        if key in arrays:
            return key
        raise TableError(f"{where} has no array {key!r}: it holds {listing(list(arrays))}")
    if len(arrays) == 1:
        return next(iter(arrays))
    by_lower = {name.lower(): name for name in reversed(list(arrays))}
    found = next((by_lower[name] for name in names if name in by_lower), None)
    if found is None:
        raise TableError(f"{where} holds {listing(list(arrays))}: name the {what} with {flag}")
    return found
