"""All rows that a training was given, in one piece: batches joined, repeats recognised."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.check.program import Program

WHOLE, JOINED, STACKED = "whole", "joined", "stacked"
COMPARED = 5  # batches on which a joined computation is compared with that of each alone


@dataclass(frozen=True)
class Rows:
    """The rows of a training.

    how : "whole" (each pass saw all of them), "joined" (batches, one after another), "stacked" (single rows without a
        dimension of their own).
    values : each input of the program for all distinct rows.  n : how many rows.  counts : how often each was seen.
    multiplicity : how often each belongs into the data set, (n,); None where each does once.
    batches : row numbers of each pass, in the order in which they came (passes of the first epochs).
    complete : rows repeat, so all of them were seen.  positions : inputs that count the rows of each pass, 0, 1, 2, ...
    """

    how: str
    values: Mapping[int, Tensor]
    n: int
    counts: Tensor
    multiplicity: Tensor | None
    batches: tuple[Tensor, ...]
    complete: bool
    positions: frozenset[int] = frozenset()

    @property
    def passes(self) -> float:
        """How often the mean row was seen in what was kept."""
        return float(self.counts.double().mean())


def row_inputs(program: Program, entries: Sequence[Sequence[Tensor]]) -> set[int]:
    """The inputs that hold rows: more than one number, or others in other passes."""
    found = set()
    for place, slot in enumerate(program.inputs):
        values = [e[place] for e in entries[:50] if len(e) == len(program.inputs)]
        varies = any(v is not values[0] and not _same(v, values[0]) for v in values[1:])
        if program.values[slot].numel() > 1 or varies:
            found.add(slot)
    return found or set(program.inputs)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(torch.equal(a, b))


def join(
    program: Program, entries: Sequence[Sequence[Tensor]], scores: int, weights: Mapping[int, Tensor], held: set[int]
) -> Rows | None:
    """The rows of all passes, or None where passes cannot be put together.

    scores : slot whose rows are the rows.  weights : of the parameters.  held : inputs that hold rows.
    """
    entries = [e for e in entries if len(e) == len(program.inputs)]
    if not entries:
        entries = [[program.values[s] for s in program.inputs]]
    first = entries[0]
    if all(all(a is b for a, b in zip(e, first)) for e in entries):
        n = _rows_of(program, weights, dict(zip(program.inputs, first)), scores)
        values = dict(zip(program.inputs, first))
        once = torch.ones(n, dtype=torch.long)
        return Rows(WHOLE, values, n, once * len(entries), None, (torch.arange(n),), True)
    size = _rows_of(program, weights, dict(zip(program.inputs, first)), scores)
    places = {s: i for i, s in enumerate(program.inputs)}
    for how in (JOINED, STACKED):
        leading = _leading(program, entries, how, held, size)
        if leading is None:
            continue
        values = {}
        positions = frozenset(
            s for s in leading if how == JOINED and len(leading) > 1 and _counts_rows([e[places[s]] for e in entries])
        )
        leading = leading - positions
        if not leading:
            continue
        for slot in program.inputs:
            pieces = [e[places[slot]] for e in entries]
            if slot in positions:
                values[slot] = torch.arange(sum(len(p) for p in pieces)).to(pieces[0])
                continue
            together = torch.cat if how == JOINED else torch.stack
            values[slot] = together(pieces) if slot in leading else pieces[0]
        lengths = [e[places[next(iter(leading))]].shape[0] if how == JOINED else 1 for e in entries]
        if not _agrees(program, entries, values, scores, weights, lengths, how):
            continue
        rows = _distinct(values, leading, lengths, how)
        counted = {s: torch.arange(rows.n).to(values[s]) for s in positions}
        return replace(rows, values={**rows.values, **counted}, positions=positions)
    return None


def _counts_rows(pieces: Sequence[Tensor]) -> bool:
    """Whether each piece is 0, 1, 2, ...: the place of a row in its pass (``torch.arange(len(y))``), none of its"
    " data."""
    return all(
        p.ndim == 1 and not p.is_floating_point() and bool(torch.equal(p, torch.arange(len(p)).to(p)))
        for p in pieces[:50]
    )


def _rows_of(program: Program, weights: Mapping[int, Tensor], inputs: Mapping[int, Tensor], scores: int) -> int:
    shape = program.run({**weights, **inputs}, [scores])[0].shape
    return int(shape[0]) if len(shape) else 1


def _leading(
    program: Program, entries: Sequence[Sequence[Tensor]], how: str, held: set[int], size: int
) -> set[int] | None:
    """The inputs that have one row for each of the scores'."""
    found = set()
    for place, slot in enumerate(program.inputs):
        pieces = [e[place] for e in entries]
        if slot not in held:
            continue
        if how == JOINED:
            if any(p.ndim == 0 or p.shape[1:] != pieces[0].shape[1:] for p in pieces):
                return None
            if pieces[0].shape[0] == size:
                found.add(slot)
            elif any(not _same(p, pieces[0]) for p in pieces[1:20]):
                return None
        else:
            if any(p.shape != pieces[0].shape for p in pieces):
                return None
            if any(p is not pieces[0] and not _same(p, pieces[0]) for p in pieces[1:]):
                found.add(slot)
    return found or None


def _agrees(
    program: Program, entries: Sequence[Sequence[Tensor]], values: Mapping[int, Tensor], scores: int,
    weights: Mapping[int, Tensor], lengths: Sequence[int], how: str,
) -> bool:
    """Whether the scores of all rows at once are those of each pass."""
    try:
        with torch.no_grad(), torch.random.fork_rng():
            together = program.run({**weights, **values}, [scores])[0]
            begin = 0
            for entry, length in list(zip(entries, lengths))[:COMPARED]:
                alone = program.run({**weights, **dict(zip(program.inputs, entry))}, [scores])[0]
                part = together[begin : begin + length]
                begin += length
                if alone.numel() != part.numel():
                    return False
                scale = float(alone.abs().max()) + 1e-12
                if not float((alone.reshape(-1) - part.reshape(-1)).abs().max()) <= 1e-3 * scale:
                    return False
            return together.ndim > 0 and together.shape[0] == sum(lengths)
    except Exception:
        return False


def _distinct(values: dict[int, Tensor], leading: set[int], lengths: Sequence[int], how: str) -> Rows:
    total = sum(lengths)
    keys = [values[s].cpu().contiguous() for s in sorted(leading)]
    arrays = [(k.float() if k.dtype == torch.bfloat16 else k).reshape(total, -1).numpy() for k in keys]
    names = [b"".join(a[i].tobytes() for a in arrays) for i in range(total)]
    number: dict[bytes, int] = {}
    first: list[int] = []
    which = torch.empty(total, dtype=torch.long)
    for i, name in enumerate(names):
        if name not in number:
            number[name] = len(first)
            first.append(i)
        which[i] = number[name]
    keep = torch.tensor(first)
    counts = torch.bincount(which, minlength=len(first))
    distinct = {s: v[keep.to(v.device)] if s in leading else v for s, v in values.items()}
    batches = tuple(which.split(list(lengths)))
    complete = bool(counts.min() > 1) or total > 2 * len(first)
    return Rows(how, distinct, len(first), counts, _multiplicity(counts), batches, complete)


def _multiplicity(counts: Tensor) -> Tensor | None:
    """How often a row belongs into the data set: its count over that of most, where counts come in epochs."""
    epochs = statistics.mode(Counter(counts.tolist()).elements())
    m = (counts.double() / epochs).round().clamp(min=1)
    if bool((m == 1).all()) or bool(((counts - m * epochs).abs() > m).any()):
        return None  # drawn at random, or every row once
    return m
