"""Penalties whose value depends on the weights and whose gradient does not: what they would be if they had one.

Such a term is computed from detached weights, or from plain numbers that PyTorch never saw (``w.tolist()``). In the
first case it can be evaluated at any weights. In the second only its values at the passes that were looked at are
known; they are compared with what each usual penalty has there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.check.program import Program
from sightline.check.recovering.penalty import ABSOLUTE, DETACHED, NORM, OTHER, SQUARED
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.scores import doubled, terms
from sightline.check.watching.places import Spot

AGREE = 1e-4  # relative; the script counts in float32
MOST_PARAMETERS = 5  # whose subsets are gone through
VARIES = 1e-3  # a number that stays the same tells nothing


@dataclass(frozen=True)
class Detached:
    """A penalty without a gradient.

    kind : "squared" (½ s w²), "absolute" (s |w|), "norm" (s ‖w‖), "other".  strengths : s by parameter slot, as the
    term would have them with a gradient; empty for "other".  value : at the end.  at : where it is computed or added.
    """

    kind: str
    strengths: Mapping[int, float]
    value: float
    at: Spot | None


def detached_penalty(training: Recovered) -> Detached | None:
    """The first penalty without a gradient, None where there is none."""
    if training.scores is None or training.whole_program is None:
        return None
    for term in training.penalties.terms:
        if term.kind == DETACHED:
            kind, strengths = _of_function(training, term.term.slot, term.term.factor)
            return Detached(kind, strengths, term.value, term.at)
    return _of_numbers(training)


def _of_function(training: Recovered, slot: int, factor: float) -> tuple[str, dict[int, float]]:
    """Kind and strengths of a value that can be computed at any weights."""
    program = training.program
    slots = [s for s in program.parameters if s in program.before(slot)]
    base = doubled(dict(training.weights))
    fixed = doubled({s: program.values[s] for s in program.inputs})
    generator = torch.Generator().manual_seed(0)

    def value(given: Mapping[int, Tensor]) -> float:
        with torch.no_grad():
            return factor * float(program.run({**fixed, **base, **given}, [slot])[0].sum())

    nowhere = {s: torch.zeros_like(base[s]) for s in slots}
    at_zero = value(nowhere)
    probes = [
        {s: size * torch.randn(base[s].shape, generator=generator, dtype=torch.float64) for s in slots}
        for size in (0.5, 2.0)
    ]
    for kind in (SQUARED, ABSOLUTE, NORM):
        unit = _UNITS[kind]
        strengths = {s: (value({**nowhere, s: probes[0][s]}) - at_zero) / unit([probes[0][s]]) for s in slots}
        used = [s for s in slots if strengths[s]]
        if not used:
            continue
        for probe in probes:
            want = value(probe) - at_zero
            have = sum(strengths[s] * unit([probe[s]]) for s in used)
            if not abs(want - have) <= AGREE * abs(want):
                break
        else:
            return kind, {s: strengths[s] for s in used}
    return OTHER, {}


def _of_numbers(training: Recovered) -> Detached | None:
    """The same of a number that is added to the loss, which PyTorch did not see being made."""
    seen = []
    for beat in training.stretch.beats:
        if beat.program is not None and len(beat.weights) == len(training.stretch.parameters):
            number, at = _added(beat.program, _by_slot(training, beat.program, beat.weights), training.held)
            seen.append((number, doubled(training.at(beat.weights)), at))
    values = [number for number, *_ in seen]
    if len(seen) < 3 or not max(values) - min(values) > VARIES * max(abs(v) for v in values):
        return None
    slots = [s for s in seen[0][1] if training.start[s].is_floating_point()][:MOST_PARAMETERS]
    for kind, size in itertools.product((SQUARED, ABSOLUTE, NORM), range(1, len(slots) + 1)):
        for chosen in itertools.combinations(slots, size):
            units = [_UNITS[kind]([weights[s] for s in chosen]) for _, weights, _ in seen]
            s = _proportion(units, values)
            if s is not None:
                return Detached(kind, dict.fromkeys(chosen, s), s * _UNITS[kind]([training.weights[c] for c in chosen]),
                                seen[0][2])  # fmt: skip
    return None


def _by_slot(training: Recovered, program: Program, weights: Sequence[Tensor]) -> dict[int, Tensor]:
    """Weights in the order of the stretch's parameters, by slot of the program of one pass."""
    places = {id(p): i for i, p in enumerate(training.stretch.parameters)}
    found = {s: weights[places[id(leaf)]] for s, leaf in program.leaves.items() if id(leaf) in places}
    return found if len(found) == len(program.leaves) else dict(zip(program.parameters, weights))


def _added(program: Program, weights: Mapping[int, Tensor], rows: set[int]) -> tuple[float, Spot | None]:
    """What the loss has beside its terms in which anything trained takes part, and where it is added."""
    of_data, penalties = terms(program, rows)
    found = [*of_data, *penalties]
    given = {**doubled({s: program.values[s] for s in program.inputs}), **doubled(dict(weights))}
    with torch.no_grad(), torch.random.fork_rng():
        total, *parts = program.run(given, [program.loss, *(t.slot for t in found)])
    last = program.producer(program.loss)
    rest = float(total.sum()) - sum(t.factor * float(p.sum()) for t, p in zip(found, parts))
    return rest, None if last is None else last.at


def _proportion(units: Sequence[float], values: Sequence[float]) -> float | None:
    """s where all values are s times these units; None where they are not, or too alike to tell."""
    largest = max(units)
    if not largest > 0 or not max(units) - min(units) > VARIES * largest:
        return None
    s = values[units.index(largest)] / largest
    agree = all(abs(v - s * u) <= AGREE * abs(s) * (u + 1e-3 * largest) for u, v in zip(units, values))
    return s if s and agree else None


def _half_squares(values: Sequence[Tensor]) -> float:
    return 0.5 * sum(float(v.double().square().sum()) for v in values)


def _absolute(values: Sequence[Tensor]) -> float:
    return sum(float(v.double().abs().sum()) for v in values)


def _norm(values: Sequence[Tensor]) -> float:
    return float(torch.cat([v.double().reshape(-1) for v in values]).norm())


_UNITS: dict[str, Callable[[Sequence[Tensor]], float]] = {SQUARED: _half_squares, ABSOLUTE: _absolute, NORM: _norm}
