"""The faces of a report of check: terminal, JSON and page, of made-up reports."""

from __future__ import annotations

import html
import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import check_reports as made
import numpy as np
import pytest
from browser import browser, find
from rich.cells import cell_len

from sightline.check.drawn import Drawn
from sightline.check.faces import as_json
from sightline.check.faces import pictures as faces
from sightline.check.faces.encoding import encodable
from sightline.check.faces.page import page
from sightline.check.faces.pictures import loss_curve, pictures, possible, trajectory_of
from sightline.check.faces.terminal import plain_text, show
from sightline.check.finding import Finding, Number, Outcome, Place, Report, Severity, Tried
from sightline.check.verdict import verdict
from sightline.show.saving import alt_text

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """A terminal of so many columns, as rich sees it."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def coloured(monkeypatch):
    """A report as a terminal of a width gets it."""

    def shown(report: Report, width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        out = Terminal()
        show(report, out)
        return out.getvalue()

    return shown


# ------------------------------------------------------------------------------------------------------ terminal


def test_a_finding_reads_as_a_compilers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = made.broken(Path())
    text = plain_text(replace(report, findings=report.findings[:1]), 80)
    assert text == """\
train.py  2,000 rows, 1 column, gradient descent by hand, learning rate 1e−6,
5,000 steps

error[ill-conditioned-features]: the steps that the slope bears are 87,000 times
too small for the bias
  --> train.py:10
   |
 9 | lr = 1e-6
10 | for t in range(5000):
   | ^^^^^^^^^^^^^^^^^^^^^
11 |     loss = ((a * x + b - y) ** 2).mean()
   |
   measured  87,000  condition number of the inputs with the bias
   bound     2,100   the most that 5,000 steps can bring to within 1 %
   why       The inputs span −500 to 500, so the curvature along the slope is
             1.7e5 and along the bias 2. The step that is safe for the one
             leaves 99 % of the way of the other.
   fix       + x = (x - x.mean()) / x.std()
             + lr = 0.5
               for t in range(5000):
   tried     Inputs standardised, learning rate 0.5, the same 5,000 steps.
                                        loss  above the optimum
             as it ended             1,038.2       11,520 times
             your recipe, mended  0.09010213             ≤ 2e−8
             proven optimum        0.0901021            ≤ 3e−13

