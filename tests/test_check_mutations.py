"""Faults put into healthy trainings of all forms are found, and the trainings themselves are not accused.

A sample: `make scorecard` goes through 200 healthy trainings and through all faults in several of them.
"""

from __future__ import annotations

import check_mutations
import pytest
from check_mutations import FAULTS, jobs, judge
from check_trainings import BATCHES, HOLDERS, LOSSES, TASKS, UPDATES, trainings

HEALTHY = 8
SAMPLE = (
    "gradients never zeroed", "no step", "zeroed before the step", "targets (N,) beside outputs (N, 1)",
    "softmax before cross-entropy", "learning rate x 100", "optimizer of another module", "penalty of detached weights",
    "argmin of the scores",
)  # fmt: skip


@pytest.mark.parametrize("number", range(HEALTHY))
def test_a_healthy_training_is_not_accused(number):
    training = trainings(200)[number * 200 // HEALTHY]
    found = judge(("", training))
    assert found.right, f"{found.line()}\n{training.text}"


@pytest.mark.parametrize("name", SAMPLE)
def test_an_injected_fault_is_named_first(name):
    (job,) = jobs(0, 1, [name])
    found = judge(job)
    assert found.right, f"{found.line()}\n{found.training.text}"


def test_the_generated_trainings_are_of_all_forms():
    made = trainings(200)
    for values, of in ((TASKS, "task"), (HOLDERS, "holder"), (UPDATES, "update"), (BATCHES, "batches")):
        counts = [sum(getattr(t, of) == value for t in made) for value in values]
        assert min(counts) >= 200 // len(values) - 1, (of, counts)
    losses = {loss for each in LOSSES.values() for loss in each}
    assert {t.pieces["loss"].removeprefix("loss = ") for t in made} == losses
    assert len({t.text for t in made}) == 200


def test_each_fault_changes_the_text_and_stays_python():
    pool = trainings(60, seed=1)
    for fault in FAULTS:
        fits = [t for t in pool if fault.applies(t)]
        assert fits, fault.name
        for t in fits:
            broken = fault.inject(t).text
            assert broken != t.text, fault.name
            compile(broken, fault.name, "exec")


def test_the_count_fails_where_a_fault_is_missed(monkeypatch, capsys):
    job = ("no step", trainings(1)[0])  # nothing is injected: there is nothing to be found
    monkeypatch.setattr(check_mutations, "jobs", lambda *given: [job])
    monkeypatch.setattr(check_mutations, "ProcessPoolExecutor", _Here)
    assert check_mutations.main([]) == 1
    assert "MISSED" in capsys.readouterr().out


class _Here:
    """A pool that runs everything in this process."""

    def __init__(self, *given, **named):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *given):
        return False

    def map(self, function, given, chunksize=1):
        return map(function, given)
