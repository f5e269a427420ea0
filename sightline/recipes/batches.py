"""The rows of a training and the batches in which an epoch visits them."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)

from sightline.data import DataError
from sightline.recipes.recipe import Recipe

Batch = tuple[Any, Any]


class Batches(abc.ABC):
    """Batches of (X, y), epoch after epoch.

    rows : how many there are, None where unknown.  per_epoch : batches of an epoch, None where unknown.
    """

    rows: int | None
    per_epoch: int | None
    generator: torch.Generator | None = None

    @property
    def generators(self) -> list[torch.Generator]:
        """The generators of their own from which orders are drawn."""
        return [] if self.generator is None else [self.generator]

    @property
    def row_weights(self) -> Tensor | None:
        """How often each row is drawn beside the others, (n,); None where all are alike."""
        return None

    @property
    def sizes(self) -> Tensor | None:
        """Rows of each batch of an epoch, int64, where all epochs visit ``all_rows`` in their own order; else None."""
        return None

    @property
    def tensors(self) -> tuple[Tensor, ...] | None:
        """Those that all rows are slices of; None where rows come from anything else."""
        return None

    @abc.abstractmethod
    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""

    @abc.abstractmethod
    def all_rows(self) -> tuple[Tensor, Tensor] | None:
        """All rows that are trained on, in their own order, without disturbing random numbers; None where they cannot
        be had."""


class TensorBatches(Batches):
    """Batches of two tensors, as slices of them, or, shuffled, in the order that a ``DataLoader`` gives."""

    def __init__(self, X: Tensor, y: Tensor, size: int | None, shuffle: bool, seed: int | None) -> None:
        self.X, self.y = X, y
        self.rows = len(X)
        self.size = self.rows if size is None else min(size, self.rows)
        self.per_epoch = -(-self.rows // self.size)
        self.order: DataLoader[Any] | None = None
        if shuffle:
            self.generator = None if seed is None else torch.Generator().manual_seed(seed)
            # The loader shuffles the numbers of the rows, so that the order is its own in any version of PyTorch.
            self.order = DataLoader(
                range(self.rows),  # type: ignore[arg-type]
                batch_size=self.size, shuffle=True, generator=self.generator, collate_fn=torch.tensor,
            )

    @property
    def sizes(self) -> Tensor | None:
        return None if self.order is not None else _sizes(len(self.X), self.size)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.X, self.y

    def epoch(self) -> Iterator[Batch]:
        X, y, size = self.X, self.y, self.size
        if self.order is not None:
            for index in self.order:
                yield X[index], y[index]
        elif size >= len(X):
            yield X, y
        else:
            yield from zip(X.split(size), y.split(size))

    def all_rows(self) -> tuple[Tensor, Tensor] | None:
        return self.X, self.y


class LoaderBatches(Batches):
    """Batches of a ``DataLoader``."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader = loader
        self.generator = loader.generator
        sized = not isinstance(loader.dataset, IterableDataset)
        self.rows = len(loader.dataset) if sized else None  # type: ignore[arg-type]
        self.per_epoch = len(loader) if sized else None

    @property
    def generators(self) -> list[torch.Generator]:
        samplers = (self.loader.sampler, getattr(self.loader.batch_sampler, "sampler", None))
        found = [self.generator, *(getattr(sampler, "generator", None) for sampler in samplers)]
        return list({id(g): g for g in found if g is not None}.values())

    @property
    def row_weights(self) -> Tensor | None:
        sampler = getattr(self.loader.batch_sampler, "sampler", self.loader.sampler)
        return sampler.weights.double() if isinstance(sampler, WeightedRandomSampler) else None

    @property
    def sizes(self) -> Tensor | None:
        loader, size = self.loader, self.loader.batch_size
        if type(loader.sampler) is not SequentialSampler or size is None or not self.rows:
            return None
        return _sizes(self.rows - (self.rows % size if loader.drop_last else 0), size)

    @property
    def tensors(self) -> tuple[Tensor, ...] | None:
        dataset = self.loader.dataset
        plain = type(dataset) is TensorDataset and self.loader.collate_fn is default_collate
        return dataset.tensors if plain else None  # type: ignore[attr-defined]

    def epoch(self) -> Iterator[Batch]:
        for batch in self.loader:
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                what = f"{len(batch)} parts" if isinstance(batch, tuple | list) else f"a {type(batch).__name__}"
                raise DataError(f"a batch of the DataLoader has {what}; it must be a pair (X, y).")
            yield batch[0], batch[1]

    def _visited(self) -> Sequence[int] | None:
        """The rows that an epoch visits, where by its sampler there are others that none ever does."""
        sampler, batch = self.loader.sampler, self.loader.batch_size
        if isinstance(sampler, SubsetRandomSampler):
            return [int(i) for i in sampler.indices]
        if isinstance(sampler, SequentialSampler) and self.loader.drop_last and batch is not None and self.rows:
            return range(self.rows - self.rows % batch)
        return None

    def all_rows(self) -> tuple[Tensor, Tensor] | None:
        dataset = self.loader.dataset
        if isinstance(dataset, IterableDataset):
            return None
        visited = self._visited()
        if visited is not None:
            dataset = Subset(dataset, visited)
        with torch.random.fork_rng():
            plain: DataLoader[Any] = DataLoader(
                dataset, batch_size=1024, collate_fn=self.loader.collate_fn, generator=torch.Generator()
            )
            pairs = [(batch[0], batch[1]) for batch in plain]
        if not pairs or not all(isinstance(t, Tensor) for pair in pairs for t in pair):
            return None
        return torch.cat([X for X, _ in pairs]), torch.cat([y for _, y in pairs])


