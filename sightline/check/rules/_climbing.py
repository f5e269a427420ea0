"""Which way the weights go: down the gradient, or up."""

from __future__ import annotations

import math

from sightline.check.recovering.recovered import Recovered

STRAIGHT = 0.5  # cosine of a step with the gradient from which on it climbs


def climb(training: Recovered) -> float | None:
    """Cosine of the first step with the gradient before it, -1 for plain descent; None where no step was seen."""
    beats = training.stretch.beats
    for one, two in zip(beats, beats[1:]):
        if two.number != one.number + 1:
            break
        along, steps, slopes = 0.0, 0.0, 0.0
        for old, new, slope in zip(one.weights, two.weights, one.own_gradient()):
            if old.shape != new.shape or slope.shape != old.shape:
                continue
            moved = (new - old).double()
            along += float((moved * slope.double()).sum())
            steps += float(moved.square().sum())
            slopes += float(slope.double().square().sum())
        if steps > 0 and slopes > 0 and math.isfinite(steps) and math.isfinite(slopes):
            return along / math.sqrt(steps * slopes)
    return None


def ascends(training: Recovered) -> bool:
    """Whether the updates climb the loss, by an optimizer that maximises or by hand."""
    cosine = climb(training)
    return cosine is not None and cosine > STRAIGHT
