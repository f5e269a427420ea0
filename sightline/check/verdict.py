"""The verdict of a check in one sentence, and how a gap to the optimum is said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sightline.check.finding import Finding, Outcome, Severity
from sightline.show.picture import number

AT_OPTIMUM = 1e-6  # relative gap up to which weights are at the optimum
NOTHING = "nothing wrong was found"


def verdict(findings: Sequence[Finding], reached: Outcome | None, ending: str = "finished") -> str:
    """The sentence for a training that ended with weights at ``reached``, where that is known.

    Without a finding of error or warning: 'at the optimum (gap 2e-7)', 'stopped 0.3 % above the optimum; nothing wrong
    was found'.  With some: what the first of them says, and where the training ended.
    """
    grave = [f for f in findings if f.severity is not Severity.ADVICE]
    gap = None if reached is None else reached.gap
    known = gap is not None and not math.isnan(gap)
    if not grave:
        if gap is None or not known:
            return NOTHING if ending == "finished" else f"{ending}; {NOTHING}"
        if gap <= AT_OPTIMUM:
            return f"at the optimum (gap {number(max(gap, 0.0), 2)})"
        return f"stopped {above(gap)} above the optimum; {NOTHING}"
    sentence = grave[0].what.rstrip(".")
    if gap is None or not known or gap <= AT_OPTIMUM:
        return sentence
    return f"{sentence}; the training ended {above(gap)} above the optimum"


def above(gap: float) -> str:
    """A relative gap in words that go before 'above the optimum': '0.3 %', '4.2 times its value', '2e−5 of its value'.

    gap : (f − f*) / f*, not negative.
    """
    if math.isinf(gap):
        return "without bound"
    if gap >= 2:
        return f"{number(gap, 3)} times its value"
    if gap >= 1e-4:
        return f"{number(100 * gap, 2)} %"
    return f"{number(gap, 2)} of its value"
