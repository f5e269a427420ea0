"""One training and the convex problem in it: what the rules ask.  Each thing is found when it is first asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from sightline.certificate import Certificate
from sightline.check.recovering.design import LinearScores, flat
from sightline.check.recovering.penalty import ABSOLUTE, SQUARED, Penalties, penalty_term
from sightline.check.recovering.recognising import WithLoss, opposite_of
from sightline.check.recovering.rows import WHOLE
from sightline.check.recovering.scores import (
    STACK,
)
from sightline.check.recovering.soft import Shares, expanded
from sightline.data import make_data
from sightline.losses import Loss, Softmax
from sightline.objective import Weights
from sightline.penalties import NONE, Penalty
from sightline.recipes import decay
from sightline.recipes.minimised import Minimised
from sightline.recipes.objective import RecipeObjective
from sightline.recipes.recognised import Recognised

SOLVE_SECONDS = 20.0
LOSS_ROWS = 4096  # rows on which the loss is recognised
EPOCH_BATCHES = 400  # passes over which the loss on all data is averaged, at most
EXACT_SIZE = 400  # parameters up to which the whole Hessian is formed


class Recovered(WithLoss):
    """The training of one stretch, replayable, with the convex problem that it was solving.

    ``weights``, ``start`` : values of the program's parameters at the end and at the first backward pass, by slot.
    """

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
        opposite = opposite_of(self.y) if self.turned else None
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
        difference : the score is the second of two columns less the first.  row_weights : (n,) of all rows; those of
        the
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
        unlike = self._weights_of_rows if row_weights is None else row_weights
        if isinstance(unlike, str):
            return unlike
        if unlike is not None:
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
    def _weights_of_rows(self) -> Tensor | str | None:
        """Weight of each row in the script's loss, (n,); None where all count alike, a sentence where it is not known.

        In a mean over a batch a row counts by its weight over the batch's rows, so that number is taken out again: a
        last short batch weighs no row more where rows are shuffled.
        """
        found, rows = self.recognised, self.rows
        if found is None or rows is None:
            return None
        if rows.how == WHOLE:
            unlike = found.row_weights
            return unlike if unlike is not None and len(unlike) == rows.n else None
        asked = self.loss_of_scores()
        if asked is None or len(asked[3]) != len(found.shares):
            return None
        which, lengths, left = asked[3], [], len(asked[3])
        for batch in rows.batches:
            if left <= 0:
                break
            lengths += [len(batch)] * len(batch)
            left -= len(batch)
        each = found.shares.double() * (1.0 if found.total else torch.tensor(lengths, dtype=torch.float64))
        if float(each.max()) - float(each.min()) <= 1e-4 * float(each.max()):
            return None
        seen = torch.bincount(which, minlength=rows.n).double()
        if bool((seen == 0).any()):
            return "rows count differently in the loss, and the weights of some were not seen."
        return torch.zeros(rows.n, dtype=torch.float64).index_add_(0, which, each) / seen

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
