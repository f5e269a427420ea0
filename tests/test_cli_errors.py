"""Bad input: one clear sentence on standard error, exit code 2, nothing written, never a traceback."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sightline.cli import main

HEAD = "a,b,y\n"
GOOD = HEAD + "".join(f"{i},{i * 7 % 5},{'yes' if i * 3 % 7 > 3 else 'no'}\n" for i in range(20))
NUMBERS = HEAD + "".join(f"{i},{i * 7 % 5},{i * 1.5 + i * 3 % 7}\n" for i in range(20))
COUNTS = HEAD + "".join(f"{i},{i * 7 % 5},{i * 3 % 7 - (i == 4)}\n" for i in range(20)).replace("4,3,4", "4,3,-2")

# what, the file's content, options of `fit` beside it, words that the sentence must have
FIT: list[tuple[str, str | bytes, list[str], list[str]]] = [
    ("missing column", GOOD, ["--target", "z"], ["no column 'z'", "'a', 'b', 'y'"]),
    ("misspelt column", GOOD.replace("a,b,y", "age,b,outcome"), ["--target", "outcom"], ["did you mean 'outcome'"]),
    ("no target", GOOD, [], ["--target COLUMN", "a, b, y"]),
    ("text among numbers", GOOD.replace("7,4,", "7,oops,"), ["--target", "y"], ["'b'", "'oops'", "row 8"]),
    ("one class", HEAD + "1,2,no\n2,1,no\n3,5,no\n", ["--target", "y"], ["one class only", "'no'"]),
    ("one class of a test set", HEAD + "1,2,1\n2,1,1\n", ["--target", "y", "--loss", "logistic"], ["one class only"]),
    ("constant target", HEAD + "1,2,3.5\n2,1,3.5\n", ["--target", "y"], ["constant", "'3.5'"]),
    ("missing cell", GOOD.replace("7,4,", "7,NaN,"), ["--target", "y"], ["'b'", "row 8", "--missing"]),
    ("infinite cell", GOOD.replace("7,4,", "7,inf,"), ["--target", "y"], ["'b'", "inf", "row 8"]),
    ("missing target", NUMBERS.replace("7,4,10.5", "7,4,"), ["--target", "y"], ["target 'y'", "row 8", "--missing"]),
    ("empty file", "", ["--target", "y"], ["empty"]),
    ("names only", HEAD, ["--target", "y"], ["row"]),
    ("as many classes as rows", HEAD + "".join(f"{i},1,k{i}\n" for i in range(30)), ["--target", "y"], ["30", "class"]),
    ("more classes than rows bear", NUMBERS, ["--target", "y", "--loss", "softmax"], ["classes in 20 rows"]),
    ("three for hinge", GOOD + "1,2,may\n2,1,may\n", ["--target", "y", "--loss", "svm"], ["3 classes", "softmax"]),
    ("text for least squares", GOOD, ["--target", "y", "--loss", "squared"], ["'no' in row 1", "needs numbers"]),
    ("negative count", COUNTS, ["--target", "y", "--loss", "poisson"], ["-2 in row 5", "counts >= 0"]),
    ("no such loss", GOOD, ["--target", "y", "--loss", "logistik"], ["did you mean 'logistic'", "squared, logistic"]),
    ("quantile of logistic", GOOD, ["--target", "y", "--loss", "logistic", "--quantile", ".5"], ["--loss quantile"]),
    ("delta of squared", NUMBERS, ["--target", "y", "--loss", "squared", "--delta", "1"], ["--loss huber"]),
    ("quantile and delta", NUMBERS, ["--target", "y", "--quantile", ".5", "--delta", "1"], ["--delta belongs to"]),
    ("quantile too large", NUMBERS, ["--target", "y", "--quantile", "50"], ["between 0 and 1"]),
    ("negative delta", NUMBERS, ["--target", "y", "--delta", "-1"], ["delta", "positive"]),
    ("C and strength", GOOD, ["--target", "y", "--C", "1", "--strength", "1"], ["--C and --strength"]),
    ("C of zero", GOOD, ["--target", "y", "--C", "0"], ["--C is 0", "positive"]),
    ("C not a number", GOOD, ["--target", "y", "--C", "nan"], ["--C is nan", "positive"]),
    ("negative strength", GOOD, ["--target", "y", "--strength", "-1"], ["--strength is -1"]),
    ("C without penalty", GOOD, ["--target", "y", "--C", "1", "--penalty", "none"], ["--penalty none"]),
    ("infinite C with penalty", GOOD, ["--target", "y", "--C", "inf", "--penalty", "l1"], ["no penalty"]),
    ("ratio of l1", GOOD, ["--target", "y", "--penalty", "l1", "--l1-ratio", ".5"], ["elasticnet"]),
    ("ratio too large", GOOD, ["--target", "y", "--l1-ratio", "2"], ["between 0"]),
    ("penalty of unknown strength", NUMBERS, ["--target", "y", "--penalty", "l1"], ["--strength 0.1"]),
    ("class weights of numbers", NUMBERS, ["--target", "y", "--class-weight", "balanced"], ["--weights"]),
    ("unknown solver", GOOD, ["--target", "y", "--solver", "magic"], ["'magic'", "newton"]),
    ("solver that cannot", GOOD, ["--target", "y", "--solver", "direct"], ["direct"]),
    ("tolerance of zero", GOOD, ["--target", "y", "--tol", "0"], ["tol"]),
    ("no steps", GOOD, ["--target", "y", "--max-iter", "0"], ["max_iter"]),
    ("share of one", GOOD, ["--target", "y", "--test-size", "1"], ["--test-size is 1"]),
    ("share too small", GOOD, ["--target", "y", "--test-size", ".001"], ["is none"]),
    ("negative seed", GOOD, ["--target", "y", "--test-size", ".2", "--seed", "-1"], ["--seed"]),
    ("no such weights", GOOD, ["--target", "y", "--weights", "w"], ["no column 'w'"]),
    ("target as weights", GOOD, ["--target", "y", "--weights", "y"], ["is the target"]),
    ("text as weights", GOOD.replace("7,4,", "7,x,"), ["--target", "y", "--weights", "b"], ["'x' in row 8"]),
    ("negative weights", GOOD.replace("7,4,", "7,-4,"), ["--target", "y", "--weights", "b"], ["-4 in row 8"]),
    ("missing offset", GOOD.replace("7,4,", "7,,"), ["--target", "y", "--offset", "b"], ["is missing in row 8"]),
    ("one column twice", GOOD, ["--target", "y", "--offset", "b", "--weights", "b"], ["one or the other"]),
    ("everything dropped", GOOD, ["--target", "y", "--drop", "a", "--drop", "b"], ["no columns of features"]),
    ("misspelt drop", GOOD, ["--target", "y", "--drop", "bb"], ["did you mean 'b'"]),
    ("dates", GOOD.replace(",b,", ",day,").replace("7,4,", "7,2024-01-05,"), ["--target", "y"], ["day"]),
    ("double names", GOOD.replace("a,b,y", "a,a,y"), ["--target", "y"], ["'a'"]),
    ("ragged lines", GOOD + "1,2\n", ["--target", "y"], ["line 22"]),
    ("not text", bytes(range(256)) * 4, ["--target", "y"], ["data.csv"]),
    ("unknown option", GOOD, ["--target", "y", "--alpha", "1"], ["--alpha", "sightline fit --help"]),
    ("option without value", GOOD, ["--target"], ["--target", "requires an argument"]),
    ("option of the wrong type", GOOD, ["--target", "y", "--C", "big"], ["'big'"]),
    ("no such choice", GOOD, ["--target", "y", "--penalty", "l3"], ["'l3'", "elasticnet"]),
    ("labels of another length", GOOD, ["--labels", "labels.txt"], ["labels", "20"]),
]


def said(*arguments: str) -> str:
    """The sentence of a command that must refuse."""
    done = CliRunner().invoke(main, list(arguments), prog_name="sightline")
    assert done.exit_code == 2, f"{done.exit_code}\n{done.output}\n{done.exception!r}"
    assert done.stdout == ""
    *notes, last = done.stderr.splitlines()
    assert last.startswith("sightline: ") and "Traceback" not in done.stderr and "Sightline itself" not in done.stderr
    assert all(note.startswith(("target ", "note: ")) for note in notes)
    assert 20 < len(last) < 500
    return last


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("content", "options", "words"), [pytest.param(*row[1:], id=row[0]) for row in FIT])
def test_fit_refuses_with_a_sentence(folder, content, options, words):
    Path("data.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    Path("labels.txt").write_text("1\n0\n1\n")
    sentence = said("fit", "data.csv", *options)
    for word in words:
        assert word in sentence
    assert sorted(path.name for path in folder.iterdir()) == ["data.csv", "labels.txt"]


def test_files_that_cannot_be_read(folder):
    Path("data.csv").write_text(GOOD)
    assert "did you mean 'data.csv'" in said("fit", "date.csv", "--target", "y")
    assert "folder" in said("fit", ".", "--target", "y")
    for name in ("broken.parquet", "broken.npy", "broken.npz", "broken.pt", "broken.safetensors"):
        Path(name).write_bytes(b"PAR1 this is not one at all" * 20)
        assert name in said("fit", name, "--target", "y")


def test_places_that_cannot_be_written(folder):
    Path("data.csv").write_text(GOOD)
    Path("taken").write_text("a file")
    assert "taken is a file" in said("fit", "data.csv", "--target", "y", "--out", "taken")
    assert "cannot write to the folder" in said("fit", "data.csv", "--target", "y", "--out", "taken/below")
    assert Path("taken").read_text() == "a file"
    CliRunner().invoke(main, ["fit", "data.csv", "--target", "y", "--C", "1", "--out", "m"])
    assert "cannot write" in said("predict", "m", "data.csv", "--out", "no/such/folder.csv")
    assert "is a folder" in said("predict", "m", "data.csv", "--out", "m")
    assert "cannot write" in said("show", "m", "--html", "no/such/folder.html")


def _safetensors(metadata: dict[str, str] | None) -> bytes:
    header: dict[str, object] = {"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    if metadata is not None:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0\0\0\0"


def _damaged(model: bytes) -> bytes:
    return model[:-5] + bytes([model[-5] ^ 1]) + model[-4:]


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("data.csv", lambda model: GOOD.encode(), ["is no model", "sightline fit"]),
        ("other.safetensors", lambda model: _safetensors(None), ["not a model"]),
        ("torch.safetensors", lambda model: _safetensors({"format": "pt"}), ["not a model"]),
        ("cut.safetensors", lambda model: model[: len(model) // 2], ["cut.safetensors"]),
        ("damaged.safetensors", _damaged, ["damaged"]),
        ("empty.safetensors", lambda model: b"", ["empty.safetensors"]),
        ("text.model", lambda model: b"not a model at all", ["text.model"]),
    ],
)
def test_wrong_model_files(folder, name: str, make: Callable[[bytes], bytes], words: list[str]):
    Path("data.csv").write_text(GOOD)
    CliRunner().invoke(main, ["fit", "data.csv", "--target", "y", "--C", "1", "--out", "m"])
    Path(name).write_bytes(make(Path("m/model.safetensors").read_bytes()))
    for command in (["show", name], ["predict", name, "data.csv"], ["certify", name, "data.csv"]):
        sentence = said(*command)
        assert all(word in sentence for word in words)


def test_models_that_are_not_there(folder):
    Path("data.csv").write_text(GOOD)
    CliRunner().invoke(main, ["fit", "data.csv", "--target", "y", "--C", "1", "--out", "mine"])
    assert "did you mean 'mine'" in said("show", "mina")
    Path("empty").mkdir()
    assert "no model.safetensors in it" in said("show", "empty")


def test_data_that_does_not_go_with_the_model(folder):
    Path("data.csv").write_text(GOOD.replace("a,b,y", "height,b,y").replace("3,1,", "3,1,"))
    CliRunner().invoke(main, ["fit", "data.csv", "--target", "y", "--C", "1", "--out", "m", "--categorical", "b"])
    CliRunner().invoke(main, ["fit", "data.csv", "--target", "y", "--loss", "hinge", "--out", "svm"])
    Path("less.csv").write_text("heigth,b\n1,2\n")
    assert "is 'heigth' meant to be 'height'" in said("predict", "m", "less.csv")
    Path("text.csv").write_text("height,b\n1,2\ntall,3\n")
    assert "'tall'" in said("predict", "m", "text.csv")
    Path("new.csv").write_text("height,b\n1,99\n")
    assert "'99' in row 1" in said("predict", "m", "new.csv")
    Path("hole.csv").write_text("height,b\n,2\n")
    assert "row 1" in said("predict", "m", "hole.csv")
    np.save("X.npy", np.zeros((3, 5)))
    assert "no column 'b'" in said("predict", "m", "X.npy")
    assert "no column names" in said("predict", "svm", "X.npy")
    assert "gives none" in said("predict", "svm", "data.csv", "--probability")
    Path("labels.csv").write_text("height,b,y\n1,2,perhaps\n2,3,yes\n")
    assert "'perhaps'" in said("certify", "m", "labels.csv")
    assert "no column 'z'" in said("certify", "m", "data.csv", "--target", "z")


def test_an_error_of_our_own_says_so(folder, monkeypatch):
    def slip(*_: object) -> None:
        int("not a number")

    Path("data.csv").write_text(GOOD)
    monkeypatch.setattr("sightline.commands.fit.loss_of", slip)
    done = CliRunner().invoke(main, ["fit", "data.csv", "--target", "y"])
    assert done.exit_code == 1 and "an error of Sightline itself, ValueError" in done.stderr
    monkeypatch.setenv("SIGHTLINE_DEBUG", "1")
    done = CliRunner().invoke(main, ["fit", "data.csv", "--target", "y"])
    assert isinstance(done.exception, ValueError)
