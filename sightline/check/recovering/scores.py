"""Which value of a program is the scores: what all that is trained passes through, and is still affine there.

A loss is first split into the terms that it is a sum of.  Terms in which rows take part are the data's, the others are
penalties.  In the data's term a *waist* is a value that everything trained passes through on its way to the loss; the
scores are the last waist that is affine in the parameters and that no target has met yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.check.program import Instruction, Program

Values = Mapping[int, Tensor]
AFFINE, STACK, LAST_LAYER = "affine", "stack of linear layers", "last layer"


@dataclass(frozen=True)
class Term:
    """``factor`` times the value of a slot, a summand of the loss."""

    slot: int
    factor: float


@dataclass(frozen=True)
class Scores:
    """Where the scores are in a program.

    kind : "affine" in the parameters; "stack of linear layers" (affine in the rows alone); "last layer" (the program is
    cut before its last layer, whose inputs are frozen features).
    slot : the scores.  prediction : the last waist before the target comes in, the scores after their link.
    meeting : the call where the target does.  target : its slot, None where none was found.
    features : inputs read on the way to the scores.  beside : other inputs read after them (row weights, ...).
    data, penalties : the terms of the loss.
    """

    program: Program
    kind: str
    slot: int
    prediction: int
    meeting: Instruction | None
    target: int | None
    features: tuple[int, ...]
    beside: tuple[int, ...]
    data: Term
    penalties: tuple[Term, ...]


def doubled(values: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """The same in float64 where they are floating."""
    return {k: v.detach().double() if v.is_floating_point() else v.detach() for k, v in values.items()}


def parameters_of(program: Program, weights: Sequence[Tensor], owners: Sequence[Tensor]) -> dict[int, Tensor]:
    """Values of the program's parameters: ``weights`` in the order of ``owners``, the leaves."""
    place = {id(p): w for p, w in zip(owners, weights)}
    return {s: place.get(id(leaf), leaf.detach()) for s, leaf in program.leaves.items()}


def terms(program: Program, rows: set[int]) -> tuple[list[Term], list[Term]]:
    """(terms of the data, penalties).  rows : the inputs that hold rows."""
    of_data: list[Term] = []
    penalties: list[Term] = []
    for term in _summands(program, program.loss, 1.0):
        (of_data if rows & program.before(term.slot) else penalties).append(term)
    return of_data, penalties


def added_inputs(program: Program) -> set[int]:
    """The inputs that are only added to the loss, or taken from it: they have no part in its gradient."""
    used: set[int] = set()
    for term in _summands(program, program.loss, 1.0):
        used |= program.before(term.slot)
    return set(program.inputs) - used


def _summands(program: Program, slot: int, factor: float) -> list[Term]:
    step = program.producer(slot)
    if step is None:
        return [Term(slot, factor)]
    trained = [s for s in step.sources if s not in program.inputs]
    name = step.name.strip("_")
    constant = _constant(program, step)
    if name in ("add", "radd", "iadd", "sub", "isub", "rsub") and step.kwargs.get("alpha", 1) == 1:
        sources = step.sources
        first, second = (1.0, -1.0) if name in ("sub", "isub") else (1.0, 1.0)
        if name == "rsub":
            first = -1.0
        signs = [first, second] if len(sources) == 2 else [first]
        found: list[Term] = []
        for s, sign in zip(sources, signs):
            if s in trained and _is_number(program, s):
                found += _summands(program, s, factor * sign)
        if len(found) and len(trained) == len([s for s in trained if _is_number(program, s)]):
            return found
        return [Term(slot, factor)]
    if name in ("neg",):
        return _summands(program, trained[0], -factor)
    if len(trained) == 1 and constant is not None and _is_number(program, trained[0]):
        if name in ("mul", "rmul", "imul", "multiply"):
            return _summands(program, trained[0], factor * constant)
        if name in ("div", "truediv", "itruediv", "divide") and step.sources[0] == trained[0] and constant:
            return _summands(program, trained[0], factor / constant)
    same = name in ("squeeze", "view", "reshape", "clone", "contiguous", "double", "float")
    if same and len(trained) == 1 and _is_number(program, trained[0]):
        return _summands(program, trained[0], factor)
    return [Term(slot, factor)]


def _is_number(program: Program, slot: int) -> bool:
    value = program.shapes.get(slot)
    return value is None or value.numel() == 1


def _constant(program: Program, step: Instruction) -> float | None:
    """The number that the one trained argument is combined with."""
    numbers = [a for a in step.args if isinstance(a, int | float)]
    single = [s for s in step.sources if s in program.inputs and program.values[s].numel() == 1]
    numbers += [float(program.values[s]) for s in single]
    return float(numbers[0]) if len(numbers) == 1 else None


def waists(program: Program, slot: int) -> list[int]:
    """The values that everything trained passes through on its way to ``slot``, in order; ``slot`` is the last."""
    needed = program.needed([slot])
    trained = program.after(program.parameters)
    last: dict[int, int] = {}
    for place in needed:
        for s in program.instructions[place].sources:
            last[s] = place
    live = {s for s in program.parameters if s in last}
    found = []
    for place in needed:
        step = program.instructions[place]
        live -= {s for s in step.sources if last[s] == place}
        live |= {s for s in step.outputs if s in trained and (s in last or s == slot)}
        if len(live) == 1 and next(iter(live)) in step.outputs:
            found.append(next(iter(live)))
    return found


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)


