"""The words of a replay page: what was trained, where it ended and what proves it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sightline.certificate import Certificate, Verdict
from sightline.show.picture import count, number
from sightline.show.replay import Replay, Units
from sightline.show.trajectories import recipe_label

BESIDE = "optimum found beside it; "  # how ``certify`` begins its method


@dataclass(frozen=True)
class Words:
    """The top of the page.

    title, lead : what was trained, on what.  headline : where it ended, in a sentence; ``good`` where that is the
    optimum.  facts : (name, sentence) pairs below it.
    """

    title: str
    lead: str
    headline: str
    good: bool
    facts: list[tuple[str, str]]


def words_of(source: Any, replay: Replay) -> Words:
    """The words for a training, or whatever ``replay`` was made of."""
    path, recipe = replay.path, getattr(source, "recipe", None)
    label = path.label if path is not None and path.label else "" if recipe is None else recipe_label(recipe)
    certificate = getattr(source, "certificate", None) if recipe is not None else None
    facts = []
    if recipe is not None:
        problem = "" if source.minimised is None else source.minimised.sentence
        meaning = source.sentence.replace(f"The recipe minimises {problem}. ", "", 1)
        facts = [("It minimised", problem), ("Where it ended" if problem else "Why", meaning)]
    if certificate is not None and replay.path is None:
        facts.append(("Not shown", replay.reason))
    if certificate is not None:
        facts.append(("Certificate", certified(certificate, replay.units, lowest_of(source, certificate))))
    headline, good = headline_of(certificate, replay, getattr(source, "stopped", ""))
    facts = [(name, _sentence(text)) for name, text in facts if text]
    return Words(label or "A training", _lead(source, replay), headline, good, facts)


def headline_of(certificate: Certificate | None, replay: Replay, stopped: str = "") -> tuple[str, bool]:
    """Where the training ended, and whether that is the optimum.  stopped : why it ended early."""
    if certificate is None:
        if replay.path is None:
            return "There is no certificate, so its losses are all that is replayed.", False
        end = replay.frames.gap[-1]
        told = "It has no certificate." if end is None else f"It ends {number(end)} above the certified optimum."
        return told, False
    gap = number(certificate.gap * replay.units.factor)
    if certificate.verdict in (Verdict.OPTIMAL, Verdict.NOT_UNIQUE):
        return f"It reached the optimum: within {gap} of the best that any weights can do.", True
    if certificate.verdict is Verdict.NO_MINIMUM:
        return f"There is no optimum to reach: the loss falls for ever, here by up to {gap} more.", False
    if not math.isfinite(certificate.gap):
        return "It ended where no bound on the distance from the optimum was reached.", False
    how = "It diverged" if stopped.startswith("diverged") else "It stopped short"
    return f"{how}: {gap} above the certified optimum.", False


def lowest_of(source: Any, certificate: Certificate) -> float:
    """What no weights' objective goes below.  Beside weights far away the certificate's own has rounding in it."""
    if source.minimised is not None:
        return float(source.minimised.lower_bound)
    best = certificate if source.optimum is None else source.optimum.certificate
    return max(best.lower_bound, 0.0)


def certified(certificate: Certificate, units: Units, lowest: float) -> str:
    """The certificate in words, in the recipe's units."""
    method = certificate.method.removeprefix(BESIDE)
    told = []
    if certificate.verdict not in (Verdict.INACCURATE, Verdict.NO_MINIMUM):  # the headline says those
        told.append(certificate.verdict.sentence)
    if math.isfinite(certificate.gap):
        told.append(
            f"What it minimised is {number(units(certificate.value), 6)} at the end, and no weights go below"
            f" {number(units(lowest), 6)}."
        )
    if certificate.witness is not None:
        told.append(_sentence(certificate.witness.text))
    elif math.isfinite(certificate.gap):
        beside = " of the optimum, which was found beside it" if certificate.method.startswith(BESIDE) else ""
        told.append(f"What proves it: the {method}{beside}.")
    return " ".join(told)


def _lead(source: Any, replay: Replay) -> str:
    frames, path = replay.frames, replay.path
    parts = []
    if path is not None:
        data = path.objective.data
        features = count(path.objective.p, "feature")
        what = f", {count(len(data.classes), 'class', 'classes')}" if data.classes else ""
        parts.append(f"{count(data.n, 'row')}, {features}{what}")
    recipe = getattr(source, "recipe", None)
    steps = count(frames.last, "step")
    if recipe is not None and frames.epoch[-1] is not None:
        steps += f" in {count(round(frames.epoch[-1]), 'epoch')}" if frames.epoch[-1] >= 1 else ""
        order = "shuffled" if recipe.shuffle else "in the order of the rows"
        steps += f", {order}" if recipe.batch_size is not None else ", all rows in each"
    parts.append(steps)
    stopped = getattr(source, "stopped", "")
    if stopped:
        parts.append(f"ended early: {stopped}")
    return _sentence("; ".join(parts))


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
