"""From a recording to a report: each rule is asked, the findings are put in order, the verdict is said."""

from __future__ import annotations

import contextlib
import io
import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sightline.certificate import Verdict
from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Outcome, Report, Severity
from sightline.check.order import ordered
from sightline.check.recovering.drawing import drawn
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import every, module
from sightline.check.trying import learning_rate, optimum, outcome
from sightline.check.verdict import verdict
from sightline.check.watching.recorder import Recording

SECONDS = 60.0  # for all rules together; those that are left are named


def examine(
    recording: Recording, *, script: str = "", select: Sequence[str] = (), ignore: Sequence[str] = (),
    attempt: bool = True,
) -> Report:
    """The report of a recording.

    script : the file, for its text.  select : ids of the rules to ask, all by default; ignore : those to leave out.
    attempt : whether mends are tried.
    """
    evidence = Evidence(recording, script, attempt)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found = _ask(evidence, [r for r in every() if (not select or r in select) and r not in ignore])
        findings = tuple(ordered(found))
        main = evidence.trainings[0] if evidence.trainings else None
        best, reached, why = _standing(main)
        report = Report(
            script=os.path.relpath(script) if script else "", verdict="", findings=findings, optimum=best,
            reached=reached, unrecovered=why, training=_facts(main, recording), ending=recording.ending,
            error=evidence.last_line, notes=tuple(evidence.notes),
            drawn=None if main is None else drawn(main),
        )
        return replace(report, verdict=_verdict(report, main))


def _ask(evidence: Evidence, rules: Sequence[str]) -> list[Finding]:
    found: dict[str, Finding] = {}
    begun = time.perf_counter()
    for rule in rules:
        if time.perf_counter() - begun > SECONDS:
            evidence.notes.append(f"no time was left to ask {rule}")
            continue
        here = module(rule)
        asked: list[Callable[[], Finding | None]] = []
        if hasattr(here, "find_in_script"):
            asked.append(partial(here.find_in_script, evidence))
        if hasattr(here, "find"):
            asked += [partial(here.find, training, evidence) for training in evidence.trainings]
        for ask in asked:
            try:
                finding = ask()
            except Exception as error:
                if os.environ.get("SIGHTLINE_DEBUG"):
                    raise
                evidence.notes.append(f"{rule} could not be decided ({type(error).__name__}: {error})")
                continue
            if finding is None:
                continue
            if finding.rule not in found:
                found[finding.rule] = finding
            elif finding.where is not None and finding.where != found[finding.rule].where:
                first = found[finding.rule]
                found[finding.rule] = replace(first, others=(*first.others, finding.where))
    return list(found.values())


def _standing(training: Recovered | None) -> tuple[Outcome | None, Outcome | None, str]:
    if training is None:
        return None, None, "no training was seen: backward() was never called."
    try:
        problem = training.minimised
        if isinstance(problem, str):
            return None, None, problem
        best, _ = optimum(problem)
        return best, outcome(problem, training.weights_in(problem, training.weights), training.dtype), ""
    except Exception as error:
        return None, None, f"the optimum could not be found ({type(error).__name__}: {error})"


def _facts(training: Recovered | None, recording: Recording) -> dict[str, Any]:
    facts: dict[str, Any] = {"backward_passes": recording.backwards, "seconds": round(recording.seconds, 3),
                             "trainings": len(recording.stretches)}  # fmt: skip
    if training is None:
        return facts
    stretch = training.stretch
    losses = [x for x in stretch.losses if math.isfinite(x)]
    facts |= {
        "parameters": list(stretch.names), "numbers_trained": stretch.size,
        "steps": stretch.counts.get("step", 0) or stretch.backwards,
        "optimizer": stretch.optimizers[0].kind if stretch.optimizers else "updates by hand",
        "learning_rate": learning_rate(training), "first_loss": stretch.losses[0] if stretch.losses else None,
        "last_loss": losses[-1] if losses else None,
    }  # fmt: skip
    if training.rows is not None:
        facts |= {"rows": training.rows.n, "batches_seen": len(training.rows.batches)}
    if training.linear is not None:
        facts |= {"columns": training.linear.X.shape[1], "outputs": training.linear.outputs,
                  "intercept": training.linear.has_bias}  # fmt: skip
    if training.recognised is not None:
        facts["loss"] = training.recognised.loss.name
    return facts


def _verdict(report: Report, training: Recovered | None) -> str:
    grave = any(f.severity is not Severity.ADVICE for f in report.findings)
    if grave:
        return verdict(report.findings, report.reached, report.ending)
    if report.ending == "error":
        return f"the script ended in an error that no rule explains: {report.error}"
    if training is None:
        return "nothing to check: no backward pass was seen"
    if report.reached is None or report.reached.gap is None:
        if training.certificate is not None and training.certificate.verdict is Verdict.NO_MINIMUM:
            return "the classes are separable, so there is no optimum to reach; nothing wrong was found"
        return f"nothing wrong was found; the optimum is not known: {report.unrecovered}".rstrip(": ")
    return verdict(report.findings, report.reached, report.ending)
