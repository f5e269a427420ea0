"""The order in which a training visits its rows, as numbers: the same that the exact engine's batches have."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
)

from sightline.recipes.batches import Batches, LoaderBatches, TensorBatches
from sightline.recipes.compiled.errors import NotCompiled


@dataclass
class Order:
    """All rows, and the epochs' order.

    X, y : all rows.  ends : where each batch of an epoch ends in its order, int64.
    """

    X: Tensor
    y: Tensor
    ends: np.ndarray
    _loader: DataLoader[Any] | None = field(default=None, repr=False)

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self.ends)

    def epochs(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers and batch ends of the next epochs, one after the other."""
        used = int(self.ends[-1])
        if self._loader is None:
            rows = np.tile(np.arange(used), count)
        else:
            rows = np.concatenate([_drawn(self._loader)[:used] for _ in range(count)])
        ends = self.ends if count == 1 else (self.ends[None] + used * np.arange(count)[:, None]).reshape(-1)
        return rows, ends


def order_of(batches: Batches) -> Order:
    """The order of the exact engine's batches.

    Raises
    ------
    NotCompiled : batches whose rows cannot be known beforehand.
    """
    if isinstance(batches, TensorBatches):
        return Order(batches.X, batches.y, _ends(len(batches.X), batches.size, False), _whole(batches.order))
    if not isinstance(batches, LoaderBatches):
        raise _no(f"not {type(batches).__name__}")
    loader = batches.loader
    dataset, sampler = loader.dataset, loader.batch_sampler
    if type(dataset) is not TensorDataset or len(dataset.tensors) != 2:
        raise _no(f"what a {type(dataset).__name__} gives may differ from time to time")
    if loader.collate_fn is not default_collate or type(sampler) is not BatchSampler:
        raise _no("this DataLoader has a collate_fn or a batch sampler of its own")
    X, y = dataset.tensors
    return Order(X, y, _ends(len(loader.sampler), sampler.batch_size, sampler.drop_last), _whole(loader))  # type: ignore[arg-type]


def _ends(rows: int, size: int, drop_last: bool) -> np.ndarray:
    if drop_last:
        rows -= rows % size
    if not rows:
        raise _no("the DataLoader drops its only batch")
    return np.minimum(np.arange(size, rows + size, size), rows)


def _whole(loader: DataLoader[Any] | None) -> DataLoader[Any] | None:
    """The numbers of an epoch's rows in one batch, drawn from the same sampler and random numbers as the loader's."""
    if loader is None:
        return None
    rows = range(len(loader.dataset))  # type: ignore[arg-type]
    sampler = loader.sampler
    return DataLoader(
        rows,  # type: ignore[arg-type]
        batch_size=max(len(sampler), 1), sampler=sampler, generator=loader.generator, collate_fn=torch.tensor,  # type: ignore[arg-type]
    )


def _drawn(loader: DataLoader[Any]) -> np.ndarray:
    """The rows of the loader's next epoch, int64."""
    if type(loader.sampler) in (RandomSampler, SequentialSampler) and _loaders_draw_as_known():
        return _drawn_as_known(loader)
    (rows,) = list(loader)  # to its end: a sampler may draw once more there
    return rows.numpy()


def _drawn_as_known(loader: DataLoader[Any]) -> np.ndarray:
    """What a DataLoader draws, without making its iterator: a seed for its workers, then its sampler's rows, all."""
    torch.empty((), dtype=torch.int64).random_(generator=loader.generator)
    return np.array(list(loader.sampler), dtype=np.int64)


@cache
def _loaders_draw_as_known() -> bool:
    """Whether that is so in this version of PyTorch: tried once on a few rows, with and without a generator."""
    with torch.random.fork_rng(devices=[]):
        for own in (True, False):
            found = []
            for draw in (_drawn_as_known, lambda loader: next(iter(list(loader))).numpy()):
                torch.manual_seed(7)
                generator = torch.Generator().manual_seed(3) if own else None
                rows = range(7)
                loader: DataLoader[Any] = DataLoader(
                    rows,  # type: ignore[arg-type]
                    batch_size=7, shuffle=True, generator=generator, collate_fn=torch.tensor,
                )
                found.append([*draw(loader), *draw(loader), *torch.rand(1), *torch.rand(1, generator=generator)])
            if found[0] != found[1]:
                return False
    return True


def _no(what: str) -> NotCompiled:
    return NotCompiled(
        f"engine='compiled' needs rows that are known beforehand: {what}. Give (X, y), a TensorDataset, or a DataLoader"
        " of one. Use engine='exact'."
    )