note: Of 5,000 steps every 10th was recorded whole.
`sightline rule ill-conditioned-features` says more about the first finding.
The training ended at a loss of 1,038; the proven optimum is 0.0901.
1 error: the bias is where it began; the training ended 11,500 times above the
optimum
"""


@pytest.mark.parametrize(
    ("gap", "last"),
    [(2e-7, "✓ at the optimum (gap 2e−7)"), (0.0, "✓ at the optimum (gap 0)"),
     (0.003, "✓ stopped 0.3 % above the optimum; nothing wrong was found"),
     (2e-5, "✓ stopped 2e−5 of its value above the optimum; nothing wrong was found")],
)  # fmt: skip
def test_a_healthy_training_gets_one_line(gap, last):
    assert plain_text(made.healthy(gap)).splitlines()[-1] == last


def test_the_verdict_is_the_last_line_and_counts_the_findings(tmp_path):
    report = made.broken(tmp_path)
    assert plain_text(report, 200).splitlines()[-1].startswith("2 errors, 1 warning, 1 piece of advice: the bias is")
    advised = replace(made.healthy(), findings=(made.advice(),))
    assert plain_text(advised).splitlines()[-1] == "✓ at the optimum (gap 2e−7) (1 piece of advice)"


def test_verdicts_name_the_first_finding_and_the_distance(tmp_path):
    where = made.place(tmp_path)
    findings = (made.advice(), made.ill_conditioned(where))
    assert verdict(findings, Outcome(gap=2.5)) == (
        "the steps that the slope bears are 87,000 times too small for the bias;"
        " the training ended 2.5 times its value above the optimum"
    )
    assert verdict((), None) == "nothing wrong was found"
    assert verdict((), None, "stopped by the time limit") == "stopped by the time limit; nothing wrong was found"
    assert verdict((), Outcome(gap=math.nan)) == "nothing wrong was found"


@pytest.mark.parametrize("width", [30, 40, 80, 100])
def test_words_keep_within_the_width_and_code_of_a_fix_is_never_cut(tmp_path, width, coloured):
    report = made.broken(tmp_path)
    fixes = {line.strip() for f in report.findings for line in f.fix.splitlines()}
    for text in (plain_text(report, width), ESCAPE.sub("", coloured(report, width))):
        for line in text.splitlines():
            beyond = cell_len(line) > width
            assert not beyond or line.lstrip("fix +") in {f.lstrip("fix +") for f in fixes} or str(tmp_path) in line
        for fix in fixes:
            assert fix in text


def test_long_lines_of_code_are_cut_and_underlined_to_their_cut(tmp_path):
    where = made.place(tmp_path, 2, f"import torch\n{made.LONG}\n# {'好' * 60}\n")
    text = plain_text(replace(made.healthy(), findings=(made.ill_conditioned(where),)), 80)
    code = [line for line in text.splitlines() if line.startswith(("1 |", "2 |", "3 |"))]
    under = next(line for line in text.splitlines() if "^" in line)
    assert len(code) == 3
    assert all(cell_len(line) <= 80 for line in [*code, under])
    assert code[1].endswith("…") and code[2].endswith("…")
    assert under.count("^") == len(code[1]) - len("2 | ")


def test_colours_stand_on_a_terminal_and_not_in_a_pipe(tmp_path, coloured):
    report = made.broken(tmp_path)
    text = coloured(report, 80)
    assert "\x1b[1;31merror[ill-conditioned-features]" in text
    assert re.search(r"\x1b\[2m *lr = 1e-6", text)  # a neighbour, dim
    assert "\x1b[32m+ x = (x - x.mean()) / x.std()" in text
    assert "\x1b" not in plain_text(report)
    out = io.StringIO()
    show(report, out)
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_stream_of_few_letters_gets_their_likeness(tmp_path, encoding):
    report = made.broken(tmp_path)
    where = made.place(tmp_path, 1, "größe = '好'\n")
    beneath = io.BytesIO()
    out = io.TextIOWrapper(beneath, encoding=encoding, errors="strict", write_through=True)
    show(replace(report, findings=(made.ill_conditioned(where),)), out)
    show(made.healthy(), out)
    text = beneath.getvalue().decode(encoding)
    assert "<= 2e-8" in text or "≤ 2e-8" in text
    assert "gap 2e-7" in text
    assert "'?'" in text
    assert encodable("w → ∞ ✓", "no-such-encoding") == "w -> inf ok:"


def test_code_that_would_move_the_cursor_is_shown_as_letters(tmp_path):
    where = made.place(tmp_path, 1, "x = '\x1b[2J\x07'\n")
    finding = replace(made.ill_conditioned(where), what="a \x1b[31m b\nc")
    text = plain_text(replace(made.healthy(), findings=(finding,), error="E\r\x1b[1A"))
    assert "\x1b" not in text and "\x07" not in text and "\r" not in text
    assert "x = '\ufffd[2J\ufffd'" in text


def test_code_is_shown_alone_where_the_file_is_gone_or_has_changed(tmp_path):
    where = made.place(tmp_path)
    Path(where.file).write_text("# another\n" * 20, encoding="utf-8")
    changed = plain_text(replace(made.healthy(), findings=(made.ill_conditioned(where),)))
    assert "10 | for t in range(5000):" in changed
    assert "another" not in changed
    Path(where.file).unlink()
    assert plain_text(replace(made.healthy(), findings=(made.ill_conditioned(where),))) == changed


def test_lines_of_a_fix_that_only_move_are_marked_once(tmp_path):
    text = "loss.backward()\noptimizer.zero_grad()\noptimizer.step()\n"
    where = made.place(tmp_path, 2, text)
    fix = "optimizer.zero_grad()\nloss.backward()\noptimizer.step()"
    finding = replace(made.ill_conditioned(where), fix=fix, tried=None)
    shown = plain_text(replace(made.healthy(), findings=(finding,)))
    marks = re.findall(r"([+ ]) (loss\.backward|optimizer\.\w+)\(\)$", shown, re.MULTILINE)
    assert [m for m in marks if m[0] == "+"] == [("+", "optimizer.zero_grad")]


def test_a_fix_without_room_beside_its_label_stands_below_it(tmp_path):
    finding = replace(made.separable(made.place(tmp_path)), fix="short = 1\n" + "x" * 72)
    text = plain_text(replace(made.healthy(), findings=(finding,)), 80)
    assert "   fix\n   + short = 1\n   + " + "x" * 72 + "\n" in text


def test_numbers_that_are_texts_are_said_after_what_they_are(tmp_path):
    where = made.place(tmp_path)
    text = plain_text(replace(made.healthy(), findings=(made.shapes(where),)), 60)
    assert "differences that the loss averages: (100, 1)" in " ".join(text.split())
    assert "bound     targets that there are: 100" in text


def test_errors_limits_notes_and_other_places_are_said(tmp_path):
    where = made.place(tmp_path)
    others = (Place("model.py", 3, "x"), Place("model.py", 9, "x"))
    finding = replace(made.ill_conditioned(where), others=others)
    report = replace(made.healthy(), findings=(finding,), error="RuntimeError: shapes", ending="error")
    text = plain_text(replace(report, unrecovered="two losses"))
    assert "ended in an error: RuntimeError: shapes" in text
    assert "also at   model.py:3, model.py:9" in text
    assert "note: two losses" in text
    stopped = plain_text(replace(made.healthy(), ending="stopped by the time limit"))
    assert "stopped by the time limit: what follows holds for what was seen until then" in stopped


# ------------------------------------------------------------------------------------------------------ JSON


def test_json_has_what_the_command_promises(tmp_path):
    report = made.broken(tmp_path)
    told = json.loads(as_json.dumps(report))
    assert told["schema"] == 1
    assert {"findings", "optimum", "reached", "verdict", "training", "ending", "error", "notes", "script"} <= set(told)
    assert [f["rule"] for f in told["findings"]] == [f.rule for f in report.findings]
    first = told["findings"][0]
    assert {"rule", "severity", "where", "measured", "bound", "why", "fix", "tried"} <= set(first)
    assert first["severity"] == "error"
    assert first["where"]["line"] == 10 and first["where"]["code"] == "for t in range(5000):"
    assert first["measured"] == {"value": 8.7e4, "what": "condition number of the inputs with the bias", "text": ""}
    assert first["tried"]["settled"] is True
    assert told["healthy"] is False
    assert as_json.to_dict(made.healthy())["verdict"] == "at the optimum (gap 2e−7)"


def test_json_comes_back_as_it_was(tmp_path):
    report = replace(
        made.broken(tmp_path),
        training={"lr": math.inf, "losses": [1.0, math.nan, -math.inf],
                  "deep": {"gap": math.nan, "of": [[math.inf, 2]]}, "note_text": "NaN", "note": "x", "empty": None,
                  "empty_text": "said"},
        reached=Outcome(loss=math.nan, gap=math.inf), error="E", ending="error", unrecovered="none",
    )  # fmt: skip
    finding = replace(
        report.findings[0], measured=Number(math.inf, "rate", "∞"), bound=Number(None, "x"), weight=math.nan,
        others=(Place("a.py", 3, "y", "f"),),
    )  # fmt: skip
    report = replace(report, findings=(finding, *report.findings[1:]), drawn=made.line_drawn(10))
    again = as_json.loads(as_json.dumps(report))
    assert repr(again) == repr(report)  # by their text, in which NaN equals NaN
    assert again.findings[1:] == report.findings[1:]


def test_json_is_strict_and_says_what_is_no_number():
    report = Report(
        "t.py", "v", (), Outcome(math.nan), Outcome(math.inf, gap=-math.inf),
        training={"lr": np.float32("nan"), "shape": (2, np.int64(3)), "w": np.array([1.0, np.inf]),
                  "kind": Severity.ERROR},
    )  # fmt: skip

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    told = json.loads(as_json.dumps(report), parse_constant=refuse)
    assert told["optimum"]["loss"] is None and told["optimum"]["loss_text"] == "NaN"
    assert told["reached"]["loss_text"] == "Infinity" and told["reached"]["gap_text"] == "-Infinity"
    assert told["training"] == {
        "lr": None, "lr_text": "NaN", "shape": [2, 3], "w": [1.0, None], "w_text": [None, "Infinity"],
        "kind": "Severity.ERROR",
    }  # fmt: skip


def test_json_of_another_schema_is_refused():
    with pytest.raises(ValueError, match="schema 2"):
        as_json.from_dict({**as_json.to_dict(made.healthy()), "schema": 2})


# ------------------------------------------------------------------------------------------------------ pictures


@pytest.fixture(scope="module")
def of_a_line():
    return pictures(made.line_drawn())


def test_a_known_problem_gives_its_pictures(of_a_line):
    line, notes = of_a_line
    assert [re.sub(r"[\d,.]+", "#", p.title) for p in line] == [
        "# above the optimum after # steps", "Line #\u00a0x\u00a0−\u00a0# after # steps",
        "# above the optimum after # steps", "# of # directions less than half way after # steps",
    ]  # fmt: skip
    assert notes == []
    for p in line:
        assert p.light.startswith("data:image/png;base64,") and p.light != p.dark
        assert p.title in p.alternative


def test_the_optimum_of_the_pictures_is_that_of_least_squares():
    drawn = made.line_drawn()
    path = trajectory_of(drawn)
    assert path is not None
    assert path.lowest == pytest.approx(drawn.optimum, rel=1e-9)
    assert path.values[-1] == pytest.approx(drawn.losses[-1], rel=1e-12)
    ridge = trajectory_of(replace(drawn, l2=0.2, bias_l2=0.3))
    assert ridge is not None
    w, b = drawn.path[-1]
    assert ridge.values[-1] == pytest.approx(drawn.losses[-1] + 2 * (0.1 * w**2 + 0.15 * b**2), rel=1e-12)


def test_separable_classes_show_the_infimum_and_the_direction():
    drawn = made.classes_drawn(6.0, steps=60)
    path = trajectory_of(drawn)
    assert path is not None
    names = [name for name, _, _ in possible(path)]
    assert names == ["gap", "decision boundary", "loss surface", "norm and direction", "curvature"]
    whole, _ = pictures(replace(drawn, path=None, no_minimum=True, optimum=0.0))
    assert "above the infimum" in whole[0].title


def test_an_optimum_that_is_known_is_not_found_again(monkeypatch):
    drawn = made.line_drawn(100)
    path = trajectory_of(drawn)
    assert path is not None and path.optimum.weights is not None
    known = replace(drawn, best=path.optimum.weights.flat().numpy(), certificate=path.optimum.certificate)
    monkeypatch.setattr(faces, "SOLVED", 0)
    monkeypatch.setattr("sightline.show.trajectories.optimum_of", None)
    again = trajectory_of(known)
    assert again is not None
    assert again.lowest == path.lowest and again.optimum.certificate is path.optimum.certificate
    assert trajectory_of(drawn) is None  # too large to be solved for a picture
    assert [name for name, _, _ in possible(again)] == ["gap", "fitted line", "loss surface", "curvature"]
    monkeypatch.setattr(faces, "WORK", 0)
    few = trajectory_of(replace(known, path=np.ones((500, 2)), path_steps=range(500)))
    assert few is not None and len(few) <= 24 and (few.steps[0], few.steps[-1]) == (0, 499)


def test_a_training_whose_problem_is_not_known_shows_its_losses():
    drawn = replace(made.line_drawn(200), loss="", batches=True)
    (shown,), notes = pictures(drawn)
    assert shown.title.startswith("The loss ends at") and notes == []
    assert "one batch" in shown.alternative
    bad = loss_curve(Drawn(losses=[1.0, 2.0, math.nan], steps=[0, 1, 2]))
    assert "stops being a number" in alt_text(bad)
    assert pictures(Drawn()) == ([], []) and pictures(None) == ([], [])


def test_what_cannot_be_drawn_is_said_and_no_error():
    drawn = made.line_drawn(100)
    (only,), notes = pictures(replace(drawn, path=drawn.path[:, :1]))
    assert only.title.startswith("The loss ends") and "1 weights" in notes[0]
    holes = np.array(drawn.X)
    holes[3] = np.nan
    assert "NaN" in pictures(replace(drawn, X=holes))[1][0]
    diverged = np.array([[0.3, 1.0], [1e200, 1e200], [np.nan, 1.0]])
    shown, notes = pictures(replace(drawn, path=diverged, path_steps=range(3)))
    assert shown and any("diverged" in p.title.lower() for p in shown)


def test_pictures_keep_within_their_bytes(of_a_line):
    size = sum(len(p.light) + len(p.dark) for p in of_a_line[0])
    few, notes = pictures(made.line_drawn(), most_bytes=60_000)
    assert sum(len(p.light) + len(p.dark) for p in few) <= 60_000 < size
    assert 0 < len(few) < len(of_a_line[0])
    assert len(notes) == len(of_a_line[0]) - len(few) and "left out" in notes[0]


def test_a_long_path_is_thinned_with_its_ends():
    steps = 5001
    path = trajectory_of(replace(made.line_drawn(10), path=np.ones((steps, 2)), path_steps=range(steps)))
    assert path is not None
    assert (path.steps[0], path.steps[-1]) == (0, 5000) and len(path) <= 1000
    assert path.steps == sorted(set(path.steps))


# ------------------------------------------------------------------------------------------------------ page


class Words(HTMLParser):
    """The words of a page, its tags with their attributes, and whether tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "source", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def test_the_page_tells_the_whole_report(tmp_path):
    report = made.broken(tmp_path)
    told = Words(page(report))
    assert told.open == []
    words = " ".join(" ".join(told.words).split())
    for finding in report.findings:
        assert finding.rule in words and finding.severity.value in words
        for line in finding.fix.splitlines():
            assert " ".join(line.split()) in words
    for piece in ("87,000", "condition number", "≤ 3e−13", "98.5 %", "Of 5,000 steps", "2 errors", "train.py:10"):
        assert piece in words
    assert "Stopped 0.3 % above the optimum" in " ".join(Words(page(made.healthy(0.003))).words)