def _sizes(rows: int, size: int) -> Tensor:
    whole, left = divmod(rows, size)
    return torch.tensor([size] * whole + [left] * (left > 0))


def make_batches(data: Any, recipe: Recipe, like: Tensor) -> Batches:
    """The batches of (X, y), a ``Dataset`` or a ``DataLoader``.

    like : a parameter of the module; arrays and lists become tensors of its dtype on its device.  Tensors stay as they
        are.

    Raises
    ------
    DataError : nothing of these, no rows, X and y of different length.  ValueError : a batch size below one, or one
        besides a ``DataLoader``'s own.
    """
    size = recipe.batch_size
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise ValueError(f"batch_size={size!r}; it must be a whole number of rows, at least 1, or None for all rows.")
    if isinstance(data, DataLoader):
        if size is not None or recipe.shuffle:
            raise ValueError(
                "a DataLoader brings its own batch size and order: leave batch_size and shuffle out of the recipe."
            )
        return LoaderBatches(data)
    if isinstance(data, Dataset):
        rows = len(data)  # type: ignore[arg-type]
        if not rows:
            raise DataError("the Dataset is empty: there are no rows to train on.")
        generator = torch.Generator().manual_seed(recipe.seed) if recipe.shuffle and recipe.seed is not None else None
        return LoaderBatches(
            DataLoader(data, batch_size=size or rows, shuffle=recipe.shuffle, generator=generator)
        )
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(f"data is a {type(data).__name__}; give a pair (X, y), a Dataset or a DataLoader.")
    X, y = _tensor(data[0], like, "X"), _tensor(data[1], like, "y")
    if X.ndim == 0 or y.ndim == 0 or len(X) != len(y):
        raise DataError(f"X has shape {tuple(X.shape)} and y {tuple(y.shape)}: they must have as many rows.")
    if not len(X):
        raise DataError("X has no rows: there is nothing to train on.")
    return TensorBatches(X, y, size, recipe.shuffle, recipe.seed)


def _tensor(values: Any, like: Tensor, name: str) -> Tensor:
    if isinstance(values, Tensor):
        return values
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {array.dtype} values, not numbers; code them as numbers first.")
    tensor = torch.from_numpy(np.array(array, order="C")).to(like.device)
    return tensor.to(like.dtype) if name == "X" or tensor.is_floating_point() else tensor
