"""Runs a problem's contenders: finds the loosest setting that is accurate enough, then times the leaders afresh."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import peers
from bench.objective import Point, value
from bench.peers.base import Contender, Setting
from bench.problems import CACHE, Instance, Problem, load
from bench.reference import Reference, certified
from bench.subprocesses import Child

ACCURACY = 1e-6


@dataclass(frozen=True)
class Rules:
    """How the race is run."""

    scale: float = 1.0
    threads: int = 1
    repeats: int = 5
    cap: float = 60.0
    """CPU seconds one attempt may take."""
    race: float = 20.0
    """An attempt may also not take longer than this many times the best so far (but always 2 s)."""
    intercept: bool = False
    search: bool = False
    """Search the ladders anew instead of starting from the settings found before."""


@dataclass
class Outcome:
    """What one contender did on one problem."""

    problem: str
    contender: str
    package: str
    status: str = "not run"
    """"ok", or in words why there is no time."""
    setting: dict[str, Any] = field(default_factory=dict)
    cpu: float = float("nan")
    wall: float = float("nan")
    cpu_min: float = float("nan")
    wall_min: float = float("nan")
    repeats: int = 0
    memory: int = 0
    suboptimality: float = float("nan")
    prime: float = float("nan")
    """Seconds of the priming fit: imports and compilation."""
    final: bool = False
    """Whether it was timed in a process of its own, with all the repeats."""
    says: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether it has a time that counts."""
        return self.status == "ok"

    def take(self, reply: dict[str, Any], gap: float, setting: Setting, cap: float) -> None:
        """Fill in from a child's reply."""
        self.setting, self.suboptimality = dict(setting), gap
        if "late" in reply:
            self.status = f"not within {cap:.3g} s"
        elif "error" in reply:
            self.status = reply["error"]
        else:
            self.status = "ok" if gap <= ACCURACY else f"inaccurate (reached {gap:.0e})"
            self.cpu, self.wall = median(reply["cpu"]), median(reply["wall"])
            self.cpu_min, self.wall_min = min(reply["cpu"]), min(reply["wall"])
            self.repeats, self.memory, self.says = len(reply["wall"]), reply["memory"], reply["says"]

    def as_json(self) -> dict[str, Any]:
        """For results.json."""
        return asdict(self)


