"""The tour as it is told: on a terminal, in its short form, on a page, and by the command line."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html import unescape
from html.parser import HTMLParser

import browser
import pytest
import torch
from click.testing import CliRunner

from sightline.cli import main
from sightline.tour import CASES, Case, find
from sightline.tour.page import page
from sightline.tour.story import BEST, GAVE, REACHES, TRIED, WHY, Code, Picture, Replay, Table, number, share
from sightline.tour.terminal import Teller

HEADINGS = (TRIED, GAVE, BEST, WHY, REACHES)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def stories():
    return {case.name: case.story(short=True) for case in CASES}


class Terminal(io.StringIO):
    """A terminal, for what asks."""

    def isatty(self):
        return True


def told(story, width=100, short=False):
    out = io.StringIO()
    Teller(out, width).story(story, short)
    return out.getvalue()


@pytest.mark.parametrize(("value", "digits", "words"), [
    (0, 3, "0"), (0.001, 1, "0.001"), (0.1, 1, "0.1"), (0.25, 2, "0.25"), (2.0, 3, "2"), (1.999999999999995, 3, "2"),
    (-65.0, 3, "−65"), (2.998, 3, "3.00"), (0.5173021463, 10, "0.5173021463"), (1234567.0, 3, "1,234,567"),
    (3.4e-12, 1, "3e−12"), (833.375, 3, "833"), (0.00055, 1, "0.0006"), (100000.0, 1, "100,000"),
])  # fmt: skip
def test_numbers_in_words(value, digits, words):
    assert number(value, digits) == words


def test_shares_in_words():
    assert [share(v) for v in (0.92, 0.925, 1.0, 0.0)] == ["92 %", "92.5 %", "100 %", "0 %"]


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_a_story_answers_all_five_questions_in_order(stories, name):
    story = stories[name]
    headings = [scene.heading for scene in story.scenes if scene.heading in HEADINGS]
    assert sorted(headings) == sorted(HEADINGS) and headings[0] == TRIED and headings[1] == GAVE
    assert headings[-1] == REACHES
    assert len(story.outcome) == 5
    kinds = {type(part) for part in story.parts()}
    assert {str, Code, Table, Picture} <= kinds
    for table in (part for part in story.parts() if isinstance(part, Table)):
        assert all(len(row) == len(table.header) for row in table.rows)
    text = told(story)
    assert not re.search(r"\bnan\b|\binf\b|None(?! of)(?!,|})", text)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_piped_text_is_plain_and_folded(stories, width):
    for story in stories.values():
        text = told(story, width)
        assert "\x1b" not in text and not re.search(r"[ \t]\n", text) and "\n\n\n" not in text
        words = [line for line in text.splitlines() if line and not line.startswith((" ", "=="))]
        assert max(map(len, words)) <= width


def test_code_fits_a_terminal_of_80_columns(stories):
    code = [part.text for story in stories.values() for part in story.parts() if isinstance(part, Code)]
    long = [line for text in code for line in text.splitlines() if len(line) > 76]
    assert long == []


def test_a_terminal_gets_colours_and_no_backticks(stories):
    out = Terminal()
    Teller(out).story(stories["two-points"])
    assert "\x1b[" in out.getvalue() and "`" not in out.getvalue()
    assert "weight_decay=0.2" in out.getvalue()


def test_the_short_form_is_the_outcome_alone(stories):
    for story in stories.values():
        text = told(story, short=True)
        assert all(heading in text for heading, _ in story.outcome)
        assert len(text.splitlines()) < 20 and GAVE not in text


def test_the_short_form_leaves_out_the_long_runs(stories):
    from sightline.tour import fahrenheit

    facts = fahrenheit.facts(short=True)
    assert facts.all_right is None and facts.far is None
    assert "every answer is right from epoch" not in told(stories["fahrenheit"])


# ------------------------------------------------------------------------------------------------- the command line


def sightline(*arguments, code=0):
    done = CliRunner().invoke(main, ["tour", *arguments], prog_name="sightline")
    assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
    return done


@pytest.mark.parametrize("name", ["3", "two-points", "two_points", "Two-Points"])
def test_a_case_is_found_by_number_and_name(name):
    assert find(name).name == "two-points"


def test_short_tells_all_five(stories, monkeypatch):
    asked = []
    monkeypatch.setattr(Case, "story", lambda case, short: asked.append(short) or stories[case.name])
    text = sightline("--short").stdout
    assert re.findall(r"^== (\d)", text, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert asked == [True] * 5
    assert "0.5173021463" in text and "34.0°" in text and "0.06907700791" in text


def test_mistakes_are_sentences(tmp_path):
    assert "no case '6'" in sightline("6", code=2).stderr and "3 two-points" in sightline("6", code=2).stderr
    assert "--short" in sightline("3", "--short", "--out", str(tmp_path), code=2).stderr
    (tmp_path / "file").write_text("mine")
    assert "is a file" in sightline("3", "--out", str(tmp_path / "file"), code=2).stderr
    (tmp_path / "two-points.html").write_text("mine")
    assert "not written by Sightline" in sightline("3", "--out", str(tmp_path), code=2).stderr
    assert (tmp_path / "two-points.html").read_text() == "mine"


def test_out_writes_the_page_beside_the_text(tmp_path, monkeypatch):
    monkeypatch.setattr("sightline.tour.page.page", lambda stories: "<!doctype html>" + stories[0].title)
    done = sightline("3", "--out", str(tmp_path / "new" / "folder"))
    place = tmp_path / "new" / "folder" / "two-points.html"
    assert place.read_text() == "<!doctype html>Two points, one line" and str(place) in done.stdout
    assert WHY in done.stdout


# --------------------------------------------------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def html(stories):
    return page([stories["two-points"]])


class Checker(HTMLParser):
    """Every element is closed in its turn, nothing is loaded from elsewhere, every picture has words."""

    EMPTY = {"meta", "img", "source", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.pictures, self.frames = [], [], 0, []

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        for name in ("src", "srcset"):
            assert told.get(name, "data:image/").startswith("data:image/")
        if tag == "img":
            self.pictures += 1
            assert len(told["alt"]) > 40 and int(told["width"]) > 0
        if tag == "iframe":
            assert told["title"]
            self.frames.append(told["srcdoc"])
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(stories, html):
    assert "http://" not in html and "https://" not in html
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    parts = list(stories["two-points"].parts())
    assert checker.pictures == sum(isinstance(part, Picture) for part in parts)
    assert all("In step with the replay" not in frame for frame in checker.frames)
    assert len(checker.frames) == sum(isinstance(part, Replay) for part in parts) == 1
    assert html.count("prefers-color-scheme: dark") >= checker.pictures


def test_the_policy_names_the_scripts_that_are_there(html):
    allowed = set(re.findall(r"'sha256-[^']+'", html.split("</head>")[0]))
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    scripts += [unescape(s) for s in re.findall(r"&lt;script&gt;(.*?)&lt;/script&gt;", html, re.DOTALL)]
    digests = {f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts}
    assert len(scripts) == 2 and digests == allowed


def test_the_page_of_all_lists_them(stories, monkeypatch):
    monkeypatch.setattr("sightline.tour.page._picture", lambda picture: "")
    monkeypatch.setattr("sightline.tour.page._replay", lambda replay: "")
    whole = page(list(stories.values()))
    for case in CASES:
        assert f'href="#{case.name}"' in whole and f'id="{case.name}"' in whole
    Checker().feed(whole)


@pytest.mark.skipif(browser.find() is None, reason="needs Chromium")
def test_the_page_shows_and_replays_in_a_browser(html, tmp_path):
    place = tmp_path / "two-points.html"
    place.write_text(html, encoding="utf-8")
    with browser.browser() as shown:
        shown.open(place)
        frame = "document.querySelector('iframe').contentDocument"
        step = f"{frame}.querySelector('input[type=range]')"
        assert shown.run(f"{step} !== null")
        assert shown.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert shown.run(
            "new Promise(done => setTimeout(() => done(Math.abs("
            f"document.querySelector('iframe').clientHeight - {frame}.querySelector('main').offsetHeight) < 12), 300))"
        )
        assert shown.run("document.documentElement.scrollWidth <= innerWidth")
        for at, words in (("0", "0 of 101"), (f"{step}.max", "101 of 101")):
            shown.run(f"{step}.value = {at}, {step}.dispatchEvent(new Event('input', {{bubbles: true}})), 0")
            assert words in shown.run(f"{frame}.body.innerText")
        drawn = "document.querySelector('.picture img').currentSrc"
        light = shown.run(drawn)
        assert shown.errors == [] and all(url.startswith(("file:", "data:", "about:")) for url in shown.requests)
        shown.open(place, 390, 800, dark=True)
        assert shown.run("document.documentElement.scrollWidth <= innerWidth")
        assert shown.run(drawn) == shown.run("document.querySelector('.picture source').srcset") != light
        assert shown.errors == []
