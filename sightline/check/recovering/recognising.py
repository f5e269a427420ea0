"""Which loss of the scores a training's is, found by what it computes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from sightline.check.recovering.derivatives import Differentiated
from sightline.check.recovering.rows import WHOLE
from sightline.check.recovering.scores import (
    doubled,
)
from sightline.check.recovering.soft import Shares, soft_cross_entropy
from sightline.recipes.recognised import Recognised, recognise

SOLVE_SECONDS = 20.0
LOSS_ROWS = 4096  # rows on which the loss is recognised
EPOCH_BATCHES = 400  # passes over which the loss on all data is averaged, at most
EXACT_SIZE = 400  # parameters up to which the whole Hessian is formed


class WithLoss(Differentiated):
    """A training whose loss is known as a function of the scores."""

    turned = False  # the loss was given the opposite of the labels

    @cached_property
    def recognised(self) -> Recognised | None:
        """Which loss of the scores the data's term is; None where it is none that Sightline has."""
        found = self.loss_of_scores()
        if found is None:
            return None
        function, y, shape, _ = found
        with contextlib.suppress(Exception):
            known = recognise(function, y, shape, "identity", torch.float64)
            opposite = opposite_of(y) if known is None else None
            if opposite is None:
                return known
            # (1 - y) or -y was what the loss was given first: log(1 - p) (1 - y), softplus(-y z).
            turned = lambda z, given: function(z, opposite(given))  # noqa: E731
            known = recognise(turned, opposite(y), shape, "identity", torch.float64)
            self.turned = known is not None
            return known
        return None

    @cached_property
    def soft(self) -> Shares | None:
        """Where the loss is cross-entropy with a share of each class for each row: these shares."""
        if self.recognised is not None or self.linear is None or self.linear.outputs < 2:
            return None
        found = self.loss_of_scores()
        with contextlib.suppress(Exception):
            return None if found is None else soft_cross_entropy(found[0], found[1], found[2], found[3])
        return None

    def loss_of_scores(
        self, target: Tensor | None = None, at: int | None = None
    ) -> tuple[Callable[[Tensor, Tensor], Tensor], Tensor, tuple[int, ...], Tensor] | None:
        """The data's term as a function of (scores, targets): (function, targets, shape of the scores, row numbers).

        It is that of some passes, one after another, which the row numbers name.  target : others for all rows,
        (n, ...), in place of the script's.  at : a slot past the scores, on the way to the loss, to be varied in their
        place; the shape is then that of its value.
        """
        if self.scores is None or self.rows is None or self.linear is None or self.scores.target is None:
            return None
        slot = self.scores.target
        program, scores, rows = self.program, self.scores, self.rows
        n = rows.n
        if rows.how == WHOLE:
            groups = [torch.arange(n)]
        else:
            groups, seen = [], 0
            for batch in rows.batches:
                groups.append(batch)
                seen += len(batch)
                if seen >= min(LOSS_ROWS, 2 * n) or len(groups) >= 64:
                    break
        which = torch.cat(groups)
        y_all = rows.values[slot] if target is None else target
        leading = self._leads & set(program.inputs)
        single = rows.how == "stacked"
        varied = scores.slot if at is None else at
        base = doubled(rows.values)
        y = (y_all if target is None else target)[which] if slot in leading else y_all
        others = doubled(dict(self.probe))

        def value(z: Tensor, given: Tensor) -> Tensor:
            copies = max(len(z) // len(which), 1)
            parts = z.reshape(copies, len(which), *z.shape[1:])
            ys = given.reshape(copies, len(which), *given.shape[1:]) if slot in leading else given
            total, begin = torch.zeros((), dtype=torch.float64), 0
            for group in groups:
                stop = begin + len(group)
                piece = parts[:, begin:stop].reshape(-1, *z.shape[1:])
                mine = ys[:, begin:stop].reshape(-1, *given.shape[1:]) if slot in leading else given
                inputs = {
                    s: (base[s][group].repeat(copies, *[1] * (base[s].ndim - 1)) if s in leading else base[s])
                    for s in program.inputs
                }
                if single:
                    inputs = {s: v[0] if s in leading else v for s, v in inputs.items()}
                    piece, mine = piece[0], mine[0] if slot in leading else mine
                inputs[slot] = mine
                inputs |= {s: torch.arange(len(piece)).to(base[s]) for s in rows.positions}
                out = program.run({**others, **inputs, varied: piece}, [scores.data.slot])[0]
                total = total + scores.data.factor * out.sum()
                begin = stop
            return total / len(groups)

        inner = self.linear.shape[1:]
        if at is not None and not single:
            inner = tuple(program.shapes[at])[1:]
        return value, y, (len(which), *inner), which


def opposite_of(y: Tensor) -> Callable[[Tensor], Tensor] | None:
    """What turns labels of two classes into each other's; None for other targets."""
    if not y.is_floating_point() and y.dtype != torch.long:
        return None
    values = set(y.unique().tolist())
    if values <= {0.0, 1.0}:
        return lambda labels: 1 - labels
    return (lambda labels: -labels) if values <= {-1.0, 1.0} else None
