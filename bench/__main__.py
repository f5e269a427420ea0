"""``python -m bench``: Sightline and its peers on one machine in one run, to the same objective value."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from bench import peers, report
from bench.problems import PROBLEMS
from bench.race import Outcome, Race, Rules

HERE = Path(__file__).parent


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    rules = Rules()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("problems", nargs="*", help=f"of {', '.join(PROBLEMS)}; all if none is named")
    add("--only", default="", help="problems, separated by commas")
    add("--peers", default="all", help="packages, or 'all', 'none', or 'best': the leaders of the run before")
    add("--no-ours", action="store_true", help="leave Sightline out")
    add("--scale", type=float, default=rules.scale, help="share of the rows (wide problems: columns)")
    add("--threads", type=int, default=rules.threads)
    add("--repeats", type=int, default=rules.repeats)
    add("--cap", type=float, default=rules.cap, help="CPU seconds one attempt may take")
    add("--race", type=float, default=rules.race, help="an attempt may take this many times the best peer's time")
    add("--budget", type=float, default=float("inf"), help="seconds after which no new problem is begun")
    add("--intercept", action="store_true", help="with an intercept, not penalised")
    add("--search", action="store_true", help="search every peer's setting anew")
    add("--out", type=Path, default=HERE, help="folder of results.json and results.md")
    return parser.parse_args(argv)


def chosen_problems(named: list[str], only: str) -> list[str]:
    """The problems named, or all."""
    names = [*named, *(name for name in only.split(",") if name)] or list(PROBLEMS)
    if unknown := [name for name in names if name not in PROBLEMS]:
        raise SystemExit(f"no problem named {', '.join(unknown)}; there are {', '.join(PROBLEMS)}")
    return names


def standings(folder: Path) -> dict[str, list[str]]:
    """The three fastest contenders of each problem in the run before."""
    path = folder / "results.json"
    if not path.exists():
        raise SystemExit("--peers best needs the results of a run before")
    found = {}
    for problem in json.loads(path.read_text())["problems"]:
        timed = [o for o in problem["outcomes"] if o["status"] == "ok" and o["package"] != peers.OURS]
        found[problem["problem"]] = [o["contender"] for o in sorted(timed, key=lambda o: o["cpu"])[:3]]
    return found


def run(name: str, rules: Rules, packages: list[str], only: list[str] | None, console: Console) -> report.Line:
    """All contenders on one problem."""
    problem = PROBLEMS[name].at_scale(rules.scale, rules.intercept)
    start = time.perf_counter()
    race = Race(problem, rules)
    reference, took = race.reference, time.perf_counter() - start
    console.print(
        f"[bold]{name}[/] {problem.n:,} x {problem.p:,} {problem.loss} {problem.penalty}:"
        f" optimum {reference.value:.8g}, itself certified to {reference.relative_gap:.0e} ({took:.1f} s)"
    )
    outcomes: list[Outcome] = []
    try:
        for package in packages:
            if not peers.installed(package):
                outcomes.append(Outcome(name, package, package, "not installed"))
                continue
            for contender in peers.entered(problem, package):
                if only is not None and package != peers.OURS and contender.name not in only:
                    continue
                outcomes.append(outcome := race.run(contender))
                took = f"{report.seconds(outcome.cpu)} s" if outcome.ok else outcome.status
                console.print(f"  {contender.name}: {took}", highlight=False)
            race.leave()
        race.final(outcomes)
    finally:
        race.leave()
    line = report.Line(name, race.instance.data_bytes, outcomes)
    report.print_contenders(console, line)
    return line


def main(argv: list[str] | None = None) -> int:
    """Run, print, write. Exit status 1 where Sightline claimed what is not so."""
    args = arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else 230)
    rules = Rules(
        **{k: getattr(args, k) for k in ("scale", "threads", "repeats", "cap", "race", "intercept", "search")}
    )
    best = standings(args.out) if args.peers == "best" else None
    others = [p for p in peers.PACKAGES if p != peers.OURS]
    packages = {"all": others, "best": others, "none": []}.get(args.peers, args.peers.split(","))
    if unknown := [p for p in packages if p not in peers.PACKAGES]:
        raise SystemExit(f"no peer named {', '.join(unknown)}; there are {', '.join(others)}")
    packages = packages + ([] if args.no_ours else [peers.OURS])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start, lines = time.perf_counter(), []
    for name in chosen_problems(args.problems, args.only):
        if time.perf_counter() - start > args.budget:
            lines.append(report.Line(name, 0, [], "not run: out of time"))
            continue
        try:
            lines.append(run(name, rules, packages, best.get(name, []) if best is not None else None, console))
        except Exception as error:
            console.print_exception()
            lines.append(report.Line(name, 0, [], f"{type(error).__name__}: {error}"))
        written = report.write(lines, rules, args.out)
    report.print_summary(console, lines)
    console.print("written: " + ", ".join(path.name for path in written))
    return 1 if any(line.alarms for line in lines) else 0


if __name__ == "__main__":
    raise SystemExit(main())
