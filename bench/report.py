"""The tables: one line a problem, and every contender of every problem; for the terminal, in Markdown and in JSON."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import peers
from bench.goals import GEOMETRIC_MEAN_GOAL, GOALS
from bench.race import ACCURACY, Outcome, Rules


@dataclass(frozen=True)
class Line:
    """A problem's result: ours, the best peers, and what is wrong with ours if anything is."""

    problem: str
    data_bytes: int
    outcomes: list[Outcome]
    error: str = ""

    def _ours(self, dtype: str) -> Outcome | None:
        return next((o for o in self.outcomes if o.package == peers.OURS and o.contender.endswith(dtype)), None)

    @property
    def ours(self) -> Outcome | None:
        """Ours on float64 data."""
        return self._ours("f64")

    @property
    def ours32(self) -> Outcome | None:
        """Ours on float32 data."""
        return self._ours("f32")

    def best(self, clock: str) -> Outcome | None:
        """The fastest peer of any precision by ``cpu`` or ``wall``."""
        others = [o for o in self.outcomes if o.ok and o.package != peers.OURS]
        return min(others, key=lambda o: getattr(o, clock)) if others else None

    def ratio(self, clock: str) -> float:
        """Best peer's time over ours (on float64 data); not a number where one of them has no time."""
        best = self.best(clock)
        if not (best and self.ours and self.ours.ok):
            return math.nan
        return float(getattr(best, clock) / getattr(self.ours, clock))

    @property
    def alarms(self) -> list[str]:
        """Claims of ours that are not so."""
        said = []
        for o in (self.ours, self.ours32):
            if o is None or math.isnan(o.suboptimality) or not o.says:
                continue
            gap = o.says["relative_gap"]
            if o.says["verdict"] == "OPTIMAL" and o.suboptimality > ACCURACY:
                said.append(f"FALSE OPTIMAL ({o.contender[-3:]}: {o.suboptimality:.1e})")
            elif o.suboptimality > gap + 1e-12:
                said.append(f"GAP BELOW TRUTH ({o.contender[-3:]}: says {gap:.1e}, is {o.suboptimality:.1e})")
        return said


def seconds(s: float) -> str:
    """Three digits."""
    return "-" if math.isnan(s) else f"{s:.3g}" if s < 100 else f"{s:.0f}"


def megabytes(b: int) -> str:
    """Rounded."""
    return f"{b / 2**20:.0f}"


def geometric_mean(ratios: Iterable[float]) -> float:
    """Over the ratios there are."""
    known = [r for r in ratios if not math.isnan(r)]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else math.nan


HEAD = ("problem", "ours CPU s", "(wall)", "f32 data", "best peer", "CPU s", "(wall)", "ratio CPU", "ratio wall")
HEAD += ("goal / floor", "reached", "true gap", "proven gap", "MB ours", "MB peer", "MB X", "said")


def row(line: Line) -> list[str]:
    """A problem's line of the main table."""
    ours, best, goal = line.ours, line.best("cpu"), GOALS[line.problem]
    ratio = line.ratio("cpu")
    good = "-" if math.isnan(ratio) else "goal" if ratio >= goal.goal else "floor" if ratio >= goal.floor else "NO"
    f32 = line.ours32
    cells = [line.problem]
    if ours and ours.ok:
        cells += [seconds(ours.cpu), seconds(ours.wall)]
    else:
        cells += [ours.status[:40] if ours else line.error or "not run", ""]
    cells += [seconds(f32.cpu) if f32 and f32.ok else f32.status[:30] if f32 else ""]
    cells += [best.contender, seconds(best.cpu), seconds(best.wall)] if best else ["none", "", ""]
    cells += [seconds(ratio), seconds(line.ratio("wall")), f"{goal.goal:g} / {goal.floor:g}", good]
    known = ours is not None and bool(ours.says)
    cells += [f"{ours.suboptimality:.0e}", f"{ours.says['relative_gap']:.0e}"] if ours and known else ["", ""]
    cells += [megabytes(ours.memory) if ours and ours.ok else "", megabytes(best.memory) if best else ""]
    cells += [megabytes(line.data_bytes), "; ".join(line.alarms) or (ours.says["verdict"] if ours and known else "")]
    return cells


def contender_rows(line: Line) -> list[list[str]]:
    """Every contender of a problem, fastest first, then those without a time."""
    rows = []
    for o in sorted(line.outcomes, key=lambda o: (not o.ok, o.cpu if o.ok else 0.0)):
        setting = ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in o.setting.items())
        if o.ok:
            times = [seconds(o.cpu), seconds(o.wall), megabytes(o.memory), f"{o.suboptimality:.0e}"]
        else:
            times = [o.status, "", "", ""]
        rows.append([o.contender, setting, *times])
    return rows


CONTENDER_HEAD = ("contender", "setting", "CPU s", "wall s", "MB", "gap")


def print_contenders(console: Console, line: Line) -> None:
    """One problem's full table."""
    table = Table(*CONTENDER_HEAD, title=line.problem, title_justify="left")
    for cells in contender_rows(line):
        table.add_row(*cells)
    console.print(table)


def print_summary(console: Console, lines: Sequence[Line]) -> None:
    """The main table and the geometric means."""
    table = Table(*HEAD)
    for line in lines:
        cells = row(line)
        style = "bold red" if line.alarms else "red" if "NO" in cells else None
        table.add_row(*cells, style=style)
    console.print(table)
    console.print(means(lines))
    for line in lines:
        for alarm in line.alarms:
            console.print(f"[bold red]{line.problem}: {alarm}")


def means(lines: Sequence[Line]) -> str:
    """The last line."""
    cpu, wall = ([line.ratio(clock) for line in lines] for clock in ("cpu", "wall"))
    known = sum(not math.isnan(r) for r in cpu)
    return (
        f"geometric mean over {known} of {len(lines)} problems: {seconds(geometric_mean(cpu))} (CPU), "
        f"{seconds(geometric_mean(wall))} (wall); goal {GEOMETRIC_MEAN_GOAL:g}"
    )


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |" for cells in lines)


def versions() -> dict[str, str]:
    """Of every package in the race."""
    return {name: peers.version(name) for name in peers.PACKAGES}


def write(lines: Sequence[Line], rules: Rules, folder: Path) -> tuple[Path, Path]:
    """results.json and results.md."""
    about = {"rules": asdict(rules), "versions": versions(), "python": platform.python_version()}
    data: dict[str, Any] = about | {"problems": []}
    for line in lines:
        data["problems"].append(
            {
                "problem": line.problem,
                "data_bytes": line.data_bytes,
                "ratio_cpu": line.ratio("cpu"),
                "ratio_wall": line.ratio("wall"),
                "alarms": line.alarms,
                "error": line.error,
                "outcomes": [o.as_json() for o in line.outcomes],
            }
        )
    text = [
        f"Best peer's time over ours, both to a relative suboptimality of {ACCURACY:g}, {rules.threads} thread(s), "
        f"median of {rules.repeats}" + (f", at scale {rules.scale:g}" if rules.scale != 1 else "") + ".",
        _markdown_table(HEAD, map(row, lines)),
        means(lines),
    ]
    text += [f"## {line.problem}\n\n" + _markdown_table(CONTENDER_HEAD, contender_rows(line)) for line in lines]
    text.append("Versions: " + ", ".join(f"{k} {v}" for k, v in about["versions"].items()) + ".")
    as_json, as_text = folder / "results.json", folder / "results.md"
    as_json.write_text(json.dumps(data, indent=1))
    as_text.write_text("\n\n".join(text) + "\n")
    return as_json, as_text
