"""What the watcher holds is bounded, and what it does in long trainings thinned: counted in bytes, not by the clock."""

from __future__ import annotations

import gc

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sightline.check.watching import keeping, stretch
from sightline.check.watching.batches import Batches
from sightline.check.watching.operations import Operation, still_needed
from sightline.check.watching.recorder import Watcher


def held_bytes(*roots: object) -> int:
    """Bytes of the different pieces of memory that tensors reachable from some objects stand on."""
    seen: set[int] = set()
    storages: dict[int, int] = {}
    todo = list(roots)
    while todo:
        found = todo.pop()
        if id(found) in seen or isinstance(found, type) or callable(found) or type(found).__name__ == "module":
            continue
        seen.add(id(found))
        if isinstance(found, torch.Tensor):
            storage = found.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            continue
        todo += gc.get_referents(found)
    return sum(storages.values())


class Watching:
    """Watches a block of a test; the block's own tensors are not the test's to count."""

    def __init__(self, **options) -> None:
        self.watcher = Watcher(**options)

    def __enter__(self) -> Watcher:
        self.watcher.start()
        return self.watcher

    def __exit__(self, *_: object) -> None:
        self.watcher.stop()


def test_evaluations_between_two_passes_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(keeping, "MOST_HELD", 2**20)
    model = nn.Linear(50, 1000)
    X = torch.randn(64, 50)
    watcher = Watcher()
    watcher._most_held = 2**20
    watcher.start()
    most = 0
    for graded in (False, True):
        with torch.set_grad_enabled(graded):
            for step in range(60):  # 256 kB an answer
                model(X).softmax(1).argmax(1)
                if step % 7 == 0:
                    most = max(most, held_bytes(watcher._operations, watcher._tainted))
    loss = F.mse_loss(model(X), torch.zeros(64, 1000))
    loss.backward()
    watcher.stop()
    assert most < 4 * 2**20
    assert watcher.recording.unseen == 0 and watcher.recording.stretches[0].backwards == 1


def test_calls_that_nobody_can_need_are_told_from_the_others() -> None:
    w = torch.ones(3, requires_grad=True)
    operations: list[Operation] = []

    def call(function, *args):
        answer = function(*args)
        operations.append(Operation(function, args, {}, answer, True, None))
        return answer

    kept = call(torch.square, call(torch.mul, w, 2.0))
    call(torch.square, call(torch.mul, w, 3.0))
    left = still_needed(operations)
    assert [o.args[1:] for o in left] == [(2.0,), ()]
    assert left[-1].answer is kept


