"""What is added to the loss for the weights' sake: terms of the loss, and the optimizer's weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sightline.check.program import Program
from sightline.check.recovering.scores import Term, doubled
from sightline.check.watching.places import Spot

SQUARED, ABSOLUTE, NORM, DETACHED, CONSTANT, OTHER = "squared", "absolute", "norm", "detached", "constant", "other"


@dataclass(frozen=True)
class PenaltyTerm:
    """A term of the loss in which no rows take part.

    kind : "squared" (½ s w²), "absolute" (s |w|), "norm" (s ‖w‖, not squared), "detached" (its value depends on the
    weights, its gradient is zero), "constant", "other".  strengths : s by parameter slot, times the term's factor.
    value : at the weights asked for, times the factor.
    """

    kind: str
    strengths: Mapping[int, float]
    value: float
    at: Spot | None
    term: Term


@dataclass(frozen=True)
class Penalties:
    """All of it.  l2, l1 : strength by parameter slot, terms of the loss and coupled weight decay together.

    decay : the optimizer's weight decay alone, by slot.  decoupled : it is not a penalty (AdamW).  terms : of the loss.
    """

    l2: dict[int, float] = field(default_factory=dict)
    l1: dict[int, float] = field(default_factory=dict)
    decay: dict[int, float] = field(default_factory=dict)
    decoupled: bool = False
    terms: tuple[PenaltyTerm, ...] = ()

    @property
    def unknown(self) -> tuple[PenaltyTerm, ...]:
        """Terms that are neither squared nor absolute values."""
        return tuple(t for t in self.terms if t.kind in (NORM, OTHER))


def penalty_term(program: Program, term: Term, weights: Mapping[int, Tensor]) -> PenaltyTerm:
    """What kind of penalty a term is, by its derivative at random weights."""
    slots = [s for s in program.parameters if s in program.before(term.slot)]
    step = program.producer(term.slot)
    at = None if step is None else step.at
    base = doubled(dict(weights))
    fixed = doubled({s: program.values[s] for s in program.inputs})
    value = term.factor * float(program.run({**fixed, **base}, [term.slot])[0].sum())
    generator = torch.Generator().manual_seed(0)
    seen: list[tuple[dict[int, Tensor], dict[int, Tensor], float]] = []
    for size in (0.3, 1.0, 3.0):
        drawn = {s: size * torch.randn(base[s].shape, generator=generator, dtype=torch.float64) for s in slots}
        leaves = {s: v.requires_grad_() for s, v in drawn.items()}
        with torch.enable_grad():
            h = program.run({**fixed, **base, **leaves}, [term.slot])[0].sum()
            if h.requires_grad:
                made = torch.autograd.grad(h, list(leaves.values()), allow_unused=True)
            else:
                made = ()
        slopes = {s: torch.zeros_like(v) for s, v in leaves.items()}
        slopes |= {s: g for s, g in zip(leaves, made) if g is not None}
        seen.append(({s: v.detach() for s, v in leaves.items()}, slopes, float(h.detach())))
    if not any(bool(g.any()) for _, slopes, _ in seen for g in slopes.values()):
        moved = max(h for *_, h in seen) - min(h for *_, h in seen)
        kind = DETACHED if slots and abs(moved) > 1e-9 * max(abs(h) for *_, h in seen) else CONSTANT
        return PenaltyTerm(kind, {}, value, at, term)
    for kind in (SQUARED, ABSOLUTE, NORM):
        strengths = {s: _strength(kind, s, seen) for s in slots}
        if all(v is not None for v in strengths.values()):
            return PenaltyTerm(kind, {s: term.factor * (v or 0.0) for s, v in strengths.items()}, value, at, term)
    return PenaltyTerm(OTHER, {}, value, at, term)


def _strength(kind: str, slot: int, seen: list[tuple[dict[int, Tensor], dict[int, Tensor], float]]) -> float | None:
    """s where the derivative is s w, s sign w, or s w / ‖w‖ at all the weights seen; None elsewhere."""
    found = []
    for weights, slopes, _ in seen:
        w, g = weights[slot], slopes[slot]
        if kind == SQUARED:
            unit = w
        elif kind == ABSOLUTE:
            unit = w.sign()
        else:
            every = torch.cat([v.reshape(-1) for s, v in weights.items() if bool(slopes[s].any())] or [w.reshape(-1)])
            unit = w / every.norm()
        s = float((g * unit).sum() / unit.square().sum())
        if not bool((g - s * unit).abs().max() <= 1e-9 * (g.abs().max() + 1e-300)):
            if kind != NORM:
                return None
            unit = w / w.norm()  # a norm of each parameter by itself
            s = float((g * unit).sum())
            if not bool((g - s * unit).abs().max() <= 1e-9 * (g.abs().max() + 1e-300)):
                return None
        found.append(s)
    return found[0] if max(found) - min(found) <= 1e-9 * max(abs(f) for f in found) + 1e-300 else None
