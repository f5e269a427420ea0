"""Bad input: one sentence each, with what is wrong, where, and what to do."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sightline.tables import Encoder, Table, TableError, check_classes, guess_target, prepare, read


def said(call: Callable[[], Any]) -> str:
    """The sentence of the TableError that `call` must raise."""
    with pytest.raises(TableError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and "Traceback" not in text
    assert 15 < len(text) < 600, text
    return text


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def pt(value: Any) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def parquet(frame: Any) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


def rows(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


GOOD = rows("a,b,y", *(f"{i},{i * i % 7},{i % 2}" for i in range(20)))

# name, content, options of read, what the sentence must hold
FILES: dict[str, tuple[str, bytes, dict[str, Any], tuple[str, ...]]] = {
    "empty file": ("d.csv", b"", {}, ("d.csv is empty",)),
    "only blanks": ("d.csv", b" \n\n", {}, ("d.csv is empty",)),
    "header only": ("d.csv", b"a,b,y\n", {}, ("header but no rows",)),
    "header only without end": ("d.csv", b"a,b,y", {}, ("header but no rows",)),
    "too many cells": ("d.csv", b"a,b\n1,2\n3,4,5\n", {}, ("row 2 (line 3)", "3 cells", "header has 2", "quotes")),
    "too few cells": ("d.csv", b"a,b,c\n1,2,3\n\n3,4\n", {}, ("row 2 (line 4)", "2 cells", "has 3")),
    "row names without a name": ("d.csv", b"a,b\n1,2,3\n2,4,5\n", {}, ("every row", "one cell more", "write.csv")),
    "double name": ("d.csv", b"a,b,a\n1,2,3\n", {}, ("2 columns named 'a'", "columns 1, 3")),
    "double after blanks": ("d.csv", b"a, a\n1,2\n", {}, ("2 columns named 'a'",)),
    "nameless column": ("d.csv", b"a,,b\n1,2,3\n", {}, ("column 2 of", "no name")),
    "no header": ("d.csv", b"1.5,2,0\n2.5,3,1\n", {}, ("first line", "'1.5'", "--no-header")),
    "no header with text": ("d.csv", b"39, State-gov, 77516\n50, Private, 3\n", {}, ("'39'", "--no-header")),
    "unknown target": ("d.csv", GOOD, {"target": "z"}, ("no column 'z'", "'a', 'b', 'y'")),
    "misspelt target": ("d.csv", b"species,x\na,1\n", {"target": "speceis"}, ("did you mean 'species'?",)),
    "target in other case": ("d.csv", b"Species,x\na,1\n", {"target": "species"}, ("did you mean 'Species'?",)),
    "unknown categorical": ("d.csv", GOOD, {"categorical": ["bb"]}, ("no column 'bb'", "did you mean 'b'?")),
    "not UTF-8": ("d.csv", b"a,b\n1,ok\n2,caf\xe9\n", {}, ("byte 15", "line 3", "0xe9", "latin-1", "UTF-8")),
    "not UTF-8 far down": (
        "d.csv",
        b"a,b\n" + b"1,ok\n" * 60000 + b"2,caf\xe9\n",
        {},
        ("line 60002", "0xe9", "latin-1"),
    ),
    "UTF-16": ("d.csv", "a,b\n1,2\n".encode("utf-16"), {}, ("UTF-16", "--encoding utf-16")),
    "unknown encoding": ("d.csv", GOOD, {"encoding": "klingon"}, ("'klingon'", "utf-8")),
    "rubbish": ("d.csv", bytes(range(256)) * 8, {}, ("not a text file",)),
    "rubbish without ending": ("d", bytes(range(256)) * 8, {}, ("not a text file",)),
    "open quote": ("d.csv", b'a,b\n1,x\n2,"y\n3,z\n4,w\n', {}, ("quote", "never closes")),
    "odd delimiter": ("d.csv", GOOD, {"delimiter": "ab"}, ("delimiter", "'ab'")),
    "odd decimal": ("d.csv", GOOD, {"decimal": "x"}, ("decimal mark", "'x'")),
    "Excel": ("d.xlsx", b"PK\x03\x04", {}, ("Excel workbook", "CSV or Parquet")),
    "pickle": ("d.pkl", pickle.dumps([1]), {}, ("pickle", "run code")),
    "JSON": ("d.json", b"{}", {}, ("JSON", "CSV or Parquet")),
    "Parquet named CSV": ("d.csv", b"PAR1xxxxxxxxxxxxPAR1", {}, ("begins as a .parquet file",)),
    "damaged gzip": ("d.csv.gz", gzip.compress(GOOD * 50)[:-12], {}, ("gzip", "damaged")),
    "damaged gzip in the middle": ("d.csv.gz", b"\x1f\x8b" + b"\x00" * 40, {}, ("gzip", "damaged")),
    "Parquet rubbish": ("d.parquet", b"hello there", {}, ("not a readable Parquet file",)),
    "Parquet cut": ("d.parquet", b"PAR1" + b"\0" * 30, {}, ("not a readable Parquet file",)),
    "Parquet without rows": ("d.parquet", parquet(pd.DataFrame({"a": []})), {}, ("without rows",)),
    "npy cut": ("d.npy", npy(np.ones((9, 9)))[:-8], {}, ("incomplete", "(9, 9)")),
    "npy rubbish": ("d.npy", b"not an array", {}, ("not a readable .npy",)),
    "npy objects": ("d.npy", npy(np.array([[1, "a"]], dtype=object)), {}, ("Python objects", "run code")),
    "npy complex": ("d.npy", npy(np.ones((3, 2), dtype=complex)), {}, ("complex",)),
    "npy dates": ("d.npy", npy(np.zeros((3, 2), dtype="datetime64[D]")), {}, ("dates", "days since")),
    "npy text": ("d.npy", npy(np.array([["a", "b"]])), {}, ("text", "CSV or Parquet")),
    "npy of three dimensions": ("d.npy", npy(np.ones((2, 3, 4))), {}, ("(2, 3, 4)", "reshape")),
    "npy scalar": ("d.npy", npy(np.float64(3)), {}, ("shape ()",)),
    "npy without rows": ("d.npy", npy(np.ones((0, 4))), {}, ("empty", "(0, 4)")),
    "npy target": ("d.npy", npy(np.ones((9, 9))), {"target": "x99"}, ("no column 'x99'",)),
    "npz cut": ("d.npz", npz(X=np.ones((9, 9)))[:-30], {}, ("not a readable .npz",)),
    "npz of many": (
        "d.npz",
        npz(p=np.ones((3, 2)), q=np.ones((3, 2))),
        {},
        ("'p', 'q'", "name the features with --features"),
    ),
    "npz without that array": ("d.npz", npz(X=np.ones((3, 2)), w=np.ones(3)), {"target": "y"}, ("no array 'y'", "'X'")),
    "npz of lengths": ("d.npz", npz(a=np.ones(3), b=np.ones(4)), {}, ("different lengths", "'a' of 3")),
    "npz wrong labels": ("d.npz", npz(X=np.ones((3, 2)), y=np.ones(4)), {"labels": "y"}, ("4 labels", "3 rows")),
    "npz one-hot labels": (
        "d.npz",
        npz(X=np.ones((3, 2)), y=np.eye(3)),
        {"labels": "y", "features": "X"},
        ("(3, 3)", "argmax"),
    ),
    "npz labels alone": ("d.npz", npz(y=np.ones(4)), {"labels": "y"}, ("only 'y'",)),
    "torch file as npz": ("d.npz", pt({"X": np.ones(2).tolist()}), {}, ("torch.save", ".pt")),
    "empty npz": ("d.npz", npz(), {}, ("no arrays",)),
    "pt with objects": ("d.pt", pt({"f": os.path.join}), {}, ("more than tensors", "run code")),
    "pt of numbers": ("d.pt", pt([1, 2, 3]), {}, ("holds int", "tensor")),
    "pt of text": ("d.pt", pt("text"), {}, ("holds str",)),
    "pt rubbish": ("d.pt", b"rubbish", {}, (".pt", "damaged")),
    "safetensors rubbish": ("d.safetensors", b"\xff" * 40, {}, ("not a readable .safetensors",)),
    "libsvm label": ("d.svm", b"1 1:2\nspam 1:3\n", {}, ("line 2", "'spam'", "number")),
    "libsvm labels": ("d.svm", b"1,2 1:2\n", {}, ("line 1", "several labels")),
    "libsvm pair": ("d.svm", b"1 1:2\n# c\n-1 2:x\n", {}, ("line 3", "'2:x'", "index:value")),
    "libsvm order": ("d.libsvm", b"1 3:1 2:1\n", {}, ("index 2 after 3", "rise")),
    "libsvm index": ("d.libsvm", b"1 1:1\n1 99999999999:1\n", {}, ("line 2", "99999999999", "columns")),
    "libsvm labels alone": ("d.libsvm", b"1\n-1\n", {}, ("labels only",)),
    "libsvm empty": ("d.libsvm", b"\n", {}, ("empty",)),
    "libsvm target": ("d.libsvm", b"1 1:2\n", {"target": "y"}, ("'label'",)),
    "libsvm categories": ("d.libsvm", b"1 1:2\n", {"categorical": ["x1"]}, ("no categories",)),
    "features of a CSV": ("d.csv", GOOD, {"features": "X"}, ("one table", "--features")),
    "sparse tensor of three": ("d.pt", pt(__import__("torch").ones(2, 2, 2).to_sparse()), {}, ("sparse of 3",)),
}


@pytest.mark.parametrize("case", FILES)
def test_file(case: str, tmp_path: Path) -> None:
    name, content, options, words = FILES[case]
    path = tmp_path / name
    path.write_bytes(content)
    text = said(lambda: read(path, **options))
    assert all(word in text for word in words), text


# The lines of a CSV file with the target y, options of prepare, what the sentence must hold
N = 30
COLUMNS: dict[str, tuple[bytes, dict[str, Any], tuple[str, ...]]] = {
    "missing": (
        rows("a,b,y", *(f"{'' if i in (4, 7) else i},{'NA' if i == 5 else i * 2 % 9},{i % 2}" for i in range(N))),
        {},
        ("'a' has 2 missing cells", "row 5 (line 6", "'b' (1)", "--missing drop", "--missing mean"),
    ),
    "missing text by the mean": (
        rows("a,b,y", *(f"{i % 5},{'' if i == 3 else 'uv'[i % 2]},{i % 2}" for i in range(N))),
        {"missing": "mean"},
        ("'b' has 1 missing cell,", "row 4 (line 5", "numbers only"),
    ),
    "missing in every row": (b"a,b,y\n1,,0\n,2,1\n,3,0\n", {"missing": "drop"}, ("every row", "--drop")),
    "missing column": (b"a,b,y\n1,,0\n3,,1\n", {}, ("'b'", "every cell is missing", "--drop b")),
    "text among numbers": (
        rows("a,b,y", *(f"{i},{'n.d.' if i == 11 else i * 3 % 7},{i % 2}" for i in range(N))),
        {},
        ("'b'", "'n.d.'", "row 12 (line 13", "29 of 30 cells are numbers", "--na n.d."),
    ),
    "thousands": (
        b'a,b,y\n1,"1,234,567",0\n2,5,1\n3,6,0\n4,7,1\n',
        {},
        ("'1,234,567'", "row 1 (line 2", "thousands"),
    ),
    "decimal comma": (b'a,b,y\n1,"1,5",0\n2,5,1\n3,6.5,0\n4,7,1\n', {}, ("'1,5'", "--decimal ,")),
    "unit": (b"a,b,y\n1,12%,0\n2,5,1\n3,6.5,0\n4,7,1\n", {}, ("'12%'", "unit")),
    "infinite": (b"a,b,y\n1,2,0\n2,inf,1\n3,6,0\n", {}, ("'b'", "inf", "row 2 (line 3", "--drop b")),
    "beyond float64": (b"a,b,y\n1,2,0\n2,-1e999,1\n3,6,0\n", {}, ("'b'", "-inf", "row 2", "1.8e308")),
    "ISO dates": (b"a,when,y\n1,2024-01-31,0\n2,2024-02-01,1\n", {}, ("'when'", "dates", "2024-01-31", "--drop when")),
    "times": (b"a,when,y\n1,2024-01-31 10:00:00,0\n2,2024-02-01 11:00,1\n", {}, ("'when'", "dates")),
    "German dates": (b"a,when,y\n1,31.01.2024,0\n2,1.2.2024,1\n", {}, ("dates", "31.01.2024", "days since")),
    "US dates": (b"a,when,y\n1,1/31/24,0\n2,2/1/24,1\n", {}, ("dates", "1/31/24")),
    "English dates": (b'a,when,y\n1,"Jan 31, 2024",0\n2,"Feb 1, 2024",1\n', {}, ("dates", "Jan 31, 2024")),
    "clock": (b"a,when,y\n1,10:30,0\n2,11:30,1\n", {}, ("dates", "10:30")),
    "names": (
        rows("a,full name,y", *(f"{i % 7},person {i} x,{i % 2}" for i in range(N))),
        {},
        ("30 different texts", "'person 0 x'", "--drop 'full name'"),
    ),
    "many levels": (
        rows("a,id,y", *(f"{i % 7},k{i % 80} x,{i % 2}" for i in range(120))),
        {},
        ("80 different texts", "120 rows", "--drop id"),
    ),
    "drop what is not there": (GOOD, {"drop": ["c"]}, ("no column 'c'", "'a', 'b'")),
    "drop everything": (GOOD, {"drop": ["a", "b"]}, ("no columns of features left",)),
    "unknown way with missing": (GOOD, {"missing": "median"}, ("'error', 'drop', 'mean'", "'median'")),
    "only constant text": (b"a,y\nu,0\nu,1\nu,0\n", {}, ("one text only",)),
    "missing target": (b"a,y\n1,0\n2,\n3,1\n", {}, ("target 'y' has 1 missing", "row 2 (line 3", "--missing drop")),
    "dates as target": (b"a,y\n1,2024-01-31\n2,2024-02-01\n", {}, ("target 'y'", "dates")),
    "infinite target": (b"a,y\n1,1\n2,inf\n3,5\n", {}, ("target 'y'", "row 2 (line 3")),
    "empty target": (b"a,y\n1,\n2,\n", {"missing": "drop"}, ("target 'y'", "every cell is missing")),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_column(case: str, tmp_path: Path) -> None:
    content, options, words = COLUMNS[case]
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    table = read(path, target="y")
    text = said(lambda: prepare(table, **options))
    assert all(word in text for word in words), text


TRAIN = rows("a,colour,flag,y", *(f"{i}.5,{('red', 'green', 'blue')[i % 3]},{i % 2 == 0},{i % 2}" for i in range(12)))
NEW: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "no such column": (b"a,flag\n1,true\n", ("lacks the column", "'colour'")),
    "renamed": (b"a,color,flag\n1,red,true\n", ("'colour'", "is 'color' meant to be 'colour'?")),
    "several gone": (b"q\n1\n", ("lacks 3 columns", "'a', 'colour', 'flag'")),
    "new level": (b"a,colour,flag\n1,red,true\n2,mauve,true\n", ("'mauve'", "row 2 (line 3", "'blue', 'green', 'red'")),
    "number for a level": (b"a,colour,flag\n1,3,true\n", ("'colour'", "'3'", "row 1")),
    "text for a number": (b"a,colour,flag\n1,red,true\nx,red,true\n", ("'a'", "'x'", "row 2", "fitted on numbers")),
    "date for a number": (b"a,colour,flag\n2024-01-01,red,true\n", ("'a'", "2024-01-01")),
    "text for a truth value": (b"a,colour,flag\n1,red,maybe\n", ("'flag'", "'maybe'")),
    "missing number": (b"a,colour,flag\n1,red,true\n,red,true\n", ("'a' has 1 missing cell", "row 2 (line 3")),
    "missing level": (b"a,colour,flag\n1,,true\n", ("'colour' has 1 missing cell",)),
    "infinite": (b"a,colour,flag\n1,red,true\ninf,red,true\n", ("'a'", "inf", "row 2 (line 3")),
    "nothing but a header": (b"a,colour,flag\n", ("no rows",)),
}


@pytest.mark.parametrize("case", NEW)
def test_new_rows(case: str, tmp_path: Path) -> None:
    content, words = NEW[case]
    (tmp_path / "train.csv").write_bytes(TRAIN)
    (tmp_path / "new.csv").write_bytes(content)
    encoder = prepare(read(tmp_path / "train.csv", target="y")).encoder
    text = said(lambda: prepare(read(tmp_path / "new.csv"), encoder))
    assert all(word in text for word in words), text


TARGETS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "constant": ([2.5] * 9, ("'y' is constant", "'2.5'", "9 rows")),
    "constant integer": ([7] * 9, ("constant", "'7'")),
    "one class": (["a"] * 9, ("one class only", "'a'", "two classes")),
    "one class 1": ([1] * 9, ("one class only", "'1'")),
    "one truth value": ([True] * 9, ("one class only",)),
    "nothing": ([], ("empty",)),
    "one row": ([3.0], ("single row",)),
    "names": ([f"n{i}" for i in range(30)], ("30 different texts in 30 rows", "'n0'")),
    "nearly names": ([f"n{i % 20}" for i in range(30)], ("20 different texts",)),
    "NaN": ([1.0, float("nan"), 2.0], ("nan", "row 2")),
    "infinite": ([1.0, 2.0, float("inf")], ("inf", "row 3")),
    "None": (np.array(["a", None, "b"], dtype=object), ("missing", "row 2")),
    "table": (np.ones((3, 2)), ("(3, 2)",)),
    "dates": (np.zeros(3, dtype="datetime64[D]"), ("datetime64",)),
}


@pytest.mark.parametrize("case", TARGETS)
def test_target(case: str) -> None:
    y, words = TARGETS[case]
    text = said(lambda: guess_target(y, "y"))
    assert all(word in text for word in words), text


def test_classes() -> None:
    assert "one class only" in said(lambda: check_classes(["a"], 10))
    text = said(lambda: check_classes(range(30), 30, "price"))
    assert "'price' has 30 classes in 30 rows" in text
    check_classes([0, 1, 2], 150)
    check_classes([0, 1], 2)


def test_missing_file(tmp_path: Path) -> None:
    (tmp_path / "penguins.csv").write_bytes(GOOD)
    text = said(lambda: read(tmp_path / "pengiuns.csv"))
    assert "there is no file" in text and "did you mean" in text and "penguins.csv" in text
    assert "there is no folder" in said(lambda: read(tmp_path / "nowhere" / "d.csv"))
    assert "is a folder" in said(lambda: read(tmp_path))
    assert "download it first" in said(lambda: read("https://example.org/d.csv"))
    assert "no name of a file" in said(lambda: read(""))
    assert "not a regular file" in said(lambda: read(os.devnull))


def test_forbidden_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(GOOD)

    def forbid(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbid)
    assert "permission denied" in said(lambda: read(path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(GOOD)
    path.chmod(0)
    assert "permission denied" in said(lambda: read(path))


def test_labels(tmp_path: Path) -> None:
    features = tmp_path / "X.npy"
    features.write_bytes(npy(np.arange(12.0).reshape(6, 2)))
    bad: dict[str, tuple[bytes, str]] = {
        "y.txt": (b"1\n0\n1\n", "3 labels"),
        "long.txt": (b"1\n0\n1\n0\n1\n0\n1\n", "7 labels"),
        "y.npy": (npy(np.ones(5)), "5 labels"),
        "y.csv": (b"a,b\n" + b"1,2\n" * 6, "name the one with labels"),
        "y.npz": (npz(a=np.ones(6), b=np.ones(6)), "name the labels with --target"),
        "y.libsvm": (b"1 1:2\n", "LIBSVM"),
        "y.pkl": (b"x", "run code"),
        "objects.npy": (npy(np.array(["a", 1, None, 2, 3, 4], dtype=object)), "Python objects"),
        "empty.txt": (b"", "empty"),
        "bad.txt": (b"a\nb\n\xe9\n", "0xe9"),
    }
    for name, (content, word) in bad.items():
        (tmp_path / name).write_bytes(content)
        text = said(lambda name=name: read(features, labels=tmp_path / name))
        assert word in text and name in text, text
    assert "there is no file" in said(lambda: read(features, labels=tmp_path / "nope.npy"))
    assert "no array 'nope'" in said(lambda: read(features, labels="nope"))
    (tmp_path / "holes.csv").write_bytes(b"label\n1\n\n0\nNA\n1\n0\n")
    table = read(features, labels=tmp_path / "holes.csv")
    assert "target 'label' has 2 missing cells" in said(table.y)


def test_labels_and_target(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(GOOD)
    (tmp_path / "y.csv").write_bytes(rows("u,v", *(f"{i},{i % 2}" for i in range(20))))
    table = read(tmp_path / "d.csv", labels=tmp_path / "y.csv", target="v")
    assert table.names == ("a", "b", "y")
    assert "no column 'w'" in said(lambda: read(tmp_path / "d.csv", labels=tmp_path / "y.csv", target="w"))


def test_arrays_of_other_width(tmp_path: Path) -> None:
    (tmp_path / "X.npy").write_bytes(npy(np.random.default_rng(0).normal(size=(8, 3))))
    (tmp_path / "wide.npy").write_bytes(npy(np.ones((8, 4))))
    (tmp_path / "nan.npy").write_bytes(npy(np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0]])))
    (tmp_path / "inf.npy").write_bytes(npy(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, -np.inf]])))
    encoder = Encoder.fit(read(tmp_path / "X.npy"))
    text = said(lambda: encoder.encode(read(tmp_path / "wide.npy")))
    assert "4 columns" in text and "fitted on 3" in text
    text = said(lambda: encoder.encode(read(tmp_path / "nan.npy")))
    assert "'x2' holds NaN in row 2" in text and "--missing drop" in text
    text = said(lambda: Encoder.fit(read(tmp_path / "nan.npy")))
    assert "1 missing cell" in text and "--missing mean" in text
    text = said(lambda: Encoder.fit(read(tmp_path / "inf.npy")))
    assert "'x3' holds -inf in row 2" in text
    text = said(lambda: encoder.encode(read(tmp_path / "nan.npy"), missing="mean"))
    assert "knows no mean" in text
    named = Encoder.fit(Table.from_frame(pd.DataFrame({"age": [1.0, 2.0, 4.0]})))
    assert "no column names" in said(lambda: named.encode(read(tmp_path / "X.npy")))


def test_frames() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    assert "is lazy" in said(lambda: Table.from_frame(pl.LazyFrame({"a": [1]})))
    assert "is a dict" in said(lambda: Table.from_frame({"a": [1]}))
    assert "is a ndarray" in said(lambda: Table.from_frame(np.ones((2, 2))))
    assert "'a'" in said(lambda: Table.from_frame(pd.DataFrame([[1, 2]], columns=["a", "a"])))
    assert "no rows" in said(lambda: Table.from_frame(frame.iloc[:0]))
    assert "several levels" in said(
        lambda: Table.from_frame(pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])))
    )
    assert "did you mean 'b'?" in said(lambda: Table.from_frame(frame, target="bb"))
    lists = Table.from_frame(pl.DataFrame({"a": [[1], [2]], "b": [1, 2]}))
    assert "'a'" in said(lambda: Encoder.fit(lists)) and "List" in said(lambda: Encoder.fit(lists))
    objects = Table.from_frame(pd.DataFrame({"a": pd.Series([{1}, {2}], dtype=object), "b": [1, 2]}))
    assert "objects of type set" in said(lambda: Encoder.fit(objects))
    when = Table.from_frame(pd.DataFrame({"a": pd.to_datetime(["2020-01-01", "2021-01-01"]), "b": [1, 2]}))
    assert "dates such as '2020-01-01" in said(lambda: Encoder.fit(when))
    holes = Table.from_frame(pl.DataFrame({"a": [1.0, None, float("nan")], "b": [1, 2, 4]}))
    assert "'a' has 2 missing cells, the first in row 2 of the frame" in said(lambda: Encoder.fit(holes))
    double = Table.from_frame(pd.DataFrame({"s": ["a", "b", "b"], "s[b]": [1, 2, 4]}))
    assert "become 's[b]'" in said(lambda: Encoder.fit(double))
    assert "no target was named" in said(Table.from_frame(frame).y)


def test_damaged_encoders() -> None:
    good = Encoder.fit(Table.from_frame(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}))).to_dict()
    assert Encoder.from_dict(good).to_dict() == good
    bad: list[Any] = [
        None,
        [],
        {},
        {**good, "version": 99},
        {**good, "missing": "?"},
        {**good, "fields": []},
        {**good, "fields": "ab"},
        {**good, "fields": ["a", "a"]},
        {**good, "fields": [3]},
        {**good, "fields": [{"name": "a", "kind": "text"}]},
        {**good, "fields": [{"name": "a", "kind": "text", "levels": []}]},
        {**good, "fields": [{"name": "a", "kind": "text", "levels": ["u", "u"]}]},
        {**good, "fields": [{"name": "a", "kind": "text", "levels": [1, 2]}]},
        {**good, "fields": [{"name": "a", "kind": "number", "mean": float("nan")}]},
        {**good, "fields": [{"name": "a", "kind": "number", "mean": "3"}]},
        {**good, "fields": [{"name": "a", "kind": "boolean", "levels": ["u"]}]},
        {**good, "fields": [{"name": "a", "kind": "complex"}]},
        {**good, "fields": [{"name": "a", "kind": ["text"]}]},
        {**good, "fields": [{"name": 1, "kind": "number"}]},
        {**good, "fields": [{"name": "a", "kind": "number", "code": "x"}]},
        {**good, "notes": 3},
    ]
    for told in bad:
        said(lambda told=told: Encoder.from_dict(told))


def test_hostile_archives(tmp_path: Path) -> None:
    """Headers that promise more than the file holds are refused before memory is asked for."""
    told = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"
    huge = b"\x93NUMPY\x01\x00" + len(told).to_bytes(2, "little") + told + bytes(64)
    (tmp_path / "d.npy").write_bytes(huge)
    text = said(lambda: read(tmp_path / "d.npy"))
    assert "incomplete" in text and "(1000000, 1000000)" in text
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("X.npy", huge)
    text = said(lambda: read(tmp_path / "d.npz"))
    assert "'X' in" in text and "incomplete" in text


def test_sparse_npz_with_indices_out_of_range(tmp_path: Path) -> None:
    import scipy.sparse

    matrix = scipy.sparse.csr_matrix(np.eye(4))
    matrix.indices[2] = 1_000_000
    scipy.sparse.save_npz(tmp_path / "d.npz", matrix)
    assert "not a readable .npz" in said(lambda: read(tmp_path / "d.npz"))


def test_how_many_cases() -> None:
    assert len(FILES) + len(COLUMNS) + len(NEW) + len(TARGETS) >= 100
