"""One training and the convex problem in it: what the rules ask.  Each thing is found when it is first asked for."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sightline.certificate import Certificate
from sightline.check.program import Program
from sightline.check.recovering.design import LinearScores, composed, flat, linear_scores
from sightline.check.recovering.penalty import ABSOLUTE, SQUARED, Penalties, penalty_term
from sightline.check.recovering.rows import WHOLE, Rows, join, row_inputs
from sightline.check.recovering.scores import (
    LAST_LAYER,
    STACK,
    Scores,
    added_inputs,
    doubled,
    find_scores,
    parameters_of,
)
from sightline.check.recovering.soft import Shares, expanded, soft_cross_entropy
from sightline.check.watching.stretch import Stretch
from sightline.data import make_data
from sightline.losses import Loss, Softmax
from sightline.objective import Weights
from sightline.penalties import NONE, Penalty
from sightline.recipes import decay
from sightline.recipes.minimised import Minimised
from sightline.recipes.objective import RecipeObjective
from sightline.recipes.recognised import Recognised, recognise

SOLVE_SECONDS = 20.0
LOSS_ROWS = 4096  # rows on which the loss is recognised
EPOCH_BATCHES = 400  # passes over which the loss on all data is averaged, at most
EXACT_SIZE = 400  # parameters up to which the whole Hessian is formed


class Recovered:
    """The training of one stretch, replayable.

    ``weights``, ``start`` : values of the program's parameters at the end and at the first backward pass, by slot.
    """

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        first = next((b.program for b in stretch.beats if b.program is not None), None)
        self.whole_program: Program | None = first
        self.turned = False  # the loss was given the opposite of the labels

    # ------------------------------------------------------------------------------------------------ the program

    def at(self, weights: Sequence[Tensor]) -> dict[int, Tensor]:
        """Weights in the order of ``stretch.parameters``, by slot of the program."""
        assert self.whole_program is not None
        owners = self._owners
        return {s: weights[i] for s, i in owners.items() if i < len(weights)}

    @cached_property
    def _owners(self) -> dict[int, int]:
        """Slot -> place among the stretch's parameters."""
        assert self.whole_program is not None
        program, stretch = self.whole_program, self.stretch
        places = {id(p): i for i, p in enumerate(stretch.parameters)}
        found = {s: places[id(leaf)] for s, leaf in program.leaves.items() if id(leaf) in places}
        if len(found) == len(program.leaves):
            return found
        return {s: i for i, s in enumerate(program.parameters)}  # re-created each step: by their order

    @cached_property
    def weights(self) -> dict[int, Tensor]:
        """At the end."""
        return self.at(self.stretch.weights())

    @cached_property
    def start(self) -> dict[int, Tensor]:
        """At the first backward pass."""
        return self.at(self.stretch.start)

    @cached_property
    def probe(self) -> dict[int, Tensor]:
        """Finite weights at which the program is looked at: those of the end, or of the start where they are not."""
        finite = all(bool(torch.isfinite(w).all()) and float(w.abs().max() if w.numel() else 0) < 1e15
                     for w in self.weights.values())  # fmt: skip
        return self.weights if finite else self.start

    def name(self, slot: int) -> str:
        """What the person's code calls a parameter."""
        place = self._owners.get(slot)
        names = self.stretch.names
        return names[place] if place is not None and place < len(names) else f"parameter {slot}"

    @cached_property
    def entries(self) -> list[list[Tensor]]:
        """Inputs of the program in each pass that was kept."""
        assert self.whole_program is not None
        wanted = len(self.whole_program.inputs)
        kept = [e for e in self.stretch.batches.entries if len(e) == wanted]
        return kept or [[self.whole_program.values[s] for s in self.whole_program.inputs]]

    @cached_property
    def held(self) -> set[int]:
        """Inputs that hold rows."""
        assert self.whole_program is not None
        return row_inputs(self.whole_program, self.entries) - added_inputs(self.whole_program)

    @cached_property
    def scores(self) -> Scores | None:
        """Where the scores are; None where nothing linear was found."""
        if self.whole_program is None:
            return None
        with contextlib.suppress(Exception):
            return find_scores(self.whole_program, self.probe, self.held)
        return None

    @property
    def program(self) -> Program:
        """The program in which ``scores`` are: cut before the last layer where the model is not linear."""
        assert self.scores is not None
        return self.scores.program

    @cached_property
    def rows(self) -> Rows | None:
        """All rows, joined."""
        if self.scores is None or self.whole_program is None:
            return None
        entries: list[list[Tensor]] = self._with_equal_additions()
        held = self.held
        if self.scores.kind == LAST_LAYER:
            entries = self._frozen(entries)
            held = held | {s for s in self.program.inputs if s not in self.whole_program.inputs}
        with contextlib.suppress(Exception):
            return join(self.program, entries, self.scores.slot, self.probe, held)
        return None

    def _with_equal_additions(self) -> list[list[Tensor]]:
        """Inputs of each pass; numbers that are only added to the loss are those of the first pass."""
        assert self.whole_program is not None
        added = added_inputs(self.whole_program)
        if not added:
            return self.entries
        first = self.entries[0]
        at = [i for i, s in enumerate(self.whole_program.inputs) if s in added]
        return [[first[i] if i in at else value for i, value in enumerate(entry)] for entry in self.entries]

    def _frozen(self, entries: list[list[Tensor]]) -> list[list[Tensor]]:
        """Passes with the features of the last layer, computed with the weights of the end."""
        whole = self.whole_program
        assert whole is not None
        done: dict[int, list[Tensor]] = {}
        answer = []
        with torch.no_grad(), torch.random.fork_rng():
            for entry in entries:
                key = id(entry[0])
                if key not in done:
                    given = dict(zip(whole.inputs, entry))
                    made = whole.run({**self.probe, **given}, list(self.program.inputs))
                    done[key] = [m.detach() for m in made]
                answer.append(done[key])
        return answer

    # ------------------------------------------------------------------------------------------ scores and targets

    @cached_property
    def linear(self) -> LinearScores | None:
        """The design matrix (n, p) and where the coefficients are."""
        if self.scores is None or self.rows is None:
            return None
        with contextlib.suppress(Exception):
            return linear_scores(self.scores, self.rows.values, self.probe)
        return None

    @cached_property
    def y(self) -> Tensor | None:
        """The targets of all rows, as the loss was given them."""
        if self.scores is None or self.rows is None or self.scores.target is None:
            return None
        return self.rows.values[self.scores.target].cpu()

    def z(self, weights: Mapping[int, Tensor]) -> Tensor | None:
        """Scores (n, K) float64 of all rows."""
        if self.linear is None or self.scores is None or self.rows is None:
            return None
        return composed(self.scores, self.linear, self.rows.values, weights)

    def value(self, slot: int, weights: Mapping[int, Tensor]) -> Tensor | None:
        """Any value of the program for all rows at some weights; None where it cannot be had for all at once."""
        if self.rows is None:
            return None
        with contextlib.suppress(Exception), torch.no_grad(), torch.random.fork_rng():
            return self.program.run({**self.rows.values, **weights}, [slot])[0].detach()
        return None

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
                float(self.whole_program.run({**doubled(b), **doubled(dict(weights))})[0].double().sum()) for b in batches
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

    @cached_property
    def recognised(self) -> Recognised | None:
        """Which loss of the scores the data's term is; None where it is none that Sightline has."""
        found = self.loss_of_scores()
        if found is None:
            return None
        function, y, shape, _ = found
        with contextlib.suppress(Exception):
            known = recognise(function, y, shape, "identity", torch.float64)
            opposite = _opposite(y) if known is None else None
            if opposite is None:
                return known
            # (1 - y) or -y was what the loss was given first: log(1 - p) (1 - y), softplus(-y z).
            known = recognise(lambda z, given: function(z, opposite(given)), opposite(y), shape, "identity", torch.float64)
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
        leading = {s for s in program.inputs if rows.values[s].ndim and rows.values[s].shape[0] == n and s in self._leads}
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

    @cached_property
    def _leads(self) -> set[int]:
        """Inputs with one row for each of the scores'."""
        assert self.rows is not None
        return {s for s, v in self.rows.values.items() if v.ndim and v.shape[0] == self.rows.n}

    # ------------------------------------------------------------------------------------------------ the penalty

    @cached_property
    def penalties(self) -> Penalties:
        """Terms of the loss and weight decay."""
        program = self.whole_program
        if program is None or self.scores is None:
            return Penalties()
        found = tuple(penalty_term(self.program, t, self.probe) for t in self.scores.penalties)
        l2: dict[int, float] = {}
        l1: dict[int, float] = {}
        for term in found:
            into = l2 if term.kind == SQUARED else l1 if term.kind == ABSOLUTE else None
            if into is not None:
                for s, strength in term.strengths.items():
                    into[s] = into.get(s, 0.0) + strength
        decays, decoupled = self._decay()
        if not decoupled:
            for s, strength in decays.items():
                l2[s] = l2.get(s, 0.0) + strength
        return Penalties(l2, l1, decays, decoupled, found)

    def _decay(self) -> tuple[dict[int, float], bool]:
        found: dict[int, float] = {}
        decoupled = False
        for seen in self.stretch.optimizers:
            of = {id(p): float(g.get("weight_decay", 0) or 0) for g in seen.optimizer.param_groups for p in g["params"]}
            for s, place in self._owners.items():
                strength = of.get(id(self.stretch.parameters[place]), 0.0)
                if strength:
                    found[s] = strength
                    decoupled |= decay.effect(seen.optimizer) == decay.DECOUPLED
        return found, decoupled

    # ------------------------------------------------------------------------------------------ the convex problem

    @cached_property
    def minimised(self) -> Minimised | str:
        """The convex problem that the training was solving, or why there is none, as a sentence."""
        return self.penalised(self.penalties)

    def penalised(self, penalties: Penalties) -> Minimised | str:
        """The training's own loss of the scores with these penalties as a convex problem, or why there is none."""
        if self.whole_program is None:
            return "no backward pass was seen whose computation could be followed."
        if self.scores is None or self.linear is None:
            return "the scores are not a linear function of the rows."
        if self.soft is not None:
            return self.problem(Softmax(), self.soft.labels, self.soft.factor, penalties, shares=self.soft)
        if self.recognised is None:
            return "the loss is none of those whose optimum can be certified."
        found = self.recognised
        return self.problem(found.loss, self._all(found), found.factor, penalties, found.difference)

    def _all(self, found: Recognised) -> Tensor:
        """The recognised loss's coding of the targets of all rows."""
        assert self.y is not None and self.rows is not None
        opposite = _opposite(self.y) if self.turned else None
        y = self.y if opposite is None else opposite(self.y)
        if found.loss.targets == "binary" and not getattr(found.loss, "soft", False):
            real = y.reshape(len(y)).double() if y.numel() == len(y) else y.double()
            return real if bool((real < 0).any()) else 2 * real - 1
        if found.loss.targets == "classes" and y.ndim > 1:
            return y.argmax(1)
        return y.reshape(len(y)) if y.numel() == len(y) else y

    def problem(
        self, loss: Loss, y: Tensor, factor: float, penalties: Penalties | None = None, difference: bool = False,
        shares: Shares | None = None, row_weights: Tensor | None = None,
    ) -> Minimised | str:
        """factor · mean loss(scores, y) + penalties as a convex problem, or why it is none.

        y : (n,) coded -1, 1 for losses of two classes, 0 .. K-1 for softmax; (n, K) for several targets.
        difference : the score is the second of two columns less the first.  row_weights : (n,) of all rows; those of the
        recognised loss where none are given.
        """
        linear, rows = self.linear, self.rows
        if linear is None or rows is None:
            return "the scores are not a linear function of the rows."
        penalties = penalties if penalties is not None else Penalties()
        if penalties.unknown:
            return "a term of the loss is a penalty other than squares or absolute values."
        factor = factor * self.passes_a_step
        strengths = self._strengths(linear, penalties)
        if isinstance(strengths, str):
            return strengths
        l2, l1, on_bias = (s / factor for s in strengths)
        if difference and (l2 or l1 or on_bias):
            return "a penalty on both of two columns of scores is not one on their difference."
        classes: list[int] | None = None
        if loss.targets == "binary" and not getattr(loss, "soft", False):
            classes = [-1, 1]
        elif loss.targets == "classes":
            classes = list(range(linear.outputs))
        weight = rows.multiplicity
        unlike = self.recognised.row_weights if self.recognised is not None else None
        if row_weights is not None:
            weight = row_weights if weight is None else weight * row_weights
        elif unlike is not None and rows.how == WHOLE and len(unlike) == rows.n:
            weight = unlike if weight is None else weight * unlike
        offset = None
        if linear.constant is not None:
            if linear.outputs > 1 or loss.targets not in ("real", "counts"):
                return "the scores have a part that is not trained."
            offset = linear.constant[:, 0]
        target = y
        if offset is not None and loss.targets == "real" and loss.name == "squared":
            target, offset = y - offset, None
        X = linear.X
        if shares is not None:
            X, target, weight = expanded(shares, X, weight)
        try:
            data = make_data(X, target, loss, classes=classes, sample_weight=weight, offset=offset)
        except ValueError as error:
            return f"the data make no problem with an optimum: {error}"
        penalty: Penalty = Penalty(l1=l1, l2=l2) if l1 or l2 else NONE
        objective = RecipeObjective(data, loss, penalty, linear.has_bias, on_bias if linear.has_bias else 0.0)
        return Minimised(objective, factor, loss.name, difference=difference, time_limit=SOLVE_SECONDS)

    @cached_property
    def passes_a_step(self) -> float:
        """Backward passes whose gradients one update takes, 1 but where they are added up on purpose."""
        stretch = self.stretch
        updates = stretch.counts.get("step", 0)
        if not updates or any(type(o.optimizer).__name__ == "LBFGS" for o in stretch.optimizers):
            return 1.0
        ratio = stretch.backwards / updates
        return float(round(ratio)) if ratio > 1.5 else 1.0

    def _strengths(self, linear: LinearScores, penalties: Penalties) -> tuple[float, float, float] | str:
        """L2 and L1 strength on the coefficients and L2 on the bias, in the units of the script's loss."""
        if not penalties.l1 and not penalties.l2:
            return 0.0, 0.0, 0.0
        if linear.where is None:
            return "a penalty acts on layers in a row, which is none on the linear model that they make together."
        of = torch.zeros(2, sum(self.program.leaves[s].numel() for s in linear.slots), dtype=torch.float64)
        begin = 0
        for s in linear.slots:
            end = begin + self.program.leaves[s].numel()
            of[0, begin:end], of[1, begin:end] = penalties.l2.get(s, 0.0), penalties.l1.get(s, 0.0)
            begin = end
        on = of[:, linear.where.reshape(-1)]
        if on.shape[1] and float((on.amax(1) - on.amin(1)).max()) > 0:
            return "the penalty holds some coefficients and not others."
        l2, l1 = (float(v) for v in on[:, 0]) if on.shape[1] else (0.0, 0.0)
        on_bias, l1_bias = (0.0, 0.0) if linear.bias is None else (float(v) for v in of[:, linear.bias[0]])
        if l1_bias:
            return "the absolute value of the bias is penalised too."
        return l2, l1, on_bias

    def weights_in(self, minimised: Minimised, weights: Mapping[int, Tensor]) -> Weights:
        """The training's weights as the convex problem has them."""
        linear = self.linear
        assert linear is not None and self.scores is not None and self.rows is not None
        if self.scores.kind == STACK:
            W, b = self._of_stack(weights)
        else:
            W, b = linear.weights(flat(self.program, weights, linear.slots))
        if minimised.difference:
            W, b = W[1:] - W[:1], b[1:] - b[:1]
        if minimised.objective.outputs is None:
            return Weights(W[0], b.reshape(-1)[0])
        return Weights(W.T.contiguous(), b)

    def _of_stack(self, weights: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
        """(W, b) of layers in a row: the affine map through their scores on the rows."""
        linear = self.linear
        assert linear is not None
        z = self.z(weights)
        assert z is not None
        ones = torch.ones(len(linear.X), 1, dtype=torch.float64)
        found = torch.linalg.lstsq(torch.cat([linear.X, ones], 1), z, driver="gelsd").solution
        return found[:-1].T, found[-1]

    @cached_property
    def certificate(self) -> Certificate | None:
        """How far the training's weights are from the optimum of ``minimised``."""
        if isinstance(self.minimised, str):
            return None
        with contextlib.suppress(Exception):
            return self.minimised.certificate(self.weights_in(self.minimised, self.weights), self.dtype)
        return None

    @cached_property
    def dtype(self) -> torch.dtype:
        """Of the parameters."""
        return next((p.dtype for p in self.stretch.parameters), torch.float32)


def _opposite(y: Tensor) -> Callable[[Tensor], Tensor] | None:
    """What turns labels of two classes into each other's; None for other targets."""
    if not y.is_floating_point() and y.dtype != torch.long:
        return None
    values = set(y.unique().tolist())
    if values <= {0.0, 1.0}:
        return lambda labels: 1 - labels
    return (lambda labels: -labels) if values <= {-1.0, 1.0} else None


def with_loss(found: Minimised, **changes: Any) -> Minimised:
    """The same problem with another sentence or factor."""
    return replace(found, **changes)


__all__ = ["Recovered", "parameters_of", "with_loss"]
