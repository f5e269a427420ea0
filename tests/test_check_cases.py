"""A few of the cases of check, the scorecard's arithmetic, and the shape of all cases; `make scorecard` runs them."""

from __future__ import annotations

import json

import pytest
from check_running import checked, serious
from check_scorecard import CASES, Case, Judged, cases, missed, score

from sightline.check.pages import ids

FAST = (
    "given_broken/12_gradients_cleared_at_the_wrong_time", "given_broken/15_height_weight_life_nothing_moves",
    "given_broken/33_l1_without_effect", "broken/b_loss_good_answers_bad", "broken/b_level_comes_out_low",
    "broken/super_int",
)  # fmt: skip
HEALTHY = ("healthy/weight_decay_on_bias_groups", "healthy/argmin_for_prediction_of_distances",
           "given_healthy/02_by_hand_grad_none")  # fmt: skip
BY_NAME = {case.name: case for case in cases()}


def _run(case, tmp_path):
    script = tmp_path / "train.py"  # a name that tells nothing
    script.write_bytes(case.script.read_bytes())
    return checked(script, attempt=False)


@pytest.mark.parametrize("name", FAST)
def test_the_main_fault_is_named_first(name, tmp_path):
    case = BY_NAME[name]
    report = _run(case, tmp_path)
    assert [f.rule for f in report.findings][:1] == [case.faults[0]], report.verdict


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_script_is_not_accused(name, tmp_path):
    report = _run(BY_NAME[name], tmp_path)
    assert serious(report) == [], report.verdict


def test_every_case_names_faults_that_are_rules():
    known = set(ids())
    wrong = {c.name: c.faults for c in BY_NAME.values() if set(c.faults) - known}
    assert not wrong


def test_every_broken_case_is_whole():
    for truth in CASES.glob("*broken/*/truth.json"):
        told = json.loads(truth.read_text(encoding="utf-8"))
        assert told["faults"], truth
        assert told["explanation"], truth
        for script in ("broken.py", "fixed.py"):
            compile((truth.parent / script).read_text(encoding="utf-8"), script, "exec")
    for given in CASES.glob("given_broken/*"):
        assert (given / "source.txt").read_text(encoding="utf-8").strip(), given


def _found(*rules):
    return tuple((rule, "error", True, True) for rule in rules)


BROKEN, SOUND = Case("broken", CASES, ("missing-step",)), Case("healthy", CASES)
FIRST = Judged(BROKEN, _found("missing-step"))
SECOND = Judged(BROKEN, _found("lr-too-low", "missing-step"))


@pytest.mark.parametrize(
    ("judged", "passes"),
    [
        ([FIRST] * 9 + [SECOND], True),
        ([FIRST] * 8 + [SECOND] * 2, False),
        ([FIRST] * 9 + [Judged(BROKEN)], False),
        ([FIRST, Judged(SOUND, (("lr-too-low", "advice", False, False),))], True),
        ([FIRST, Judged(SOUND, _found("lr-too-low"))], False),
        ([FIRST, Judged(BROKEN, problem="no report")], False),
    ],
)
def test_the_score_holds_the_bars(judged, passes):
    assert score(judged).passed is passes


def test_what_was_missed_is_said():
    assert missed(Judged(BROKEN, _found("missing-step"))) == ""
    assert missed(Judged(BROKEN, _found("lr-too-low"))).startswith("MISSED")
    assert missed(Judged(BROKEN, _found("lr-too-low", "missing-step"))).startswith("NOT FIRST")
    assert missed(Judged(SOUND, _found("lr-too-low"))).startswith("FALSE")
    assert missed(Judged(SOUND)) == ""