def test_a_large_full_batch_is_copied_once() -> None:
    X, y = torch.randn(60000, 100), torch.randn(60000, 1)
    model = nn.Linear(100, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    with Watching() as watcher:
        for step in range(8):
            opt.zero_grad()
            # A view, and a tensor made anew of the same numbers, in each step.
            inputs = X.view(60000, 100) if step < 4 else X.clone()
            F.mse_loss(model(inputs), y).backward()
            opt.step()
    (seen,) = watcher.recording.stretches
    assert len(seen.batches.entries) >= 2 and len(seen.beats) == 8
    own = held_bytes(X, y)
    assert held_bytes(seen.batches.entries, [b.program and b.program.values for b in seen.beats]) == own


def test_batches_stop_at_their_budget(monkeypatch) -> None:
    monkeypatch.setattr("sightline.check.watching.batches.MOST_BYTES", 100_000)
    batches = Batches()
    for _ in range(1000):
        batches.take([torch.randn(32, 10), torch.randn(32, 1)])
    assert batches.full and batches.spent
    assert held_bytes(batches.entries) <= 100_000 + 32 * 11 * 4


def test_batches_stop_when_rows_repeat_and_see_changes() -> None:
    batches, X = Batches(), torch.randn(100, 4)
    while not batches.full:
        batches.take([X[torch.randperm(100)[:50]]])
    assert not batches.spent and 40 <= len(batches.entries) <= 60
    batches = Batches()
    batches.take([X])
    X[0] = 0.0
    batches.take([X])
    batches.take([X])
    first, second, third = (entry[0] for entry in batches.entries)
    assert first[0].any() and not second[0].any() and third is second
    shared = X.numpy()
    shared[1] = 7.0
    batches.take([torch.from_numpy(shared)])
    assert batches.entries[-1][0][1].tolist() == [7.0] * 4
    for odd in (torch.eye(3).to_sparse(), torch.ones(2, dtype=torch.bfloat16), torch.ones(2, 2, dtype=torch.complex64)):
        batches.take([odd])
        batches.take([odd.clone()])


def test_weights_of_large_models_are_copied_in_few_close_looks(monkeypatch) -> None:
    monkeypatch.setattr(stretch, "MOST_COPIED", 60 * 2**20)
    model = nn.Linear(1000, 1000)
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    X = torch.randn(4, 1000)
    with Watching() as watcher:
        for _ in range(60):
            opt.zero_grad()
            model(X).square().mean().backward()
            opt.step()
    (seen,) = watcher.recording.stretches
    weights = 4 * 1_001_000
    assert seen.backwards == 60
    assert held_bytes(seen.beats, seen.path, seen.start) <= 60 * 2**20 + 8 * weights
    assert 3 < len(seen.beats) <= 20
    assert seen.beats[-1].number > 40  # the newest look is always there


def test_a_path_of_many_steps_is_thinned() -> None:
    seen = stretch.Stretch([torch.zeros(5000, requires_grad=True)], None)
    for k in range(200_000):
        seen.note_loss(float(k))
        if k < 3000:
            seen.note_path()
        seen.backwards += 1
    assert len(seen.losses) == len(seen.loss_at) <= stretch.MOST_LOSSES
    seen = stretch.Stretch([torch.zeros(2, requires_grad=True)], None)
    stretch_of = stretch.MOST_LOSSES
    for k in range(stretch_of + 3):
        seen.note_loss(float(k))
        seen.backwards += 1
    assert seen.loss_stride == 2 and seen.loss_at[:3] == [0, 2, 4]
    assert [seen.loss_at[i] for i in range(0, 3000, 700)] == [seen.losses[i] for i in range(0, 3000, 700)]


def train(model, n: int, X, y) -> torch.optim.Optimizer:
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(n):
        opt.zero_grad()
        F.mse_loss(model(X), y).backward()
        opt.step()
    return opt


DATA = torch.arange(64.0).reshape(32, 2) / 64, torch.ones(32, 1)


def test_long_trainings_are_thinned_and_their_counts_are_whole() -> None:
    model = nn.Linear(2, 1)
    with Watching() as watcher:
        train(model, 4000, *DATA)
        with torch.no_grad():
            model(DATA[0]).argmax(1)
    (seen,) = watcher.recording.stretches
    assert seen.backwards == watcher.recording.backwards == 4000
    assert 1500 < seen.skipped < 1900
    assert seen.counts == {"step": 4000, "zero_grad": 3999}
    assert len(seen.losses) == seen.watched
    assert seen.loss_at[:2001] == list(range(2001)) and seen.loss_at[-1] > 3980
    assert seen.optimizers[0].steps == 4000
    assert [c.name for c in watcher.recording.calls.values()] == ["argmax"]
    assert f"{seen.skipped} of 4000 backward passes were counted without a look." in watcher.recording.notes


@pytest.mark.parametrize("accumulated", [1, 4])
def test_every_tenth_pass_and_the_next_model(accumulated) -> None:
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    opt = torch.optim.Adam(first.parameters())
    with Watching(every=10) as watcher:
        for step in range(1200):
            F.mse_loss(first(DATA[0]), DATA[1]).backward()
            if (step + 1) % accumulated == 0:
                opt.step()
                opt.zero_grad()
        train(second, 30, *DATA)
    one, two = watcher.recording.stretches
    assert one.backwards == 1200 and one.skipped > 800
    assert one.optimizers[0].steps == one.counts["step"] == 1200 // accumulated
    # The second is noticed at its first step.
    assert 28 <= two.backwards <= 30 and two.counts["step"] == 30 - (30 - two.backwards)
    assert not first.weight._backward_hooks and not second.weight._backward_hooks


def test_every_tenth_pass_of_a_training_by_hand() -> None:
    w = torch.zeros(2, 1, requires_grad=True)
    with Watching(every=10) as watcher:
        for _ in range(1000):
            loss = (DATA[0] @ w - DATA[1]).square().mean()
            loss.backward()
            with torch.no_grad():
                w -= 0.01 * w.grad
            w.grad = None
    (seen,) = watcher.recording.stretches
    assert seen.backwards == 1000 and seen.skipped > 700
    assert seen.counts["update"] == pytest.approx(1000, abs=10)
    assert seen.counts["grad none"] == pytest.approx(1000, abs=10)


def test_a_parameter_that_is_reached_no_more() -> None:
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    opt = torch.optim.SGD([*a.parameters(), *b.parameters()], lr=0.01)
    with Watching(every=10) as watcher:
        for step in range(400):
            opt.zero_grad()
            out = a(DATA[0]) + b(DATA[0]) if step < 300 else b(DATA[0])
            F.mse_loss(out, DATA[1]).backward()
            opt.step()
    seen = max(watcher.recording.stretches, key=lambda s: s.backwards)
    assert seen.optimizers[0].steps == 400
    assert seen.beats[-1].number >= 250


def test_a_copy_or_a_pickle_of_a_watched_parameter() -> None:
    import copy
    import io

    model = nn.Linear(2, 1)
    with Watching(every=10):
        train(model, 605, *DATA)
        assert model.weight._backward_hooks
        again = copy.deepcopy(model)
        torch.save(model.state_dict(), io.BytesIO())
        torch.save(model, io.BytesIO())  # a warning would be an error here
    assert not again.weight._backward_hooks and torch.equal(again.weight, model.weight)


def test_failures_and_events_are_bounded() -> None:
    with Watching() as watcher:
        for _ in range(500):
            with pytest.raises(RuntimeError):
                torch.ones(2) @ torch.ones(3)
        w = torch.ones(2, requires_grad=True)
        w.sum().backward()
        for _ in range(3 * keeping.MOST_EVENTS):
            w.grad.zero_()
    assert len(watcher.recording.failures) == 50
    assert len(watcher.recording.stretches[0].tail) == keeping.MOST_EVENTS
    assert watcher.recording.stretches[0].counts["grad zeroed"] == 3 * keeping.MOST_EVENTS
