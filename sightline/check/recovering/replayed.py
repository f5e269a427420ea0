"""A training that can be run again: its program, weights and rows, and the scores in it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from sightline.check.program import Program
from sightline.check.recovering.design import LinearScores, composed, linear_scores
from sightline.check.recovering.rows import Rows, join, row_inputs
from sightline.check.recovering.scores import (
    LAST_LAYER,
    Scores,
    added_inputs,
    find_scores,
)
from sightline.check.watching.stretch import Stretch

SOLVE_SECONDS = 20.0
LOSS_ROWS = 4096  # rows on which the loss is recognised
EPOCH_BATCHES = 400  # passes over which the loss on all data is averaged, at most
EXACT_SIZE = 400  # parameters up to which the whole Hessian is formed


class Replayed:
    """The training of one stretch, replayable.

    ``weights``, ``start`` : values of the program's parameters at the end and at the first backward pass, by slot.
    """

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        first = next((b.program for b in stretch.beats if b.program is not None), None)
        self.whole_program: Program | None = first

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

    def variable(self, slot: int, other: str) -> str:
        """What the person's code calls an input that holds all rows, ``other`` where it has no name there."""
        assert self.whole_program is not None
        if slot not in self.whole_program.values:
            return other
        wanted = self.whole_program.values[slot]
        for name, value in self.stretch.namespace.items():
            if isinstance(value, Tensor) and value.shape == wanted.shape and value.dtype == wanted.dtype:
                with contextlib.suppress(Exception):
                    if torch.equal(value.detach(), wanted):
                        return name
        return other

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

    @cached_property
    def _leads(self) -> set[int]:
        """Inputs with one row for each of the scores'."""
        assert self.rows is not None
        return {s for s, v in self.rows.values.items() if v.ndim and v.shape[0] == self.rows.n}

    @cached_property
    def dtype(self) -> torch.dtype:
        """Of the parameters."""
        return next((p.dtype for p in self.stretch.parameters), torch.float32)
