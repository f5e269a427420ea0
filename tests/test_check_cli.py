"""What can be typed: `sightline check` and `sightline rule`, with the checking itself replaced."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import check_reports as made
import pytest
from click.testing import CliRunner

import sightline.check.checking as checking
import sightline.check.pages as pages
from sightline.check.command import CannotCheck, Command
from sightline.check.finding import Report
from sightline.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a script and a module, in which the commands are typed; two rules."""
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, title in (("lr_too_high", "The learning rate is too high"), ("missing_zero_grad", "Gradients add up.")):
        (rules / f"{name}.py").write_text(made.RULE_PAGE.format(title=title), encoding="utf-8")
    monkeypatch.setattr(pages, "RULES", rules)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("print('hello')\n", encoding="utf-8")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "train.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """The commands that the checking gets; it answers with ``asked.report``."""

    class Asked(list):
        report: Report = made.healthy()

        def check(self, command: Command) -> Report:
            self.append(command)
            return self.report

    found = Asked()
    monkeypatch.setattr(checking, "check_script", found.check)
    return found


def run(*arguments: str):
    return CliRunner().invoke(main, ["check", *arguments], prog_name="sightline")


def refused(*arguments: str) -> str:
    """The sentence of a command that must end with exit code 2, and run nothing."""
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("sightline: ") and done.stderr.count("\n") == 1
    return done.stderr


# ------------------------------------------------------------------------------------------------------ whose options


def test_options_before_the_script_are_ours_and_those_after_it_the_scripts(folder, asked):
    done = run("--max-steps", "7", "--no-try", "train.py", "--lr", "0.1", "--json", "-m", "--help", "--", "x")
    assert done.exit_code == 0, done.output
    (command,) = asked
    assert command == Command(
        script="train.py", arguments=("--lr", "0.1", "--json", "-m", "--help", "--", "x"), max_steps=7, attempt=False
    )
    assert command.name == "train.py"


def test_a_module_takes_the_rest(folder, asked):
    assert run("--every", "3", "-m", "package.train", "--json", "--every", "9").exit_code == 0
    assert asked[0] == Command(module="package.train", arguments=("--json", "--every", "9"), every=3)
    assert asked[0].name == "-m package.train"


def test_every_option_reaches_the_checking(folder, asked):
    assert run(
        "--select", "lr-too-high,missing-zero-grad", "--ignore=", "--select", "lr-too-high", "--time-limit", "2.5",
        "--script-output", "hide", "train.py",
    ).exit_code == 2  # --ignore names no rule  # fmt: skip
    assert run(
        "--select", "lr-too-high, missing-zero-grad", "--select", "lr-too-high", "--time-limit", "2.5",
        "--script-output", "hide", "--", "train.py",
    ).exit_code == 0  # fmt: skip
    rules = ("lr-too-high", "missing-zero-grad")
    assert asked == [Command(script="train.py", select=rules, time_limit=2.5, script_output="hide")]
    assert asked[0].wants("lr-too-high") and not asked[0].wants("float32-floor")
    assert not replace(asked[0], ignore=("lr-too-high",)).wants("lr-too-high")


# ------------------------------------------------------------------------------------------------------ exit codes


def test_exit_codes(folder, asked):
    assert run("train.py").exit_code == 0
    asked.report = replace(made.healthy(), findings=(made.advice(),))
    assert run("train.py").exit_code == 0
    asked.report = made.broken(folder)
    (folder / "train.py").write_text("print(1)\n", encoding="utf-8")
    assert run("train.py").exit_code == 1
    asked.report = replace(made.healthy(), ending="error", error="KeyError: 'x'")
    assert run("train.py").exit_code == 2
    asked.report = replace(made.broken(folder), ending="error", error="KeyError: 'x'")
    assert run("train.py").exit_code == 1


def test_what_cannot_be_checked_is_one_sentence(folder, monkeypatch):
    def fail(command: Command) -> Report:
        raise CannotCheck("train.py trains nothing")

    monkeypatch.setattr(checking, "check_script", fail)
    assert refused("train.py") == "sightline: train.py trains nothing\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["name the script"]),
        (["--json"], ["name the script"]),
        (["trian.py"], ["trian.py: there is no such file", "did you mean train.py?"]),
        (["package"], ["is a directory", "package/train.py"]),
        (["data.bin"], ["not Python", "zero bytes"]),
        (["broken.py"], ["broken.py is not Python 3", "in line 2"]),
        (["latin.py"], ["latin.py is not Python"]),
        (["notes.ipynb"], ["notebook", "%%sightline"]),
        (["-m", "nope"], ["no module 'nope'"]),
        (["-m", "package.nope"], ["no module 'nope' in package"]),
        (["-m", "package"], ["package without __main__.py"]),
        (["-m", "train.py"], ["-m takes a module's name"]),
        (["-m", "a b"], ["no module's name"]),
        (["--bogus", "train.py"], ["--bogus", "sightline check --help"]),
        (["--select", "lr-too-hihg", "train.py"], ["--select: there is no rule 'lr-too-hihg'", "'lr-too-high'"]),
        (["--ignore", "missing_zero_grad", "train.py"], ["'missing-zero-grad'"]),
        (["--ignore", "zzz", "train.py"], ["`sightline rule` lists them all"]),
        (["--select", "lr-too-high", "--ignore", "lr-too-high", "train.py"], ["both in --select and in --ignore"]),
        (["--time-limit", "0", "train.py"], ["--time-limit is 0", "positive"]),
        (["--time-limit", "nan", "train.py"], ["--time-limit is nan"]),
        (["--max-steps", "0", "train.py"], ["--max-steps is 0"]),
        (["--every", "-1", "train.py"], ["--every is -1"]),
        (["--html", "no/page.html", "train.py"], ["there is no directory no"]),
        (["--html", "package", "train.py"], ["--html package is a directory"]),
        (["--html", "mine.html", "train.py"], ["not written by Sightline"]),
        (["--json=train.py", "train.py"], ["--json train.py is there and was not written by Sightline"]),
        (["--script-output", "loud", "train.py"], ["'loud'"]),
    ],
)
def test_bad_input_is_one_sentence_and_runs_nothing(folder, asked, arguments, words):
    (folder / "data.bin").write_bytes(b"\0\1\2")
    (folder / "broken.py").write_text("x = 1\nfor\n", encoding="utf-8")
    (folder / "latin.py").write_bytes("x = 'ä'\n".encode("latin-1"))
    (folder / "notes.ipynb").write_text("{}", encoding="utf-8")
    (folder / "mine.html").write_text("<p>mine", encoding="utf-8")
    sentence = refused(*arguments)
    for word in words:
        assert word in sentence
    assert asked == []
    assert (folder / "mine.html").read_text(encoding="utf-8") == "<p>mine"


def test_looking_for_a_module_imports_nothing(folder, asked):
    (folder / "package" / "__init__.py").write_text("raise RuntimeError('imported')\n", encoding="utf-8")
    assert run("-m", "package.train").exit_code == 0
    assert "package" not in sys.modules


# ------------------------------------------------------------------------------------------------------ what is printed


def test_the_report_is_printed_and_files_are_named(folder, asked):
    asked.report = made.broken(folder)
    (folder / "train.py").write_text("print(1)\n", encoding="utf-8")
    done = run("--json=out.json", "--html", "page.html", "train.py")
    assert "error[ill-conditioned-features]" in done.stdout
    assert done.stdout.endswith("json  out.json\npage  page.html\n")
    assert asked[0].script_output == "show"
    assert json.loads((folder / "out.json").read_text(encoding="utf-8"))["findings"][0]["severity"] == "error"
    assert "<h1>" in (folder / "page.html").read_text(encoding="utf-8")
    again = run("--quiet", "--json=out.json", "--html", "page.html", "train.py")  # its own files it may replace
    assert (again.exit_code, again.output) == (1, "")


def test_ctrl_c_ends_with_one_line(folder, monkeypatch):
    def interrupted(command: Command) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr(checking, "check_script", interrupted)
    done = run("train.py")
    assert (done.exit_code, done.stderr.strip()) == (130, "sightline: interrupted")


def test_json_alone_is_on_standard_output_and_the_script_is_aside(folder, asked):
    done = run("--json", "train.py")
    told = json.loads(done.stdout)
    assert told["verdict"].startswith("at the optimum") and told["healthy"] is True
    assert asked[0].script_output == "stderr"
    run("--json", "--script-output", "hide", "train.py")
    assert asked[1].script_output == "hide"


# ------------------------------------------------------------------------------------------------------ rules


def rule(*arguments: str):
    return CliRunner().invoke(main, ["rule", *arguments], prog_name="sightline")


def test_rules_are_listed_with_one_line_each(folder):
    assert rule().stdout == "lr-too-high        The learning rate is too high\nmissing-zero-grad  Gradients add up\n"
    assert "| [lr-too-high](lr-too-high.md) | The learning rate is too high |" in rule("--markdown").stdout


def test_a_rules_page_is_plain_when_piped(folder):
    text = rule("lr-too-high").stdout
    assert text.startswith("lr-too-high\n\nThe learning rate is too high.\n\nWhat it finds\n\nA learning")
    assert "lr = 0.1" in text and "2 / L is the bound" in text
    assert not set("\x1b`#━┃") & set(text)
    markdown = rule("lr-too-high", "--markdown").stdout
    assert markdown.startswith("# lr-too-high\n") and "## Why it matters" in markdown


def test_a_rules_page_has_colours_on_a_terminal(folder, monkeypatch):
    import io

    from sightline.commands.rule import render

    class Terminal(io.StringIO):
        encoding = "ascii"

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    render(pages.read("lr-too-high").markdown() + "\nλ → ∞\n", out)
    assert "\x1b[1mlr-too-high" in out.getvalue()
    assert "lambda -> inf" in out.getvalue()


def test_an_unknown_rule_names_the_nearest(folder):
    done = rule("missing-zero-gard")
    assert done.exit_code == 2
    assert done.stderr == "sightline: there is no rule 'missing-zero-gard'; did you mean 'missing-zero-grad'?\n"


@pytest.mark.parametrize("arguments", [["rule"], ["rule", "--help"], ["check", "--help"], ["check", "nowhere.py"]])
def test_neither_help_nor_rules_nor_refusals_start_torch(arguments):
    code = (
        f"import sys; sys.argv = ['sightline', *{arguments!r}]\n"
        "import atexit; atexit.register(lambda: print('torch' in sys.modules))\n"
        "from sightline.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_only_python_is_taken_for_python(folder):
    from sightline.check.command import must_be_runnable

    must_be_runnable(Command(script="train.py"))
    (folder / "noending").write_text("import warnings\nassert (1, 'always')\n", encoding="utf-8")  # a warning, not ours
    must_be_runnable(Command(script=str(Path("noending"))))
    with pytest.raises(CannotCheck, match="not a regular file"):
        must_be_runnable(Command(script="/dev/null"))
