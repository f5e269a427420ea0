"""Model files: a ``Result`` in one safetensors file, with a checksum of every byte.

The file holds the tensors ``weight`` (K, p) and ``bias`` (K,), the trace's numbers, and as metadata a JSON record of
everything else.  safetensors has no checksum of its own: ``sha256`` in the metadata is that of the whole file with the
64 digits of the checksum itself replaced by zeros.  Reading runs no code and takes about twice the file's size.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sightline.certificate import Certificate
from sightline.losses import LOSSES, Loss
from sightline.penalties import Firth, Penalty
from sightline.result import Result
from sightline.trace import Trace

FORMAT = "sightline-model"
VERSION = 1
LARGEST_HEADER = 100_000_000  # safetensors' own limit
ZEROS = b"0" * 64
DTYPES = {torch.float64: "F64", torch.float32: "F32"}
LABELS = {"str": str, "int": int, "float": float, "bool": bool}
TRACES = ("value", "gap", "gradient_norm", "seconds")


class ModelFileError(ValueError):
    """A model file cannot be read or written; the message names the path, the reason and what to do."""


# ---------------------------------------------------------------------------------------------------------- writing


def save(result: Result, path: str | os.PathLike[str]) -> None:
    """Write a result to a file, whole or not at all.

    The bytes go to a temporary file in the same folder, which replaces ``path`` when it is safely on the disk.  On any
    failure an older file stays as it was and nothing is left behind.

    Raises
    ------
    ModelFileError : the file cannot be written, or the result holds what a model file cannot (labels that are not
        text or numbers, ``extra`` that is not JSON, a loss of one's own).
    """
    write_whole(Path(path), to_bytes(result, path))


def to_bytes(result: Result, path: str | os.PathLike[str] = "model") -> bytes:
    """The file's bytes; the same for equal results."""
    tensors: dict[str, Tensor] = {"weight": result.weight, "bias": result.bias}
    training: dict[str, Any] | None = None
    if hasattr(result, "saved_parts"):  # a recipe's
        training, more = result.saved_parts()
        tensors |= more
    else:
        for name in TRACES:
            tensors[f"trace.{name}"] = torch.tensor(getattr(result.trace, name), dtype=torch.float64)
    if result.penalty.factors is not None:
        tensors["penalty.factors"] = result.penalty.factors
    bare = training is not None and result.loss is None  # nothing convex was minimised
    record = {
        "certificate": None if training and result.certificate is None else result.certificate.to_dict(),
        "loss": None if bare else {"name": _own_loss(result.loss, path), **vars(result.loss)},
        "penalty": {
            "l1": result.penalty.l1, "l2": result.penalty.l2, "positive": result.penalty.positive,
            **({"jeffreys": True} if result.penalty.jeffreys else {}),
        },
        "fit_intercept": result.fit_intercept,
        "classes": None if result.classes is None else [_label(c, path) for c in result.classes],
        "columns": None if result.columns is None else list(result.columns),
        "solver": result.solver,
        "n_iter": result.n_iter,
        "rows": result.rows,
        "total_weight": result.total_weight,
        "extra": result.extra,
    }
    if training is not None:
        record["training"] = training
    try:
        model = json.dumps(record)
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: the result's extra facts are not plain JSON values ({error}).") from None
    header: dict[str, Any] = {
        "__metadata__": {"format": FORMAT, "version": str(VERSION), "sha256": ZEROS.decode(), "model": model}
    }
    data, at = [], 0
    # As safetensors orders them: wider elements first, so that every tensor is aligned.
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        if tensor.dtype not in DTYPES:
            raise ModelFileError(f"{path}: {name} is of {tensor.dtype}; a model file holds float32 and float64.")
        content = tensor.detach().cpu().contiguous().numpy().astype(f"<f{tensor.element_size()}").tobytes()
        places = [at, at + len(content)]
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": places}
        data.append(content)
        at = places[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    whole = len(text).to_bytes(8, "little") + text + b"".join(data)
    digest = hashlib.sha256(whole).hexdigest().encode()
    place = re.search(rb'"sha256":"(0{64})"', whole)
    assert place is not None
    return whole[: place.start(1)] + digest + whole[place.end(1) :]


def _own_loss(loss: Loss, path: str | os.PathLike[str]) -> str:
    if LOSSES.get(loss.name) is not type(loss):
        raise ModelFileError(f"{path}: the loss {loss!r} is not one of Sightline's; it cannot be saved.")
    return loss.name


def _label(label: Any, path: str | os.PathLike[str]) -> list[Any]:
    if hasattr(label, "item"):  # a NumPy scalar
        label = label.item()
    for name, kind in LABELS.items():
        if type(label) is kind:
            return [name, label]
    raise ModelFileError(
        f"{path}: the class label {label!r} is of type {type(label).__name__}; a model file holds text, numbers and"
        " booleans. Turn the labels into text before the fit."
    )


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` atomically: there is the old file or the whole new one, and nothing else.

    Raises
    ------
    ModelFileError : with the path and the system's reason.
    """
    target = Path(os.path.realpath(path))
    temporary: str | None = None
    try:
        if target.exists() and not target.is_file():
            raise ModelFileError(f"{path}: there is something there that is not a file; choose another name.")
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
            os.fchmod(handle, _mode(target))
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelFileError(f"{path}: the model could not be saved: {reason}. What was there is unchanged.") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    with contextlib.suppress(OSError):  # the name's own way to the disk; not every file system has it
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or those that a new file gets."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(os.stat(target).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


# ---------------------------------------------------------------------------------------------------------- reading


def load(path: str | os.PathLike[str]) -> Result:
    """The result that ``Result.save`` wrote, every number bit for bit; the trace of a fit comes without its weights.

    Raises
    ------
    ModelFileError : no such file, not a model file, or damaged in any byte.
    """
    content = _read(Path(path))
    _check_sum(content, path)
    try:
        return _decode(content)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    except Exception as error:  # whatever a forged file makes a parser raise
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ModelFileError(f"{path}: not a model that this version of Sightline can read ({reason}).") from None


def _read(path: Path) -> bytearray:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ModelFileError(f"{path}: not a file.")
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(LARGEST_HEADER, size - 8):
                raise ModelFileError(f"{path}: not a model file, or only the beginning of one.")
            if f'"format":"{FORMAT}"'.encode() not in file.read(length):
                raise ModelFileError(f"{path}: not a model that Sightline saved, or a damaged one.")
            file.seek(0)
            content = bytearray(size)
            view, got = memoryview(content), 1
            while view and got:
                got = file.readinto(view) or 0
                view = view[got:]
            if view:
                raise ModelFileError(f"{path}: the file became shorter while it was read.")
            return content
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}.") from None


def _check_sum(content: bytearray, path: str | os.PathLike[str]) -> None:
    length = 8 + int.from_bytes(content[:8], "little")
    place = re.search(rb'"sha256":"([0-9a-f]{64})"', memoryview(content)[:length])
    digest = hashlib.sha256()
    if place:
        view = memoryview(content)
        for part in (view[: place.start(1)], ZEROS, view[place.end(1) :]):
            digest.update(part)
    if not place or digest.hexdigest().encode() != place.group(1):
        raise ModelFileError(f"{path}: the file is damaged: its content does not match its checksum. Save it again.")


def _tensors(content: bytearray, start: int, header: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors, sharing memory with the content; their places must cover it without gap or overlap."""
    out, at = {}, 0
    kinds = {name: dtype for dtype, name in DTYPES.items()}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape, (first, last) = kinds[entry["dtype"]], entry["shape"], entry["data_offsets"]
        if first != at or not all(type(n) is int and n >= 0 for n in shape):
            raise ModelFileError(f"the place of {name!r} in the file is wrong.")
        count = math.prod(shape)
        if last - first != count * dtype.itemsize or start + last > len(content):
            raise ModelFileError(f"{name!r} of shape {shape} does not fill its {last - first} bytes.")
        flat = torch.frombuffer(content, dtype=dtype, count=count, offset=start + first) if count else torch.empty(0)
        out[name] = flat.to(dtype).reshape(shape)
        at = last
    if start + at != len(content):
        raise ModelFileError("there are bytes that belong to no tensor.")
    return out


def _decode(content: bytearray) -> Result:
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata = header.pop("__metadata__")
    if metadata["format"] != FORMAT or metadata["version"] != str(VERSION):
        raise ModelFileError(f"the file's format is version {metadata['version']}; this Sightline reads {VERSION}.")
    tensors = _tensors(content, start, header)
    record = json.loads(metadata["model"])
    weight, bias = tensors["weight"], tensors["bias"]
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or weight.dtype not in DTYPES or bias.dtype != weight.dtype:
        raise ModelFileError(f"weight {tuple(weight.shape)} and bias {tuple(bias.shape)} do not belong together.")
    outputs, p = weight.shape
    if not (bool(torch.isfinite(weight).all()) and bool(torch.isfinite(bias).all())):
        raise ModelFileError("the weights hold NaN or infinity.")
    columns = record["columns"]
    if columns is not None and (len(columns) != p or not all(isinstance(c, str) for c in columns)):
        raise ModelFileError(f"{len(columns)} column names for {p} columns.")
    classes = None if record["classes"] is None else tuple(_typed_label(*entry) for entry in record["classes"])
    if classes is not None and max(outputs, 2) != len(classes):
        raise ModelFileError(f"{len(classes)} classes for {outputs} rows of weights.")
    training = record.get("training")
    values: dict[str, Any] = {
        "weight": weight,
        "bias": bias,
        "certificate": _certificate(record["certificate"]) if record["certificate"] or training is None else None,
        "loss": _loss(record["loss"]) if record["loss"] or training is None else None,
        "penalty": _penalty(record["penalty"], tensors.get("penalty.factors")),
        "fit_intercept": _is(record["fit_intercept"], bool),
        "classes": classes,
        "columns": None if columns is None else tuple(columns),
        "solver": _is(record["solver"], str),
        "n_iter": _is(record["n_iter"], int),
        "rows": _is(record["rows"], int),
        "total_weight": _is(record["total_weight"], float),
        "extra": _is(record["extra"], dict),
    }
    if training is not None:
        from sightline.recipes.saving import restore

        return restore(values, training, tensors)
    lists = {name: _numbers(tensors[f"trace.{name}"]) for name in TRACES}
    if len({len(v) for v in lists.values()}) != 1:
        raise ModelFileError("the trace's lists differ in length.")
    return Result(**values, trace=Trace(lists["value"], lists["gap"], lists["gradient_norm"], lists["seconds"]))


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ModelFileError(f"{value!r} is not of type {kind.__name__}."[:200])
    return value


def _number(value: Any) -> Any:
    return value if type(value) is int else _is(value, float)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool) else _number(value)


def _numbers(tensor: Tensor) -> list[float]:
    if tensor.ndim != 1 or tensor.dtype != torch.float64:
        raise ModelFileError("the trace is not a list of numbers.")
    return list(tensor.tolist())


def _typed_label(kind: str, value: Any) -> Any:
    if kind == "float" and isinstance(value, float) and not math.isfinite(value):
        raise ModelFileError("a class label is not finite.")
    return _is(value, LABELS[kind])


def _loss(record: dict[str, Any]) -> Loss:
    settings = dict(record)
    kind = LOSSES[settings.pop("name")]
    return kind(**{k: _plain(v) for k, v in settings.items()})


def _penalty(record: dict[str, Any], factors: Tensor | None) -> Penalty:
    if _is(record.get("jeffreys", False), bool):
        return Firth()
    return Penalty(_number(record["l1"]), _number(record["l2"]), _is(record["positive"], bool), factors)


def _certificate(record: dict[str, Any]) -> Certificate:
    certificate = Certificate.from_dict(record)
    for name in ("value", "gap", "scale", "tol"):
        _number(getattr(certificate, name))
    _is(certificate.method, str)
    return certificate
