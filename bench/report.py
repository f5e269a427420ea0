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

SLACK = 1e-9
"""What the reference itself may be off by, when a proven gap is compared with the true one."""


@dataclass(frozen=True)
class Line:
    """A problem's result: ours, the best peers, and what is wrong with ours if anything is."""

    problem: str
    data_bytes: int
    outcomes: list[Outcome]
    error: str = ""

    def ours(self, dtype: str) -> Outcome | None:
        """Ours on data of a precision, ``f64`` or ``f32``."""
        return next((o for o in self.outcomes if o.package == peers.OURS and o.contender.endswith(dtype)), None)

    def peer(self, clock: str, dtype: str = "") -> Outcome | None:
        """The fastest peer by ``cpu`` or ``wall``, of a precision or of any."""
        others = [o for o in self.outcomes if o.ok and o.package != peers.OURS and o.contender.endswith(dtype)]
        return min(others, key=lambda o: getattr(o, clock)) if others else None

    def ratio(self, clock: str, dtype: str = "") -> float:
        """Best peer's time over ours, of a precision or each at its best; not a number where one has no time."""
        mine = [o for o in self.outcomes if o.ok and o.package == peers.OURS and o.contender.endswith(dtype)]
        best = self.peer(clock, dtype)
        if not (best and mine):
            return math.nan
        return float(getattr(best, clock) / min(getattr(o, clock) for o in mine))

    @property
    def alarms(self) -> list[str]:
        """Claims of ours that are not so."""
        said = []
        for o in (self.ours("f64"), self.ours("f32")):
            if o is None or math.isnan(o.suboptimality) or not o.says:
                continue
            gap = o.says["relative_gap"]
            if o.says["verdict"] in ("OPTIMAL", "NOT_UNIQUE") and o.suboptimality > ACCURACY:
                said.append(f"FALSE {o.says['verdict']} ({o.contender[-3:]}: {o.suboptimality:.1e})")
            elif o.suboptimality > gap + SLACK:
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


HEAD = ("problem", "ours f64", "ours f32", "best peer f64", "s", "best peer f32", "s", "ratio f64", "ratio f32", "best")
HEAD += ("best, wall", "goal / floor", "reached", "true gap", "proven gap", "MB ours", "MB peer", "MB X", "said")


def _status(o: Outcome | None, otherwise: str = "") -> str:
    """CPU seconds, or the reason for none."""
    return otherwise if o is None else seconds(o.cpu) if o.ok else o.status[:40]


def row(line: Line) -> list[str]:
    """A problem's line of the main table: CPU seconds, and ratios of CPU seconds where nothing else is said."""
    ours, goal, ratio = line.ours("f64"), GOALS[line.problem], line.ratio("cpu")
    good = "-" if math.isnan(ratio) else "goal" if ratio >= goal.goal else "floor" if ratio >= goal.floor else "NO"
    cells = [line.problem, _status(ours, line.error or "not run"), _status(line.ours("f32"))]
    for dtype in ("f64", "f32"):
        peer = line.peer("cpu", dtype)
        cells += [peer.contender.removesuffix(" " + dtype), seconds(peer.cpu)] if peer else ["none", ""]
    ratios = (line.ratio("cpu", "f64"), line.ratio("cpu", "f32"), ratio, line.ratio("wall"))
    cells += [*map(seconds, ratios), f"{goal.goal:g} / {goal.floor:g}", good]
    known = ours is not None and bool(ours.says)
    cells += [f"{ours.suboptimality:.0e}", f"{ours.says['relative_gap']:.0e}"] if ours and known else ["", ""]
    beside = line.peer("cpu", "f64")
    cells += [megabytes(ours.memory) if ours and ours.ok else "", megabytes(beside.memory) if beside else ""]
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
    table.columns[0].no_wrap = True
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
    best = [line.ratio("cpu") for line in lines]
    known = sum(not math.isnan(r) for r in best)
    which = (("cpu", "f64"), ("cpu", "f32"), ("wall", ""))
    f64, f32, wall = (seconds(geometric_mean(line.ratio(*w) for line in lines)) for w in which)
    return (
        f"geometric mean of {known} in {len(lines)} problems, each at its best: {seconds(geometric_mean(best))} (CPU),"
        f" {wall} (wall); on float64 data {f64}, on float32 data {f32} (CPU); goal {GEOMETRIC_MEAN_GOAL:g}"
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
                "ratio_cpu_f64": line.ratio("cpu", "f64"),
                "ratio_cpu_f32": line.ratio("cpu", "f32"),
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
    folder.mkdir(parents=True, exist_ok=True)
    as_json, as_text = folder / "results.json", folder / "results.md"
    as_json.write_text(json.dumps(data, indent=1))
    as_text.write_text("\n\n".join(text) + "\n")
    return as_json, as_text
