"""What the rules are asked about: the recording, the script's text, and each training with its problem."""

from __future__ import annotations

import ast
import linecache
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any

from sightline.check.finding import Place
from sightline.check.recovering.recovered import Recovered
from sightline.check.watching.operations import Failure
from sightline.check.watching.places import Spot, is_own, place
from sightline.check.watching.recorder import Recording
from sightline.check.watching.stretch import Stretch

FEW = 20  # trainings of one script that are looked at


@dataclass
class Evidence:
    """One script as it was seen.

    recording : all that was recorded.  script : its file, '' where there is none (a notebook's cell).
    """

    recording: Recording
    script: str = ""
    attempt: bool = True
    notes: list[str] = field(default_factory=list)

    @cached_property
    def source(self) -> str:
        """The script's text, '' where it cannot be read."""
        return "".join(linecache.getlines(self.script)) if self.script else ""

    @cached_property
    def tree(self) -> ast.Module:
        """The script's syntax tree, empty where there is none."""
        try:
            return ast.parse(self.source)
        except (SyntaxError, ValueError):
            return ast.Module(body=[], type_ignores=[])

    @cached_property
    def trainings(self) -> list[Recovered]:
        """The trainings, the longest first.

        Of those that are the same but for their recipe, as in a search for a learning rate, the longest stands for all:
        the last of them where they are as long.
        """
        alike: dict[tuple[object, ...], Stretch] = {}
        for stretch in self.recording.stretches:
            program = next((b.program for b in stretch.beats if b.program is not None), None)
            names = () if program is None else tuple(step.name for step in program.instructions)
            key = (stretch.at, names, tuple(p.shape for p in stretch.parameters), _first_batch(stretch))
            if key not in alike or stretch.backwards >= alike[key].backwards:
                alike[key] = stretch
        stretches = sorted(alike.values(), key=lambda s: -s.backwards)
        return [Recovered(s) for s in stretches[:FEW]]

    @property
    def error(self) -> BaseException | None:
        """The error that the script ended in; None where it came to its end or was stopped."""
        return self.recording.error if self.recording.ending == "error" else None

    @property
    def message(self) -> str:
        """The error's own words."""
        return "" if self.error is None else str(self.error)

    @cached_property
    def failure(self) -> Failure | None:
        """The call of PyTorch that raised the error, with its arguments; None where another line did."""
        chain, seen = self.error, []
        while chain is not None:
            seen.append(chain)
            chain = chain.__cause__ or chain.__context__
        for failure in reversed(self.recording.failures):
            if any(failure.error is e for e in seen):
                return failure
        return None

    @cached_property
    def frames(self) -> list[tuple[Place, dict[str, Any]]]:
        """The person's own frames in the traceback, outermost first: the line and its local names."""
        found: list[tuple[Place, dict[str, Any]]] = []
        tb: TracebackType | None = None if self.error is None else self.error.__traceback__
        while tb is not None:
            code = tb.tb_frame.f_code
            if is_own(code.co_filename):
                where = place((code.co_filename, tb.tb_lineno, code.co_name))
                if where is not None:
                    found.append((where, {**tb.tb_frame.f_globals, **tb.tb_frame.f_locals}))
            tb = tb.tb_next
        return found

    @cached_property
    def where_it_failed(self) -> Place | None:
        """The innermost line of the person's own code in the traceback."""
        return self.frames[-1][0] if self.frames else None

    @cached_property
    def last_line(self) -> str:
        """The traceback's last line."""
        if self.error is None:
            return ""
        return "".join(traceback.format_exception_only(self.error)).strip().splitlines()[-1]

    def place(self, at: Spot | None) -> Place | None:
        """The line of code at a spot."""
        return place(at)

    def line(self, node: ast.AST) -> Place:
        """The line of code of a node of ``tree``."""
        number = getattr(node, "lineno", 1)
        return Place(os.path.relpath(self.script), number, linecache.getline(self.script, number).strip())

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Calls in the script of functions whose last name is one of these: ``SGD`` finds ``torch.optim.SGD(...)``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                if name in names:
                    yield node

    def call(self, *names: str) -> Place | None:
        """The line of the first such call."""
        for node in self.calls(*names):
            return self.line(node)
        return None

    def optimizer_line(self, training: Recovered) -> Place | None:
        """Where the training's optimizer is made, or its weights are updated by hand."""
        for seen in training.stretch.optimizers:
            if seen.at is not None:
                return place(seen.at)
        for beat in training.stretch.beats:
            for event in beat.events:
                if event.kind == "update":
                    return place(event.at)
        return None

    def loss_line(self, training: Recovered) -> Place | None:
        """Where the target meets the prediction, or else where ``backward`` is called."""
        scores = training.scores
        if scores is not None and scores.meeting is not None and scores.meeting.at is not None:
            return place(scores.meeting.at)
        return place(training.stretch.at)

    def model_line(self, training: Recovered) -> Place | None:
        """Where the scores are computed."""
        scores = training.scores
        step = None if scores is None else scores.program.producer(scores.slot)
        return place(step.at) if step is not None else place(training.stretch.at)


def _first_batch(stretch: Stretch) -> tuple[object, ...]:
    """What tells the rows of one training from another's: shape and sum of each input of its first pass."""
    entries = stretch.batches.entries
    return tuple((v.shape, float(v.double().sum())) for v in entries[0]) if entries else ()