def is_affine(program: Program, moved: Values, fixed: Values, slot: int) -> bool:
    """Whether a value is an affine function of the ``moved`` slots, tested around them and around random ones.

    Where weights are very large or near zero many functions look affine around them: log softmax does, and sigmoid.
    """
    return _is_affine(program, moved, fixed, slot) and _is_affine(program, _random_like(moved), fixed, slot)


def _is_affine(program: Program, moved: Values, fixed: Values, slot: int) -> bool:
    generator = torch.Generator().manual_seed(0)

    def at(values: Values) -> Tensor:
        return program.run({**fixed, **values}, [slot])[0].detach().double()

    with torch.random.fork_rng(), torch.no_grad():
        for size in (1e-2, 1.0, 30.0):
            steps = [
                {k: size * _normal(v, generator) for k, v in moved.items()}
                for _ in range(2)
            ]
            here = moved
            one = {k: here[k] + steps[0][k] for k in here}
            two = {k: here[k] + steps[1][k] for k in here}
            both = {k: here[k] + steps[0][k] + steps[1][k] for k in here}
            try:
                a, b, c, d = at(here), at(one), at(two), at(both)
            except Exception:
                return False
            scale = float(a.abs().max() + b.abs().max() + c.abs().max()) or 1.0
            tolerance = 1e-9 if program.run({**fixed, **moved}, [slot])[0].dtype == torch.float64 else 1e-4
            if not float((a + d - b - c).abs().max()) <= tolerance * scale:
                return False
    return True


def _random_like(values: Values) -> dict[int, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {k: _normal(v, generator) for k, v in values.items()}


def find_scores(program: Program, weights: Values, rows: set[int]) -> Scores | None:
    """The scores of a program, or None where the loss has no waist that is linear in anything.

    weights : values of the program's parameters.  rows : inputs that hold rows.
    """
    of_data, penalties = terms(program, rows)
    if len(of_data) != 1:
        of_data, penalties = [Term(program.loss, 1.0)], []
    data = of_data[0]
    narrow = waists(program, data.slot)
    if not narrow:
        return None
    fixed = doubled({s: program.values[s] for s in program.inputs})
    own = program.before(data.slot)
    moved = doubled({s: weights[s] for s in program.parameters if s in own})
    kind = AFFINE
    first = narrow[0]
    if not is_affine(program, moved, fixed, first):
        features = {s: fixed[s] for s in rows & program.before(first) if fixed[s].is_floating_point()}
        anywhere = _random_like(moved)  # layers near zero are nearly linear, whatever follows them
        if features and is_affine(program, features, {**fixed, **anywhere}, first):
            kind, fixed, moved = STACK, {**fixed, **anywhere}, features
        else:
            cut = _cut(program, weights, first)
            if cut is None:
                return None
            found = find_scores(cut, weights, rows & set(cut.inputs) | (set(cut.inputs) - set(program.inputs)))
            return replace(found, kind=LAST_LAYER) if found is not None and found.kind == AFFINE else None
    scores, prediction, meeting, target = first, first, None, None
    seen = program.before(first)
    read = tuple(s for s in program.inputs if s in seen)
    affine = True
    for previous, here in zip([first, *narrow[1:]], narrow[1:]):
        between = program.before(here) - program.before(previous)
        new = [s for s in between if s in rows and s not in read]
        if new:
            meeting = next(i for i in program.instructions if set(new) & set(i.sources) and i.outputs)
            met = [s for s in meeting.sources if s in new]
            target = next((s for s in met if not _counts_up(program.values[s])), met[0])
            break
        prediction = here
        if affine and is_affine(program, moved, fixed, here):
            scores = here
        else:
            affine = False
    beside = tuple(s for s in program.inputs if s in own and s not in read and s != target)
    return Scores(program, kind, scores, prediction, meeting, target, read, beside, data, tuple(penalties))


def _counts_up(value: Tensor) -> bool:
    """Whether it is 0, 1, 2, ...: row numbers, as in ``scores[torch.arange(n), y]``, are no targets."""
    if value.ndim != 1 or value.is_floating_point() or value.dtype == torch.bool or len(value) < 3:
        return False
    return bool((value.cpu() == torch.arange(len(value))).all())


def _cut(program: Program, weights: Values, waist: int) -> Program | None:
    """The program from the inputs of its last layer on: these are inputs of it, computed with the given weights."""
    direct = set(program.parameters)
    trained = program.after(program.parameters)
    before = program.before(waist)
    for place in range(len(program.instructions) - 1, -1, -1):
        step = program.instructions[place]
        if not set(step.outputs) & before:
            continue
        hidden = [s for s in step.sources if s in trained and s not in direct]
        if not (set(step.sources) & direct) or len(hidden) != 1:
            continue
        if not any(set(program.before(hidden[0])) & {p} for p in direct):
            continue
        if len([s for s in step.sources if s in direct]) == 1 and not _is_matrix(program, step, direct):
            continue  # a bias that is added: the layer's product comes before
        slot = hidden[0]
        with contextlib.suppress(Exception), torch.no_grad(), torch.random.fork_rng():
            value = program.run(dict(weights), [slot])[0].detach()
            return program.cut(slot, value)
    return None


def _is_matrix(program: Program, step: Instruction, direct: set[int]) -> bool:
    return any(program.leaves[s].ndim >= 2 or program.leaves[s].numel() > 1 for s in step.sources if s in direct)
