"""The cases of check, scored: `make scorecard`, or `python tests/check_scorecard.py [PART OF A NAME ...]`.

Each case is a script that runs in a child process of its own, under a name that tells nothing, two at a time. Of the
broken ones the main fault must be named first, or among the first three; of the healthy ones and of the mended versions
of the broken ones none may get a verdict of error or warning. What was missed is printed. The exit code is 1 below 90 %
first, below 96 % among three, or with any false verdict.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "check_cases"
FIRST, AMONG_THREE, SETTLED = 0.90, 0.96, 0.80
SECONDS = 180.0  # for one case, on a machine that does much besides


@dataclass(frozen=True)
class Case:
    """A script: ``faults`` as they should be named, the main one first; none where it is healthy."""

    name: str
    script: Path
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """What check said of a case.

    found : (rule, severity, whether the mend was tried, whether it was settled), most important first.
    silent : the script ended by itself.  problem : why there is no report, '' where there is one.
    """

    case: Case
    found: tuple[tuple[str, str, bool, bool], ...] = ()
    silent: bool = True
    verdict: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> bool:
        return bool(self.found) and self.found[0][0] == self.case.faults[0]

    @property
    def among_three(self) -> bool:
        return self.case.faults[0] in [f[0] for f in self.found[:3]]

    @property
    def accused(self) -> bool:
        return any(severity != "advice" for _, severity, *_ in self.found)


@dataclass(frozen=True)
class Score:
    """Counts of all cases."""

    broken: int
    first: int
    among_three: int
    healthy: int
    false: int
    findings: int
    settled: int
    undecided: int

    @property
    def passed(self) -> bool:
        return (
            self.first >= FIRST * self.broken
            and self.among_three >= AMONG_THREE * self.broken
            and not self.false
            and not self.undecided
        )

    def lines(self) -> list[str]:
        def share(part: int, whole: int, bar: float) -> str:
            percent = f"{100 * part / whole:.1f} %" if whole else "none"
            return f"{part:4d} of {whole:4d}  {percent:>8}  (at least {100 * bar:.0f} %)"

        return [
            f"main fault first         {share(self.first, self.broken, FIRST)}",
            f"among the first three    {share(self.among_three, self.broken, AMONG_THREE)}",
            f"mends tried and settled  {share(self.settled, self.findings, SETTLED)}",
            f"false verdicts           {self.false:4d} of {self.healthy:4d}            (none)",
            f"not judged               {self.undecided:4d}                    (none)",
        ]


def cases(folder: Path = CASES) -> list[Case]:
    """Every broken script, its mended version, and every healthy one."""
    found = []
    for truth in sorted(folder.glob("*broken/*/truth.json")):
        name = f"{truth.parent.parent.name}/{truth.parent.name}"
        faults = tuple(json.loads(truth.read_text(encoding="utf-8"))["faults"])
        found.append(Case(name, truth.parent / "broken.py", faults))
        if (truth.parent / "fixed.py").exists():
            found.append(Case(f"{name}, mended", truth.parent / "fixed.py"))
    found += [Case(f"{p.parent.name}/{p.stem}", p) for p in sorted(folder.glob("*healthy/*.py"))]
    return found


def judge(case: Case) -> Judged:
    """Check one script in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "train.py"
        shutil.copyfile(case.script, script)
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        root = Path(__file__).parent.parent
        path = os.pathsep.join(p for p in (str(root), os.environ.get("PYTHONPATH", "")) if p)
        try:
            answer = subprocess.run(
                [sys.executable, __file__, "--judge", str(script)], cwd=folder, capture_output=True, text=True,
                timeout=SECONDS, env={**os.environ, **one_thread, "PYTHONPATH": path}, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Judged(case, problem=f"no report within {SECONDS:g} s")
        if answer.returncode:
            return Judged(case, problem=(answer.stderr.strip().splitlines() or ["it died"])[-1])
        told = json.loads(answer.stdout.strip().splitlines()[-1])
    found = tuple(tuple(f) for f in told["found"])
    return Judged(case, found, told["silent"], told["verdict"], "", tuple(told["notes"]))


def score(judged: Iterable[Judged]) -> Score:
    """Count what was found, missed and accused."""
    judged = list(judged)
    decided = [j for j in judged if not j.problem]
    broken, healthy = [j for j in decided if j.case.faults], [j for j in decided if not j.case.faults]
    tries = [f for j in broken if j.silent for f in j.found]
    return Score(
        len(broken), sum(j.first for j in broken), sum(j.among_three for j in broken), len(healthy),
        sum(j.accused for j in healthy), len(tries), sum(f[3] for f in tries), len(judged) - len(decided),
    )  # fmt: skip


def missed(j: Judged) -> str:
    """What is wrong with a verdict, '' where nothing is."""
    got = ", ".join(rule if severity != "advice" else f"({rule})" for rule, severity, *_ in j.found) or "nothing"
    if j.problem:
        return f"NOT JUDGED  {j.case.name}: {j.problem}"
    if not j.case.faults:
        return f"FALSE       {j.case.name}: {got}" if j.accused else ""
    if j.first:
        return ""
    mark = "NOT FIRST " if j.among_three else "MISSED    "
    return f"{mark}  {j.case.name}: wanted {j.case.faults[0]}, found {got}"


def _report(script: str) -> None:
    """In the child: check the script and print what was found as one line of JSON."""
    import contextlib
    import io
    import warnings

    from sightline.check.examining import examine
    from sightline.check.watching.running import watch_script

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        recording = watch_script(script, time_limit=SECONDS / 2)
        report = examine(recording, script=script)
    found = []
    for f in report.findings:
        tried = f.tried is not None
        found.append((f.rule, f.severity.value, tried, tried and f.tried.settled))
    told = {"found": found, "silent": report.ending == "finished", "verdict": report.verdict, "notes": report.notes}
    sys.stdout.write(f"\n{json.dumps(told)}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="only cases with one of these in their names")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--judge", metavar="SCRIPT", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.judge:
        _report(chosen.judge)
        return 0
    wanted = [c for c in cases() if not chosen.parts or any(part in c.name for part in chosen.parts)]
    judged = []
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for j in pool.map(judge, wanted):
            judged.append(j)
            for line in filter(None, [missed(j), *(f"            note: {n}" for n in j.notes)]):
                print(line, flush=True)
    total = score(judged)
    print("", *total.lines(), sep="\n")
    return 0 if total.passed else 1


if __name__ == "__main__":
    sys.exit(main())
