"""What ``check`` says: findings, each with its place, its measured number and what the mend gave when it was tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.check.drawn import Drawn
    from sightline.show.trajectories import Trajectory


class Severity(Enum):
    """How much a finding weighs: an error spoils the answer, a warning keeps the training from it, advice helps."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


@dataclass(frozen=True)
class Place:
    """A line of the person's own code: ``file`` as they named it, ``line`` from 1, ``code`` without its indent."""

    file: str
    line: int
    code: str
    function: str = "<module>"


@dataclass(frozen=True)
class Number:
    """A number and what it is a number of: ``Number(0.02, "learning rate")``; ``text`` where digits alone do not say"
    " it."""

    value: float | None
    what: str
    text: str = ""

    def __str__(self) -> str:
        shown = self.text or (f"{self.value:.3g}" if self.value is not None else "")
        return f"{self.what} {shown}".strip()


@dataclass(frozen=True)
class Outcome:
    """Where weights stand: the loss as the script counts it (unless said), share of rows right, relative gap to the
    optimum; None where the thing does not exist. ``certified``: the gap is proven, not estimated."""

    loss: float | None = None
    accuracy: float | None = None
    gap: float | None = None
    certified: bool = False


@dataclass(frozen=True)
class Tried:
    """The mend, applied to the recovered problem and run.

    what : what was run, one sentence.  before : the person's training as it ended.
    after : their own recipe with the mend alone, where it was run.  optimum : the mended problem taken to its optimum.
    no_minimum : the sentence of a certificate that the mended problem has no minimum, where it has none.
    """

    what: str
    before: Outcome
    after: Outcome | None = None
    optimum: Outcome | None = None
    no_minimum: str = ""

    @property
    def settled(self) -> bool:
        """Whether the mend ended at a proven optimum (gap of 1e-6 or less), or at a proof that there is none."""
        best = self.optimum or self.after
        return bool(self.no_minimum) or (best is not None and best.certified and (best.gap or 0.0) <= 1e-6)


@dataclass(frozen=True)
class Finding:
    """One rule's verdict on one training.

    what : one sentence.  measured, bound : the number and the number that it breaks.  why : at most two sentences.
    fix : lines of code as the person would write them.  weight : share, 0 to 1, of the distance to the right answer
    that this explains; ``rank`` puts causes before consequences, the lower the earlier (see ``sightline.check.order``).
    """

    rule: str
    severity: Severity
    what: str
    where: Place | None
    measured: Number
    bound: Number | None
    why: str
    fix: str
    tried: Tried | None = None
    weight: float = 0.0
    others: tuple[Place, ...] = field(default=())


@dataclass(frozen=True)
class Report:
    """All that ``check`` says of one script.

    verdict : one sentence.  optimum : where the best weights of the recovered problem stand, ``reached`` where the
    training's own do; None where no convex problem was recovered, and then ``unrecovered`` says why.
    training : plain numbers of what was seen (steps, rows, columns, optimizer, ...), for people and for JSON.
    ending : how the script ended: "finished", "error", "stopped by the time limit", "stopped by the step limit", ...
    error : last line of the traceback, where there is one.  output : what the script printed is its own; not kept here.
    notes : what could not be looked at, and why.
    drawn : what the pictures of ``--html`` are drawn of, where there is anything; no part of the JSON.
    """

    script: str
    verdict: str
    findings: tuple[Finding, ...] = ()
    optimum: Outcome | None = None
    reached: Outcome | None = None
    unrecovered: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    ending: str = "finished"
    error: str = ""
    notes: tuple[str, ...] = ()
    drawn: Drawn | Trajectory | None = field(default=None, repr=False, compare=False)

    @property
    def healthy(self) -> bool:
        """No finding of error or warning."""
        return not any(f.severity is not Severity.ADVICE for f in self.findings)
