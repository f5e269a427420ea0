"""What rows weigh in a training whose batches are the same in every epoch.

A step follows the mean loss of its batch, so an epoch follows the mean of its batches' means: a row of a batch of m
rows counts 1/(m · batches), and where the last batch is short its rows count for more than the others.  Where the order
is drawn anew each epoch every row is in the short batch equally often, and all count alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.recipes.linear import LinearMap
from sightline.recipes.recognised import LossFunction, Recognised, Slopes, variants


@dataclass(frozen=True)
class InBatches:
    """A loss as an epoch's batches weigh it.

    found : the loss; its shares are those of the mean over the batches.  words : how that differs from the mean over
        the rows, '' where it does not.
    """

    found: Recognised
    words: str


def in_batches(found: Recognised, function: LossFunction, y: Tensor, linear: LinearMap, sizes: Tensor) -> InBatches:
    """The loss with the shares of rows that an epoch gives them.

    y : targets of all rows, in the order of their visits.  sizes : rows of each batch, (batches,) int64.
    """
    if found.total:  # a sum over a batch's rows counts each of them alike
        return InBatches(found, "")
    alike = found.row_weights is None
    if alike and bool((sizes == sizes[0]).all()):
        return InBatches(found, "")
    n, batches = len(y), len(sizes)
    shares = found.shares * (n / (sizes.double() * batches)).repeat_interleave(sizes)
    if not alike:
        of_batch = torch.stack([part.sum() for part in found.shares.split(sizes.tolist())])
        by_weight = found.shares * (found.shares.sum() / (of_batch * batches)).repeat_interleave(sizes)
        same = torch.allclose(shares, by_weight, rtol=1e-9)
        if not same and _divides_by_weights(function, y, linear, sizes, of_batch):
            shares = by_weight
    return InBatches(replace(found, shares=shares), _in_words(sizes))


def _in_words(sizes: Tensor) -> str:
    words = f", each of the {len(sizes):,} batches of an epoch counting alike,"
    first, last = int(sizes[0]), int(sizes[-1])
    if first == last:
        return words
    rows = "the one row" if last == 1 else f"each of the {last:,} rows"
    return f"{words} so that {rows} of the last weighs {first / last:.4g} times any other,"


def _divides_by_weights(
    function: LossFunction, y: Tensor, linear: LinearMap, sizes: Tensor, of_batch: Tensor
) -> bool:
    """Whether the loss of a batch is divided by the weights of its rows, as ``nn.CrossEntropyLoss(weight=...)`` does,
    and not by their number: found on the batch where that makes the largest difference."""
    by_number, by_weight = len(y) / sizes.double(), of_batch.sum() / of_batch
    chosen = int((by_weight / by_number).log().abs().argmax())
    last = int(sizes[: chosen + 1].sum())
    rows = slice(last - int(sizes[chosen]), last)
    z = torch.randn(linear.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shape = (int(sizes[chosen]), *linear.shape[1:])
    with torch.random.fork_rng():
        for variant, dtype in variants(function, linear.dtype):
            try:
                whole = Slopes(variant, y, linear.shape, linear.link, dtype)(z)[rows]
                own = Slopes(variant, y[rows], shape, linear.link, dtype)(z[rows])
            except Exception:  # whatever somebody's callable makes of another precision
                continue
            used = whole != 0
            if bool(used.any()):
                ratio = float((own[used] / whole[used]).median())
                return abs(ratio - float(by_weight[chosen])) < abs(ratio - float(by_number[chosen]))
    return False