class Race:
    """All contenders of one problem, against one reference."""

    def __init__(self, problem: Problem, rules: Rules) -> None:
        self.problem, self.rules = problem, rules
        self.reference: Reference = certified(problem)
        self.instance: Instance = load(problem)
        self.best = float("inf")
        self.memo = Memo(problem)
        self.child: Child | None = None

    def run(self, contender: Contender) -> Outcome:
        """Find a contender's setting and its time there, once, in a process shared with its package's others."""
        outcome = Outcome(self.problem.name, contender.name, contender.package)
        cap = self.rules.cap
        if contender.package != peers.OURS:
            cap = min(cap, max(2.0, self.rules.race * self.best))
        kept = None if self.rules.search else self.memo.get(contender)
        if kept and kept["index"] is None and kept["cap"] >= cap:
            outcome.status = kept["status"]
            return outcome
        index = kept["index"] if kept else None
        if index is not None:
            setting = contender.ladder[index]
            outcome.take(*self._ask(self._ready(contender, outcome), setting, 1, cap), setting, cap)
        if not outcome.ok:
            index = self._search(outcome, contender, cap)
        known = outcome.ok or outcome.status.startswith(("not within", "inaccurate"))
        if contender.package != peers.OURS and known:
            self.memo.put(contender, {"status": outcome.status, "index": index, "cap": cap})
            if outcome.ok:
                self.best = min(self.best, outcome.cpu)
        return outcome

    def final(self, outcomes: list[Outcome], leaders: int = 2) -> None:
        """Time the leaders of each precision and ours again, one after the other, each in its own process."""
        again: list[Outcome] = []
        for dtype in ("f32", "f64"):
            others = [o for o in outcomes if o.ok and o.package != peers.OURS and o.contender.endswith(dtype)]
            again += sorted(others, key=lambda o: o.cpu)[:leaders] + sorted(others, key=lambda o: o.wall)[:1]
        for outcome in outcomes:
            if any(outcome is o for o in again) or (outcome.package == peers.OURS and outcome.says):
                self.leave()
                child, cap = self._ready(peers.named(outcome.contender), outcome), self.rules.cap
                outcome.take(*self._ask(child, outcome.setting, self.rules.repeats, cap), outcome.setting, cap)
                outcome.final = True
        self.leave()

    def leave(self) -> None:
        """End the child, if there is one."""
        if self.child:
            self.child.close()
        self.child = None

    def _ready(self, contender: Contender, outcome: Outcome) -> Child:
        """A living child with this contender entered."""
        if self.child is None or not self.child.alive:
            self.child = Child([self.problem.name, self.rules.scale, self.rules.intercept], self.rules.threads)
        if self.child.entered != contender.name:
            outcome.prime = self.child.enter(contender.name).get("prime_seconds", float("nan"))
        return self.child

    def _search(self, outcome: Outcome, contender: Contender, cap: float) -> int | None:
        """Bisect the ladder for its loosest setting that is accurate enough; if none is, say so in the status."""
        low, high, late, closest = 0, len(contender.ladder) - 1, False, float("inf")
        middle, found, failed = high // 3, None, None
        while low <= high:
            setting = contender.ladder[middle]
            reply, gap = self._ask(self._ready(contender, outcome), setting, 1, cap)
            outcome.attempts.append({"setting": dict(setting), "gap": gap, "seconds": reply.get("wall")})
            closest = min(closest, gap)
            if gap <= ACCURACY or "late" in reply:
                high, late = middle - 1, late or "late" in reply
                found = found if "late" in reply else (middle, reply, gap)
            else:
                low, failed = middle + 1, (middle, reply, gap)
            middle = (low + high) // 2
        if chosen := found or failed:
            index, reply, gap = chosen
            outcome.take(reply, gap, contender.ladder[index], cap)
        if late and not found:
            outcome.suboptimality = closest
            outcome.status = f"not within {cap:.3g} s" + (f" (reached {closest:.0e})" if closest < float("inf") else "")
        return found[0] if found else None

    def _ask(self, child: Child, setting: Setting, repeats: int, cap: float) -> tuple[dict[str, Any], float]:
        """One request and the relative suboptimality of its weights, by the one objective."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "weights.npz"
            spend = min(2.0 * cap, 20.0) if repeats > 1 else 0.0
            request = {"setting": dict(setting), "repeats": repeats, "seconds": spend, "out": str(out)}
            reply = child.ask(request, cap + (spend + cap if repeats > 1 else 0.0))
            if "wall" not in reply:
                return reply, float("inf")
            with np.load(out) as weights:
                point = Point.of(self.instance, weights["coef"], weights["intercept"])
        return reply, self.reference.suboptimality(value(self.instance, point))


class Memo:
    """The settings found before, on disk: a search is slow, its answer hardly changes, and every timing is checked."""

    path = CACHE / "settings.json"

    def __init__(self, problem: Problem) -> None:
        self.key = problem.key

    def _all(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def _name(self, contender: Contender) -> str:
        return f"{self.key} {contender.name} {peers.version(contender.package)} {len(contender.ladder)}"

    def get(self, contender: Contender) -> dict[str, Any] | None:
        """What is known of a contender on this problem."""
        return self._all().get(self._name(contender))

    def put(self, contender: Contender, known: dict[str, Any]) -> None:
        """Keep it."""
        everything = self._all() | {self._name(contender): known | {"at": time.strftime("%Y-%m-%d")}}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(everything, indent=1))
