"""The pages of the rules: their shape, and the documentation that is made of them."""

from __future__ import annotations

from pathlib import Path

import check_reports as made
import pytest
from markdown_it import MarkdownIt

from sightline.check import pages
from sightline.check.pages import PageError, faults, ids, read, unknown, write, written

ROOT = Path(__file__).resolve().parent.parent
GOOD = made.RULE_PAGE.format(title="The learning rate is too high")


@pytest.fixture
def folder(tmp_path):
    """A folder of rules of which one is none."""
    (tmp_path / "lr_too_high.py").write_text(GOOD + "raise RuntimeError('imported')\n", encoding="utf-8")
    (tmp_path / "_helper.py").write_text(GOOD, encoding="utf-8")
    (tmp_path / "base.py").write_text('"""What rules share."""\n', encoding="utf-8")
    (tmp_path / "bare.py").write_text("x = 1\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("rule", ids())
def test_every_rule_has_a_page_of_the_fixed_shape(rule):
    assert faults(read(rule)) == []


def test_the_documentation_of_the_rules_is_up_to_date():
    target = ROOT / "docs" / "rules"
    there = {path.name: path.read_text(encoding="utf-8") for path in target.glob("*.md")}
    now = written()
    stale = [name for name in {*there, *now} if there.get(name) != now.get(name)]
    assert not stale, f"`make rules` writes them anew: {', '.join(sorted(stale))}"


def test_pages_are_read_without_running_the_rules(folder):
    assert ids(folder) == ["lr-too-high"]
    page = read("lr-too-high", folder)
    assert page.title == "The learning rate is too high"
    assert [name for name, _ in page.sections] == list(pages.SECTIONS)
    assert page.section("Why it matters") == "Steps overshoot."
    assert page.section("No such") == ""
    assert faults(page) == []


def test_a_page_as_documentation_marks_its_excerpts(folder):
    text = read("lr-too-high", folder).markdown()
    assert text.startswith("# lr-too-high\n\nThe learning rate is too high.\n\n## What it finds\n\nA learning rate")
    fences = [token.info for token in MarkdownIt().parse(text) if token.type == "fence"]
    assert fences == ["py", "py"]  # ```python would be run as an example of the documentation


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("The learning rate is too high\n\n", "\n\n", "first line must say"),
        ("The learning rate is too high", "x" * 101, "101 letters"),
        ("high\n\n", "high\nand low\n\n", "one line, with an empty line"),
        ("## Why it matters\nSteps overshoot.\n", "", "must be, in order,"),
        ("## Why it matters", "## Whyever", "they are What it finds, Whyever"),
        ("Steps overshoot.", "", "'Why it matters' is empty"),
        ("```python\nlr = 0.1\n```", "Write less.", "'Instead' needs a block"),
        ("lr = 10\n", "lr = = 10\n", "'Example' is not Python"),
        ("```\n\n## How", "\n\n## How", "not closed"),
    ],
)
def test_another_shape_is_told(tmp_path, old, new, fault):
    assert old in GOOD
    (tmp_path / "a_rule.py").write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    found = faults(read("a-rule", tmp_path))
    assert any(fault in sentence for sentence in found), found


def test_unknown_rules_name_the_nearest(folder):
    with pytest.raises(PageError, match="no rule 'lr-to-high'; did you mean 'lr-too-high'"):
        read("lr-to-high", folder)
    assert unknown("lr_too_high", ["lr-too-high"]).endswith("'lr-too-high'?")
    assert unknown("zzz", ["lr-too-high"]).endswith("lists them all")
    (folder / "bad.py").write_text("def\n", encoding="utf-8")
    with pytest.raises(PageError, match=r"bad\.py is not Python"):
        ids(folder)


def test_writing_brings_a_folder_up_to_date(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("docs") / "rules"
    assert write(target, folder) == ["index.md", "lr-too-high.md"]
    assert write(target, folder) == []
    assert "| [lr-too-high](lr-too-high.md) | The learning rate is too high |" in (target / "index.md").read_text()
    (folder / "lr_too_high.py").rename(folder / "lr_too_low.py")
    assert write(target, folder) == ["index.md", "lr-too-high.md", "lr-too-low.md"]
    assert sorted(path.name for path in target.iterdir()) == ["index.md", "lr-too-low.md"]


def test_the_module_writes_only_pages_of_the_right_shape(folder, tmp_path_factory, monkeypatch, capsys):
    target = tmp_path_factory.mktemp("docs")
    monkeypatch.setattr(pages, "RULES", folder)
    assert pages.main(["--write", str(target)]) == 0
    assert capsys.readouterr().out.split() == [str(target / "index.md"), str(target / "lr-too-high.md")]
    (folder / "lr_too_high.py").write_text(GOOD.replace("Steps overshoot.", ""), encoding="utf-8")
    assert pages.main(["--write", str(target)]) == 1
    assert "lr-too-high: the section 'Why it matters' is empty" in capsys.readouterr().err
    assert "Steps overshoot." in (target / "lr-too-high.md").read_text(encoding="utf-8")
