"""Each rule on short scripts: one with the fault, one that looks alike and is healthy, and what the finding says."""

from __future__ import annotations

import importlib
import pkgutil

import check_rule_cases
import pytest
from check_running import checked_text, serious

from sightline.check.pages import ids

# (rule, script with the fault, script that looks alike and is healthy, part of what the finding says)
TABLES = {
    module.name: importlib.import_module(f"check_rule_cases.{module.name}").CASES
    for module in pkgutil.iter_modules(check_rule_cases.__path__)
}
CASES = [
    pytest.param(*case, id=f"{name}{number}-{case[0]}")
    for name, table in TABLES.items()
    for number, case in enumerate(table)
]


@pytest.mark.parametrize(("rule", "broken", "healthy", "words"), CASES)
def test_the_fault_is_found_and_its_look_alike_is_not_accused(rule, broken, healthy, words, tmp_path):
    (tmp_path / "broken").mkdir()
    report = checked_text(tmp_path / "broken", broken)
    found = {f.rule: f for f in report.findings}
    assert rule in found, f"found {list(found)}; {report.verdict}"
    told = found[rule]
    assert words in f"{told.what} {told.why} {told.fix}", told
    assert rule in list(found)[:3], f"among the first three: {list(found)}"
    assert not any("could not be decided" in note for note in report.notes), report.notes

    (tmp_path / "healthy").mkdir()
    report = checked_text(tmp_path / "healthy", healthy)
    assert serious(report) == [], report.verdict
    assert rule not in [f.rule for f in report.findings if f.severity.value != "advice"]
    assert not any("could not be decided" in note for note in report.notes), report.notes


def test_each_rule_has_a_case():
    told = {case[0] for table in TABLES.values() for case in table}
    assert set(ids()) - told == set()
