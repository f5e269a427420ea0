"""The script's own loss on its own rows, with derivatives and curvature, whatever the loss is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from sightline.check.recovering.replayed import Replayed
from sightline.check.recovering.rows import WHOLE
from sightline.check.recovering.scores import (
    doubled,
)

SOLVE_SECONDS = 20.0
LOSS_ROWS = 4096  # rows on which the loss is recognised
EPOCH_BATCHES = 400  # passes over which the loss on all data is averaged, at most
EXACT_SIZE = 400  # parameters up to which the whole Hessian is formed


class Differentiated(Replayed):
    """A training whose loss can be asked for at any weights."""

    # ---------------------------------------------------------------------------------------------------- the loss

    @cached_property
    def passes(self) -> list[dict[int, Tensor]]:
        """Inputs of the passes of one epoch (of a part of it, where it is long)."""
        if self.rows is not None and self.rows.how == WHOLE:
            return [dict(self.rows.values)]
        wanted = self.rows.n if self.rows is not None else None
        program = self.whole_program
        assert program is not None
        kept, rows = [], 0
        for entry in self.entries:
            kept.append(dict(zip(program.inputs, entry)))
            if self.rows is not None:
                rows += len(self.rows.batches[len(kept) - 1]) if len(kept) <= len(self.rows.batches) else 1
            if len(kept) >= EPOCH_BATCHES or (wanted is not None and rows >= wanted):
                break
        return kept

    def loss(self, weights: Mapping[int, Tensor], inputs: Mapping[int, Tensor] | None = None) -> float:
        """The script's own loss: of one pass, or the mean over an epoch's."""
        assert self.whole_program is not None
        batches = [inputs] if inputs is not None else self.passes
        with torch.no_grad(), torch.random.fork_rng():
            values = [
                float(self.whole_program.run({**doubled(b), **doubled(dict(weights))})[0].double().sum())
                for b in batches
            ]
        return math.fsum(values) / len(values)

    def gradient(self, weights: Mapping[int, Tensor], inputs: Mapping[int, Tensor] | None = None) -> dict[int, Tensor]:
        """Derivative of ``loss`` in each parameter, float64."""
        assert self.whole_program is not None
        batches = [inputs] if inputs is not None else self.passes
        total: dict[int, Tensor] = {}
        for batch in batches:
            leaves = {s: w.requires_grad_() for s, w in doubled(dict(weights)).items()}
            with torch.enable_grad(), torch.random.fork_rng():
                value = self.whole_program.run({**doubled(batch), **leaves})[0].sum()
                made = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
            for s, g in zip(leaves, made):
                piece = torch.zeros_like(weights[s], dtype=torch.float64) if g is None else g
                total[s] = total.get(s, 0) + piece / len(batches)
        return total

    def curvatures(self, weights: Mapping[int, Tensor], inputs: Mapping[int, Tensor] | None = None) -> Tensor | None:
        """Eigenvalues of the Hessian of ``loss``, rising; the largest alone where there are many parameters."""
        assert self.whole_program is not None
        program = self.whole_program
        slots = list(program.parameters)
        size = sum(program.leaves[s].numel() for s in slots)
        batches = [inputs] if inputs is not None else self.passes[:50]
        prepared = [doubled(b) for b in batches]

        def product(v: Tensor) -> Tensor:
            total = torch.zeros(size, dtype=torch.float64)
            for batch in prepared:
                leaves = {s: w.requires_grad_() for s, w in doubled(dict(weights)).items() if s in slots}
                order = [leaves[s] for s in slots]
                with torch.enable_grad(), torch.random.fork_rng():
                    value = program.run({**batch, **leaves})[0].sum()
                    first = torch.autograd.grad(value, order, create_graph=True, allow_unused=True)
                    joined = torch.cat([
                        (torch.zeros_like(p) if g is None else g).reshape(-1) for g, p in zip(first, order)
                    ])
                    if not joined.requires_grad:
                        return total
                    second = torch.autograd.grad(joined @ v, order, allow_unused=True)
                total += torch.cat([
                    (torch.zeros_like(p) if g is None else g).reshape(-1) for g, p in zip(second, order)
                ]) / len(prepared)
            return total

        try:
            if size <= EXACT_SIZE and size * len(prepared) <= 20_000:
                H = torch.stack([product(e) for e in torch.eye(size, dtype=torch.float64)])
                H = (H + H.T) / 2
                return torch.linalg.eigvalsh(H) if bool(torch.isfinite(H).all()) else None
            generator = torch.Generator().manual_seed(0)
            v = torch.randn(size, generator=generator, dtype=torch.float64)
            top = 0.0
            for _ in range(30):
                v = v / v.norm()
                v_next = product(v)
                old, top = top, float(v @ v_next)
                v = v_next
                if not math.isfinite(top) or abs(top - old) <= 1e-3 * abs(top):
                    break
            return torch.tensor([top], dtype=torch.float64) if math.isfinite(top) else None
        except Exception:
            return None
