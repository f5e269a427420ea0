"""`sightline fit`: from a file to a model, its table and its report."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sightline.certificate import Verdict
from sightline.commands.folder import MODEL, REPORT, default_folder, folder
from sightline.commands.problem import loss_of, penalty_of
from sightline.commands.reading import numbers, read_table, tell
from sightline.commands.require import CONFIDENCE, check_confidence, constraints_of
from sightline.commands.split import held_out, with_all_levels
from sightline.constraints.result import ConstrainedResult
from sightline.facts import INTERRUPTED as STOPPED_ERRORS
from sightline.facts import Rows, gather
from sightline.losses import Loss
from sightline.progress import Progress
from sightline.result import Result
from sightline.summary import Summary
from sightline.tables import Design, TableError, guess_target, prepare

INTERRUPTED = 130


@dataclass(frozen=True)
class Request:
    """What was asked for: the options of `sightline fit`, see its help."""

    data: str
    target: str | None = None
    labels: str | None = None
    loss: str | None = None
    quantile: float | None = None
    delta: float | None = None
    penalty: str | None = None
    C: float | None = None
    strength: float | None = None
    l1_ratio: float | None = None
    no_intercept: bool = False
    weights: str | None = None
    offset: str | None = None
    class_weight: str | None = None
    require: tuple[str, ...] = ()
    confidence: float | None = None
    test_size: float | None = None
    seed: int = 0
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    missing: Literal["error", "drop", "mean"] = "error"
    na: tuple[str, ...] = ()
    no_header: bool = False
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str = "utf-8"
    features: str | None = None
    solver: str = "auto"
    tol: float = 1e-6
    max_iter: int | None = None
    time_limit: float | None = None
    out: str | None = None
    whole: bool = False
    as_json: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class _Rows:
    """Prepared rows, for training and for testing."""

    train: Design
    weight: Any
    offset: Any
    test: Rows | None
    notes: tuple[str, ...]
    numbers: Any


def run(request: Request) -> int:
    """Do what was asked for; the exit code.

    Raises TableError, DataError or ValueError with a sentence for the person.
    """
    with Progress(quiet=request.quiet or request.as_json) as progress:
        progress.stage(f"reading {request.data}")
        problem = _Problem(request)
        with folder(request.out or default_folder(problem.target)) as place:
            result = problem.fitted(progress)
            progress.stage("writing")
            saved = _saved(result, place)
    _say(request, problem, result, saved)
    errors = result.extra["facts"]["errors"] or {}
    stopped = result.certificate.verdict is Verdict.INTERRUPTED or errors.get("reason") == STOPPED_ERRORS
    return INTERRUPTED if stopped else 0


class _Problem:
    """The rows, loss and penalty of a request."""

    def __init__(self, request: Request) -> None:
        self.request = request
        table = read_table(
            request.data, target=request.target, labels=request.labels, categorical=request.categorical, na=request.na,
            no_header=request.no_header, delimiter=request.delimiter, decimal=request.decimal,
            encoding=request.encoding, features=request.features,
        )  # fmt: skip
        if table.target is None:
            columns = ", ".join(table.names[:12])
            raise TableError(f"name the column to be predicted: --target COLUMN; {request.data} has {columns}")
        self.target = request.target or table.target.name
        given: dict[str, Any] = {}
        if request.weights is not None and request.weights == request.offset:
            raise TableError(f"--weights and --offset both name {request.weights!r}: a column is one or the other")
        for option, name, least in (("--weights", request.weights, 0.0), ("--offset", request.offset, None)):
            if name is not None:
                given[option], table = numbers(table, name, option, least=least)
        design = prepare(table, drop=request.drop, missing=request.missing)
        assert design.y is not None
        kind = guess_target(design.y, self.target)
        self.loss, self.reason = loss_of(request, kind, design.y, self.target, table, design.rows)
        self.classes = np.unique(design.y).tolist() if self.loss.targets in ("binary", "classes") else None
        self.penalty = penalty_of(request, self.loss)
        self.rows = self._split(table, design, given)
        check_confidence(request.confidence, request.require)
        self.constraints = constraints_of(request.require, table, self.rows.numbers)
        notes = [*self.rows.notes, self.penalty.note]
        self.notes = [note for note in notes if note is not None]

    def _split(self, table: Any, design: Design, given: dict[str, Any]) -> _Rows:
        request = self.request

        def of(option: str, rows: Any) -> Any:
            return given[option][rows] if option in given else None

        if request.test_size is None:
            weight, offset = of("--weights", design.rows), of("--offset", design.rows)
            return _Rows(design, weight, offset, None, design.notes, design.rows)
        assert design.y is not None
        used = table.take(design.rows)
        test = held_out(design.y, request.test_size, request.seed, self.classes is not None)
        test, moved = with_all_levels(test, used, design.encoder)
        train = prepare(used.take(~test), drop=request.drop, missing=request.missing)
        notes = design.notes
        if moved:
            notes += (f"{moved} of the rows held out went back to training: no other row has their category",)
        seen = None
        if test.any():
            new = prepare(used.take(test), train.encoder)
            rows = design.rows[test]
            seen = Rows(new.X, _as_target(self.loss, new.y), of("--weights", rows), of("--offset", rows))
        rows = design.rows[~test]
        return _Rows(train, of("--weights", rows), of("--offset", rows), seen, notes, rows)

    def fitted(self, progress: Progress) -> Result:
        """The result, with the facts and all that prediction needs in its ``extra``."""
        import sightline as sl

        request, rows = self.request, self.rows
        train = Rows(rows.train.X, _as_target(self.loss, rows.train.y), rows.weight, rows.offset)
        tell([self.reason] if self.reason else [], request.quiet, "")
        progress.stage("fitting")
        result = sl.fit(
            train.X, train.y, loss=self.loss, sample_weight=rows.weight, class_weight=request.class_weight,
            offset=rows.offset, fit_intercept=not request.no_intercept, classes=self.classes,
            columns=rows.train.columns, solver=request.solver, tol=request.tol, max_iter=request.max_iter,
            time_limit=request.time_limit, callback=progress, warn=False, subject_to=self.constraints,
            delta=1 - (request.confidence or CONFIDENCE), seed=request.seed, **self.penalty.arguments,
        )  # fmt: skip
        if request.confidence is not None:
            assert isinstance(result, ConstrainedResult)
            result = result.guaranteed()
        progress.stage("measuring")
        about: dict[str, Any] = {
            "target": self.target, "source": Path(request.data).name, "reason": self.reason, "notes": self.notes,
            "command": "sightline " + shlex.join(_typed(request)), "dropped": rows.train.encoder.dropped,
            "fields": len(rows.train.encoder.fields),
            "class_weighted": request.class_weight is not None,
        }  # fmt: skip
        try:
            facts = gather(result, train, rows.test, **about)
        except KeyboardInterrupt:
            facts = gather(result, None, None, **about)
        fit = {
            "target": self.target, "weights": request.weights, "offset": request.offset,
            "class_weight": request.class_weight,
        }  # fmt: skip
        extra = {**result.extra, "encoder": rows.train.encoder.to_dict(), "facts": facts, "fit": fit}
        return replace(result, extra=extra)


def _as_target(loss: Loss, y: Any) -> Any:
    return y if loss.targets in ("binary", "classes") else y.astype(np.float64)


def _typed(request: Request) -> list[str]:
    """The options that were given, as one types them."""
    words = ["fit", request.data]
    flags = {"no_intercept", "no_header"}
    silent = {"data", "whole", "as_json", "quiet", "out"}
    for name, default in Request.__dataclass_fields__.items():
        value = getattr(request, name)
        if name in silent or value == default.default:
            continue
        option = "--" + name.replace("_", "-")
        if name in flags:
            words.append(option)
        else:
            for each in value if isinstance(value, tuple) else (value,):
                words += [option, str(each)]
    return words


def _saved(result: Result, place: Path) -> tuple[Path, Path]:
    from sightline.report import page
    from sightline.report.writing import write_text

    model, report = place / MODEL, place / REPORT
    result.save(model)
    write_text(report, page(result, str(model)))
    return model, report


def _say(request: Request, problem: _Problem, result: Result, saved: tuple[Path, Path]) -> None:
    summary = Summary.of(result)
    tell(problem.notes, request.quiet)
    if not result.certificate.ended and (request.quiet or request.as_json):
        tell([f"{summary.verdict()} {summary.advice() or ''}".strip()], mark="warning: ")
    if request.as_json:
        files = {"model": str(saved[0]), "report": str(saved[1])}
        told = {**summary.to_dict(), "files": files}
        if "constraints" in result.extra:
            told["constraints"] = result.extra["constraints"]
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    elif not request.quiet:
        from sightline.terminal import MOST, show

        show(summary, most=sys.maxsize if request.whole else MOST)
        if isinstance(result, ConstrainedResult):
            sys.stdout.write(f"\n{result.constraints}\n")
        sys.stdout.write(f"\nmodel   {saved[0]}\nreport  {saved[1]}\n")
