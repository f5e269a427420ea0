"""``python -m bench.training``: trainings by the loop as people write it, and by Sightline's two engines.

Each number is taken in a process of its own, on one thread: "installed" ones with the library that an installation
from the sources builds, "nothing" ones with none, so that they pay for the C compiler.  Times are CPU seconds of the
process and its children for the whole ``train``, from the first line after the imports, and the least of some runs,
since other programs on the machine only ever add to them.  What is found when a result is first asked (its problem,
certificate and sentence) is a number of its own.  Exit status 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FASTER, WISHED = 200, 1000  # times the plain loop's steps per second on the Fahrenheit case
NEVER_SLOWER = 1.05  # cold, times the plain loop's seconds, beyond what two runs of the same loop differ by
SLACK = 0.001  # seconds of a call of ``train``, which the shortest trainings cannot win back
SAME = 1e-5  # of the weights, at float32
COLD_STEPS = (1, 10, 100, 1_000, 3_000, 10_000, 200_000)
COLD_REPEATS = 5
EPOCHS = 200  # of each of the grid's trainings
GRID = {"lr": (0.3, 0.1, 0.03, 0.01), "seed": (0, 1, 2), "batch_size": (1, 10)}


@dataclass(frozen=True)
class Case:
    """A training: what makes the data and module, the loss by name, the optimizer, and how long it goes on."""

    rows: Callable[[Any], tuple[Any, Any]]
    columns: int
    outputs: int
    loss: str
    optimizer: str
    settings: dict[str, Any]
    batch: int
    epochs: int


def fahrenheit(torch: Any) -> tuple[Any, Any]:
    """x = -100..99, positive where x > 32."""
    x = torch.arange(-100.0, 100.0).reshape(-1, 1)
    return x, (x > 32).float()


def normal(n: int, p: int, classes: int) -> Callable[[Any], tuple[Any, Any]]:
    """Normal columns; classes from noisy scores, or a noisy target where there are none."""

    def rows(torch: Any) -> tuple[Any, Any]:
        draw = torch.Generator().manual_seed(0)
        X = torch.randn(n, p, generator=draw)
        z = X @ torch.randn(p, max(classes, 1), generator=draw) / p**0.5 + torch.randn(
            n, max(classes, 1), generator=draw
        )
        return X, z.argmax(1) if classes else z

    return rows


CASES = {
    "fahrenheit": Case(fahrenheit, 1, 1, "BCEWithLogitsLoss", "SGD", {"lr": 0.1}, 1, 1000),
    "iris-like, Adam": Case(normal(100, 4, 3), 4, 3, "CrossEntropyLoss", "Adam", {"lr": 0.1}, 33, 2000),
    "50 columns, momentum": Case(normal(5000, 50, 0), 50, 1, "MSELoss", "SGD", {"lr": 0.01, "momentum": 0.9}, 32, 50),
    "pictures": Case(normal(6000, 784, 10), 784, 10, "CrossEntropyLoss", "SGD", {"lr": 0.1}, 64, 20),
}


ROWS = {"fahrenheit": 200, "iris-like, Adam": 100, "50 columns, momentum": 5000, "pictures": 6000}


def cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def warm_up(torch: Any) -> None:
    """Take some steps: PyTorch imports and prepares much when it is first used, which is the same for all."""
    module = torch.nn.Linear(2, 2)
    for kind in (torch.optim.SGD, torch.optim.Adam):
        optimizer = kind(module.parameters(), lr=0.1)
        for loss in (torch.nn.MSELoss(), torch.nn.BCEWithLogitsLoss(), torch.nn.CrossEntropyLoss()):
            optimizer.zero_grad()
            loss(module(torch.ones(3, 2)), torch.ones(3, 2)).backward()
            optimizer.step()


def child(name: str, way: str, steps: int) -> None:
    """Train once (warm: a second time) and print the seconds and the last weights."""
    import torch

    from sightline import Recipe, train

    case = CASES[name]
    torch.set_num_threads(1)
    warm_up(torch)
    torch.manual_seed(0)
    module = torch.nn.Linear(case.columns, case.outputs)
    X, y = case.rows(torch)
    per_epoch = -(-len(X) // case.batch)
    if steps < per_epoch:
        X, y, per_epoch = X[: steps * case.batch], y[: steps * case.batch], steps
    epochs = max(steps // per_epoch, 1)
    loss = getattr(torch.nn, case.loss)()
    recipe = Recipe(case.optimizer, batch_size=case.batch, epochs=epochs, **case.settings)
    start = {k: v.clone() for k, v in module.state_dict().items()}
    if way == "warm":
        train(module, (X, y), loss, recipe, engine="compiled")
        module.load_state_dict(start)
    certified = 0.0
    wall, begun = time.perf_counter(), cpu()
    if way == "plain":
        optimizer = getattr(torch.optim, case.optimizer)(module.parameters(), **case.settings)
        for _ in range(epochs):
            for first in range(0, len(X), case.batch):
                optimizer.zero_grad()
                loss(module(X[first : first + case.batch]), y[first : first + case.batch]).backward()
                optimizer.step()
        engine = "plain"
    else:
        kind = "exact" if way == "exact" else "compiled"
        result = train(module, (X, y), loss, recipe, engine=kind)
        engine = result.engine
    took, waited = cpu() - begun, time.perf_counter() - wall
    if way == "warm":
        begun = cpu()
        assert result.certificate is not None
        certified = cpu() - begun
    weights = torch.cat([p.detach().flatten() for p in module.parameters()]).tolist()
    found = {"cpu": took, "wall": waited, "weights": weights, "engine": engine, "steps": epochs * per_epoch}
    print(json.dumps({**found, "certified": certified}))


def grid_child(way: str) -> None:
    """Train a grid of recipes on the Fahrenheit rows, standardised; print the seconds."""
    import torch

    import sightline as sl

    torch.set_num_threads(1)
    torch.manual_seed(0)
    X, y = fahrenheit(torch)
    X = (X - X.mean()) / X.std()
    module, loss = torch.nn.Linear(1, 1), torch.nn.BCEWithLogitsLoss()
    recipes = sl.grid(sl.Recipe(epochs=EPOCHS, shuffle=True), **GRID)
    sl.train(torch.nn.Linear(1, 1), (X, y), loss, sl.Recipe(batch_size=1, epochs=200), engine="compiled", certify=False)
    begun = cpu()
    if way == "grid":
        sl.train_grid(module, (X, y), loss, recipes, certify=False)
    elif way == "one thread":
        sl.train_grid(module, (X, y), loss, recipes, threads=1, certify=False)
    else:
        stacked(torch, X, y, module, recipes)
    steps = sum(EPOCHS * -(-200 // int(r.batch_size or 200)) for r in recipes)
    print(json.dumps({"cpu": cpu() - begun, "steps": steps}))


def stacked(torch: Any, X: Any, y: Any, module: Any, recipes: list[Any]) -> None:
    """The same grid as tensor operations: recipes of one batch size side by side, one operation for all of them."""
    for size in GRID["batch_size"]:
        of_size = [recipe for recipe in recipes if recipe.batch_size == size]
        rate = torch.tensor([recipe.lr for recipe in of_size])[:, None]
        w = module.weight.detach().reshape(1, 1).repeat(len(of_size), 1)
        b = module.bias.detach().reshape(1, 1).repeat(len(of_size), 1)
        generators = [torch.Generator().manual_seed(recipe.seed) for recipe in of_size]
        x, t = X[:, 0], y[:, 0]
        for _ in range(EPOCHS):
            order = torch.stack([torch.randperm(len(x), generator=g) for g in generators])
            for batch in order.split(size, dim=1):
                slope = (torch.sigmoid(x[batch] * w + b) - t[batch]) / batch.shape[1]
                w = w - rate * (slope * x[batch]).sum(1, keepdim=True)
                b = b - rate * slope.sum(1, keepdim=True)


def measure(arguments: list[str], cache: str, bare: bool = False) -> dict[str, Any]:
    """What a child prints.  bare : as if no installation had built a library."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "SIGHTLINE_CACHE": cache,
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "sightline-bench-pycache")),
    }  # fmt: skip
    if bare:
        arguments = [*arguments, "--bare"]
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled to bytecode
    done = subprocess.run(
        [sys.executable, "-m", "bench.training", *arguments], check=True, capture_output=True, text=True,
        env=environment, cwd=ROOT,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(name: str, way: str, steps: int, cache: str, repeats: int = 1) -> dict[str, Any]:
    """The least of some runs; one from nothing has an empty cache of its own each time."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as own:
            place = own if way == "nothing" else cache
            found.append(measure(["--child", name, "--way", way, "--steps", str(steps)], place, way == "nothing"))
    least = {key: min(f[key] for f in found) for key in ("cpu", "wall", "certified")}
    return {**found[0], **least}


def difference(one: list[float], other: list[float]) -> float:
    """Relative to the weights' size."""
    return max(abs(a - b) for a, b in zip(one, other)) / max(abs(a) for a in one)


def engines(cache: str, share: float) -> bool:
    """Every case by every engine; whether the goals are met."""
    met = True
    print(f"{'training':22}{'steps':>9}{'plain µs':>10}{'exact':>8}{'nothing':>9}{'installed':>10}{'warm':>8}"
          f"{'certified':>11}{'difference':>12}")  # fmt: skip
    for name, case in CASES.items():
        steps = max(int(case.epochs * share), 1) * -(-ROWS[name] // case.batch)
        repeats = {"plain": 2, "exact": 2, "nothing": 1, "installed": 2, "warm": 3}
        ways = {way: run(name, way, steps, cache, times) for way, times in repeats.items()}
        plain, warm = ways["plain"], ways["warm"]
        ratio = {way: plain["cpu"] / found["cpu"] for way, found in ways.items()}
        ratio["certified"] = plain["cpu"] / (warm["cpu"] + warm["certified"])
        off = difference(ways["exact"]["weights"], warm["weights"])
        same = ways["exact"]["weights"] == plain["weights"]
        print(
            f"{name:22}{plain['steps']:9,}{1e6 * plain['cpu'] / plain['steps']:10.1f}{ratio['exact']:7.2f}x"
            f"{ratio['nothing']:8.1f}x{ratio['installed']:9.1f}x{ratio['warm']:7.0f}x{ratio['certified']:10.0f}x{off:12.1e}"
            + ("" if same else "  the exact engine is not the plain loop!")
            + ("" if warm["engine"] == "compiled" else f"  ({warm['engine']})"),
            flush=True,
        )
        met &= same and off <= SAME
        if name == "fahrenheit":
            met &= ratio["warm"] >= FASTER
            print(f"  goal {FASTER}x" + (", and the one wished for, 1,000x, is met" if ratio["warm"] >= WISHED else ""))
    return met


def cold(cache: str, share: float) -> bool:
    """Short and long trainings in processes that have trained nothing; whether one is slower than the plain loop."""
    met = True
    for way in ("installed", "nothing"):
        for name in ("fahrenheit", "pictures"):
            library = "as installed" if way == "installed" else "with no library built yet"
            print(f"\n{name}, the first training of a process, {library}: CPU milliseconds, least of {COLD_REPEATS}")
            print(f"{'steps':>9}{'plain':>10}{'compiled':>10}{'ratio':>8}")
            for steps in COLD_STEPS:
                if steps > 200_000 * share or (name == "pictures" and steps > 10_000):
                    continue
                repeats = COLD_REPEATS if steps < 100_000 else 1
                plain, ours = (run(name, kind, steps, cache, repeats) for kind in ("plain", way))
                ratio = ours["cpu"] / plain["cpu"]
                met &= ours["cpu"] <= NEVER_SLOWER * plain["cpu"] + SLACK
                line = f"{plain['steps']:9,}{1e3 * plain['cpu']:10.1f}{1e3 * ours['cpu']:10.1f}{ratio:8.2f}"
                print(f"{line}  {ours['engine']}", flush=True)
    return met


def build_installed(folder: Path) -> None:
    """Both precisions, as ``hatch_build.py`` does."""
    from sightline.recipes.compiled import building

    folder.chmod(0o700)
    for single in (True, False):
        command = building.command_for(single)
        if command is not None:
            building.build(command, folder, building.key_of(command))


def grids(cache: str) -> None:
    """A grid of recipes in three ways."""
    print("\na grid of 24 recipes, CPU seconds")
    for way in ("grid", "one thread", "stacked"):
        found = measure(["--grid", way], cache)
        print(f"{way:>12}{found['cpu']:9.2f} s{1e6 * found['cpu'] / found['steps']:10.2f} µs a step")


def main() -> int:
    """Measure everything, or be the child of such a run."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the epochs, for a quick look")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--grid", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        from sightline.recipes.compiled import building

        building.INSTALLED /= "nowhere"
    if given.child:
        child(given.child, given.way, given.steps)
        return 0
    if given.grid:
        grid_child(given.grid)
        return 0
    with tempfile.TemporaryDirectory() as cache:
        # What an installation builds; here from these sources, whatever is installed.
        build_installed(Path(cache))
        met = engines(cache, given.share)
        met &= cold(cache, given.share)
        grids(cache)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
