"""``python -m bench.check_overhead``: what watching a training costs, on small models, where it weighs most.

Each row is one training, run plain and watched in turns; times are CPU time a step in microseconds, the least of
several rounds, so that other work on the machine weighs little. "first" is the first thousand steps, in which
everything is looked at; "later" is after that, when the data are known; "every=100" is later too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sightline.check.watching.recorder import Watcher

ROWS, COLUMNS, BATCH = 1024, 10, 32
FIRST, KNOWN, ROUND = 1024, 6144, 512  # steps
GOAL, GOAL_SPARSE = 3.0, 1.10


def _data() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    X = torch.randn(ROWS, COLUMNS)
    return X, X @ torch.randn(COLUMNS, 1) + 0.1 * torch.randn(ROWS, 1)


def _module(optimizer: type[torch.optim.Optimizer], loader: bool) -> Iterator[None]:
    X, y = _data()
    model, loss_fn = nn.Linear(COLUMNS, 1), nn.MSELoss()
    opt = optimizer(model.parameters(), lr=0.01)  # type: ignore[call-arg]
    batches = DataLoader(TensorDataset(X, y), batch_size=BATCH, shuffle=True)
    while True:
        if loader:
            for xb, yb in batches:
                opt.zero_grad()
                loss = loss_fn(model(xb), yb)
                loss.backward()
                opt.step()
                yield
        else:
            for i in range(0, ROWS, BATCH):
                opt.zero_grad()
                loss = loss_fn(model(X[i : i + BATCH]), y[i : i + BATCH])
                loss.backward()
                opt.step()
                yield


def _by_hand(anew: bool) -> Iterator[None]:
    X, y = _data()
    w, b = torch.zeros(COLUMNS, requires_grad=True), torch.zeros(1, requires_grad=True)
    while True:
        for i in range(ROWS):
            loss = ((X[i] @ w + b - y[i]) ** 2).sum()
            loss.backward()
            if anew:
                w = (w - 0.001 * w.grad).detach().requires_grad_()
                b = (b - 0.001 * b.grad).detach().requires_grad_()
            else:
                with torch.no_grad():
                    w -= 0.001 * w.grad
                    b -= 0.001 * b.grad
                    w.grad.zero_()
                    b.grad.zero_()
            yield


TRAININGS: dict[str, Callable[[], Iterator[None]]] = {
    "slices, SGD": lambda: _module(torch.optim.SGD, False),
    "slices, Adam": lambda: _module(torch.optim.Adam, False),
    "DataLoader, SGD": lambda: _module(torch.optim.SGD, True),
    "DataLoader, Adam": lambda: _module(torch.optim.Adam, True),
    "by hand, sample by sample": lambda: _by_hand(False),
    "by hand, new leaves": lambda: _by_hand(True),
}


def _time(steps: Iterator[None], count: int) -> float:
    """CPU microseconds a step."""
    begun = time.process_time()
    for _ in range(count):
        next(steps)
    return (time.process_time() - begun) / count * 1e6


def measure(name: str, rounds: int) -> tuple[float, float, float, float]:
    """Microseconds a step: plain, watched in the first steps, watched later, and later with every=100."""
    plain, first, later, sparse = [], [], [], []
    for _ in range(rounds):
        plain.append(_time(TRAININGS[name](), ROUND))
        watcher = Watcher()
        watcher.start()
        first.append(_time(TRAININGS[name](), FIRST))
        watcher.stop()
    for every, times in ((None, later), (100, sparse)):
        steps, watcher = TRAININGS[name](), Watcher(every=every)
        watcher.start()
        _time(steps, KNOWN)
        times += [_time(steps, ROUND) for _ in range(2 * rounds)]
        watcher.stop()
        plain += [_time(TRAININGS[name](), ROUND) for _ in range(rounds)]
    return min(plain), min(first), min(later), min(sparse)


def main() -> int:
    """Print the table; exit status 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    missed = 0
    print(f"{'training':27}{'plain':>8}{'first':>8}{'':7}{'later':>8}{'':7}{'every=100':>10}")
    for name in TRAININGS:
        plain, first, later, sparse = measure(name, rounds)
        missed += first > GOAL * plain or later > GOAL * plain or sparse > GOAL_SPARSE * plain
        print(
            f"{name:27}{plain:8.0f}{first:8.0f} {first / plain:4.2f}x {later:8.0f} {later / plain:4.2f}x "
            f"{sparse:10.0f} {sparse / plain:4.2f}x", flush=True,
        )  # fmt: skip
    print(f"goals: {GOAL:g}x, and {GOAL_SPARSE:g}x with every=100")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
