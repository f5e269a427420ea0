"""Every example of the documentation runs.

A page's ```python blocks run from top to bottom in one namespace (a block of `>>>` lines is checked like a doctest),
and the lines `$ sightline ...` of its ```console blocks run in their place among them and must exit 0. Each page gets
a folder of its own with a copy of `examples/` in it. Docstrings with `>>>` are run as doctests.
"""

import doctest
import importlib
import pkgutil
import shlex
import shutil
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from markdown_it.token import Token

import sightline

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCTEST = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def fences(text: str) -> list[Token]:
    return [token for token in MarkdownIt().parse(text) if token.type == "fence"]


def commands(block: str) -> list[list[str]]:
    """The arguments of each `$ sightline ...` line; a backslash at the end of a line continues it."""
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line[len("$ sightline") :]) for line in lines if line.startswith("$ sightline")]


def run_python(code: str, page: Path, line: int, namespace: dict) -> None:
    if code.lstrip().startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line)
        report: list[str] = []
        runner = doctest.DocTestRunner(optionflags=DOCTEST)
        runner.run(test, out=report.append, clear_globs=False)
        assert runner.failures == 0, "".join(report)
        namespace.update(test.globs)
    else:
        # Blank lines in front, so that a traceback names the line of the page.
        exec(compile("\n" * line + code, str(page), "exec"), namespace)


def run_command(arguments: list[str]) -> None:
    from sightline.cli import main

    assert isinstance(main, click.Command)
    result = CliRunner().invoke(main, arguments, prog_name="sightline")
    assert result.exit_code == 0, f"$ sightline {shlex.join(arguments)}\n{result.output}\n{result.exception!r}"


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_examples_of_a_page_run(page, tmp_path, monkeypatch):
    if (ROOT / "examples").is_dir():
        shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    namespace: dict = {"__name__": page.stem}
    for fence in fences(page.read_text(encoding="utf-8")):
        language = fence.info.split()[0] if fence.info.strip() else ""
        if language == "python":
            assert fence.map is not None
            run_python(fence.content, page, fence.map[0] + 1, namespace)
        elif language == "console":
            for arguments in commands(fence.content):
                run_command(arguments)


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_links_and_pictures_of_a_page_exist(page):
    targets = [
        str(child.attrs.get("href") or child.attrs.get("src"))
        for token in MarkdownIt().parse(page.read_text(encoding="utf-8"))
        for child in token.children or []
        if child.type in ("link_open", "image")
    ]
    local = [target.split("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert not missing, f"{page.relative_to(ROOT)} points at what is not there: {', '.join(missing)}"


def modules() -> list[str]:
    found = pkgutil.walk_packages(sightline.__path__, "sightline.")
    return ["sightline", *(module.name for module in found if not module.name.endswith("__main__"))]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module: ModuleType = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=DOCTEST).failed == 0


def test_a_wrong_example_is_noticed(tmp_path):
    """The check itself: a failing block, a wrong `>>>` result and a failing command must not pass."""
    page = tmp_path / "page.md"
    with pytest.raises(ZeroDivisionError):
        run_python("1 / 0", page, 1, {})
    with pytest.raises(AssertionError, match="Expected"):
        run_python(">>> 1 + 1\n3\n", page, 1, {})
    assert commands("$ sightline fit a.csv \\\n  --target y\nresult\n$ ls\n") == [["fit", "a.csv", "--target", "y"]]
    with pytest.raises(AssertionError, match="no-such-command"):
        run_command(["no-such-command"])