def test_the_page_needs_nothing_else_and_runs_nothing(tmp_path, of_a_line):
    text = page(made.broken(tmp_path), of_a_line[0])
    assert len(text.encode()) < 300_000
    assert "<script" not in text and "http:" not in text and "https:" not in text
    assert "default-src 'none'" in text
    images = [attrs for tag, attrs in Words(text).tags if tag == "img"]
    assert len(images) == 4
    assert all(i["alt"] and str(i["src"]).startswith("data:image/") for i in images)


def test_what_the_script_holds_is_text_on_the_page(tmp_path):
    bad = "<img src=x onerror=alert(1)>\"'`&"
    where = made.place(tmp_path, 1, f"x = {bad!r}\n")
    finding = Finding(
        "a-rule", Severity.ERROR, bad, replace(where, function=bad), Number(None, bad, bad), Number(1.0, bad), bad, bad,
        Tried(bad, Outcome(1.0), no_minimum=bad), others=(Place(bad, 1, bad),),
    )  # fmt: skip
    report = Report(bad, bad, (finding, finding), unrecovered=bad, training={bad: bad}, error=bad, notes=(bad,))
    told = Words(page(report))
    assert not [tag for tag, _ in told.tags if tag in ("img", "script")]
    assert all(not name.startswith("on") for _, attrs in told.tags for name in attrs)
    assert html.unescape(page(report)).count("onerror") >= 12


@pytest.mark.skipif(find() is None, reason="no headless Chromium on the PATH")
def test_the_page_fits_every_width_in_both_themes(tmp_path):
    path = tmp_path / "check.html"
    where = made.place(tmp_path, 2, f"import torch\n{made.LONG}\n")
    finding = replace(made.ill_conditioned(where), fix=made.LONG, measured=Number(1.0, "x" * 200, "9" * 120))
    drawn = Drawn(losses=[2.0, 1.0], steps=[0, 1])
    report = replace(made.healthy(), findings=(finding, made.separable(where)), drawn=drawn)
    path.write_text(page(report), encoding="utf-8")
    colours = set()
    with browser() as chromium:
        for width in (360, 600, 1280, 1440):
            for dark in (False, True):
                chromium.open(path, width=width, height=900, dark=dark)
                assert chromium.run("document.documentElement.scrollWidth") <= width
                assert chromium.errors == []
                assert all(url.startswith(("file:", "data:")) for url in chromium.requests)
                seen = "[...document.images].every((i) => i.complete && i.naturalWidth > 300)"
                assert chromium.run(seen)
                colours.add(chromium.run("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2
