"""Nested values with tensors in them as JSON beside a table of tensors, and back: no pickle, no code that runs."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import torch
from torch import Tensor


class CannotPack(ValueError):
    """A value that a file without code cannot hold; the message names its place and type."""


def pack(value: Any, tensors: dict[str, Tensor], place: str) -> Any:
    """``value`` as what JSON can hold; its tensors go to ``tensors``.

    Holds None, booleans, numbers, text, tensors, NumPy arrays of integers, lists, tuples, dicts and counters of these.
    ``place`` says in an error where in the whole the value is.

    Raises
    ------
    CannotPack : anything else.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        name = str(len(tensors))
        tensors[name] = torch.from_numpy(np.ascontiguousarray(value).astype(np.int64))
        return {"integers": name, "dtype": str(value.dtype)}
    if isinstance(value, list | tuple):
        items = [pack(item, tensors, f"{place}.{i}") for i, item in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": items}
    if isinstance(value, dict):
        pairs = [
            [pack(key, tensors, f"{place}.key{i}"), pack(item, tensors, f"{place}.{key}")]
            for i, (key, item) in enumerate(value.items())
        ]
        return {"counter" if isinstance(value, collections.Counter) else "dict": pairs}
    raise CannotPack(f"{place} is a {type(value).__name__}")


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The reverse of ``pack``."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "integers" in value:
        return tensors[value["integers"]].numpy().astype(value["dtype"])
    if "list" in value:
        return [unpack(item, tensors) for item in value["list"]]
    if "tuple" in value:
        return tuple(unpack(item, tensors) for item in value["tuple"])
    kind = "counter" if "counter" in value else "dict"
    pairs = {unpack(key, tensors): unpack(item, tensors) for key, item in value[kind]}
    return collections.Counter(pairs) if kind == "counter" else pairs
