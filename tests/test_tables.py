"""Files and frames as design matrices: what is read, how it is encoded, and that nothing is lost on the way."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from sightline.tables import Encoder, Table, TableError, frame_columns, guess_target, prepare, read

DATA = Path(__file__).parent / "data"
PENGUINS = DATA / "penguins_all.csv"


def test_import_is_light() -> None:
    """The tables import nothing heavy that the package itself has not imported."""
    code = "import sys, sightline; old = set(sys.modules); import sightline.tables; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = {name.partition(".")[0] for name in done.stdout.split()}
    assert "sightline" in new
    assert not new & {"torch", "pyarrow", "pandas", "polars", "sklearn", "scipy", "narwhals", "safetensors"}


class TestCSV:
    def write(self, path: Path, text: str, encoding: str = "utf-8") -> Path:
        file = path / "d.csv"
        file.write_bytes(text.encode(encoding))
        return file

    def test_penguins(self) -> None:
        table = read(PENGUINS, target="sex")
        assert table.shape == (344, 7)
        assert [column.kind for column in table] == ["text", "text", "number", "number", "number", "number", "number"]
        design = prepare(table, missing="drop")
        assert design.X.shape == (333, 9) and design.X.dtype == np.float64 and design.X.flags.c_contiguous
        assert design.columns[:4] == ("species[Chinstrap]", "species[Gentoo]", "island[Dream]", "island[Torgersen]")
        assert design.encoder.dropped == {"species": "Adelie", "island": "Biscoe"}
        assert design.y is not None and set(design.y) == {"female", "male"} and len(design.y) == 333
        frame = pd.read_csv(PENGUINS).dropna()
        np.testing.assert_array_equal(design.rows, frame.index)
        np.testing.assert_array_equal(design.X[:, 4], frame["bill_length_mm"])
        np.testing.assert_array_equal(design.X[:, 1], frame["species"] == "Gentoo")
        assert any("11 of 344 rows were left out" in note for note in design.notes)

    def test_the_example_is_the_complete_rows(self) -> None:
        shipped = Path(__file__).parents[1] / "examples" / "penguins.csv"
        lines = PENGUINS.read_text().splitlines()
        assert shipped.read_text().splitlines() == [line for line in lines if "NA" not in line.split(",")]
        design = prepare(read(shipped, target="sex"))
        assert design.X.shape == (333, 9) and design.notes == ()

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("last", [True, False])
    def test_delimiters_and_ends(self, tmp_path: Path, delimiter: str, end: str, last: bool) -> None:
        lines = [["a", "b", "c"], ["1", "x y", "2.5"], ["2", "z", "-1e3"]]
        text = end.join(delimiter.join(line) for line in lines) + (end if last else "")
        table = read(self.write(tmp_path, text))
        assert table.names == ("a", "b", "c") and table.n == 2
        np.testing.assert_array_equal(table.column("c").values, [2.5, -1000.0])
        assert table.column("b").levels == ("x y", "z")

    def test_bom_quotes_blanks(self, tmp_path: Path) -> None:
        text = '\ufeff"a"," b ","c ""q"""\n1, x ,"p, q"\n\n2,"y\nz","it\'s"\n'
        table = read(self.write(tmp_path, text))
        assert table.names == ("a", "b", 'c "q"')
        assert table.column("b").levels == ("x", "y\nz") and table.column('c "q"').levels == ("it's", "p, q")

    def test_single_quotes_and_tabs(self, tmp_path: Path) -> None:
        table = read(self.write(tmp_path, "'a'\t'b'\n1\t2\n3\t4\n"))
        assert table.names == ("a", "b")
        table = read(self.write(tmp_path, "'OBS' 'GPA'\n1 2.66\n2 2.89\n"))
        assert table.names == ("OBS", "GPA")

    def test_decimal_comma(self, tmp_path: Path) -> None:
        table = read(self.write(tmp_path, "a;b\n1,5;x\n-2,25;y\n"))
        np.testing.assert_array_equal(table.column("a").values, [1.5, -2.25])
        table = read(self.write(tmp_path, "a;b\n1,5;x\n-2,25;y\n"), decimal=".")
        assert table.column("a").kind == "text"

    def test_missing_marks(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "a,b\n1,x\nNA,\n?,?\n4, NA \n")
        table = read(path, na=["?"])
        np.testing.assert_array_equal(table.column("a").missing, [False, True, True, False])
        np.testing.assert_array_equal(table.column("b").missing, [False, True, True, True])

    def test_row_names_of_r(self, tmp_path: Path) -> None:
        table = read(self.write(tmp_path, '"","a"\n"1",5\n"2",6\n'))
        assert table.names == ("a",) and "row names" in table.notes[0]

    def test_encoding(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "naïve,b\ncafé,1\nthé,2\n", "latin-1")
        assert read(path, encoding="latin-1").column("naïve").levels == ("café", "thé")
        path = self.write(tmp_path, "naïve,b\ncafé,1\nthé,2\n", "utf-16")
        assert read(path, encoding="utf-16").names == ("naïve", "b")

    def test_no_header(self, tmp_path: Path) -> None:
        table = read(self.write(tmp_path, "1.5,a,0\n2.5,b,1\n"), header=False, target="c3")
        assert table.names == ("c1", "c2") and table.n == 2
        assert "row 2 (line 2 of" in table.place(1)

    def test_numbered_header(self, tmp_path: Path) -> None:
        assert read(self.write(tmp_path, "0,1,2,y\n1,2,3,4\n")).names == ("0", "1", "2", "y")
        assert read(self.write(tmp_path, "2019,2020\n1,2\n")).names == ("2019", "2020")

    def test_lines_of_rows(self, tmp_path: Path) -> None:
        table = read(self.write(tmp_path, 'a,b\n\n1,"x\ny"\n2,z\n'))
        assert "row 1 (line 3 of" in table.place(0) and "row 2 (line 5 of" in table.place(1)

    def test_gzip_and_endings(self, tmp_path: Path) -> None:
        path = tmp_path / "d.csv.gz"
        path.write_bytes(gzip.compress(PENGUINS.read_bytes()))
        assert read(path, target="sex").shape == (344, 7)
        for name in ("d.txt", "d.data", "plain"):
            (tmp_path / name).write_bytes(PENGUINS.read_bytes())
            assert read(tmp_path / name, target="sex").shape == (344, 7)

    def test_line_longer_than_a_block(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "a,b\n" + "x" * 5_000_000 + ",1\ny,2\n")
        assert len(read(path).column("a").levels) == 2

    def test_zeros_before_numbers_stay(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "zip,y\n01234,1\n98765,2\n01234,3\n")
        np.testing.assert_array_equal(read(path).column("zip").values, [1234, 98765, 1234])
        table = read(path, categorical=["zip"], target="y")
        assert table.column("zip").levels == ("01234", "98765")
        encoder = Encoder.fit(table)
        assert encoder.columns == ("zip[98765]",)
        new = self.write(tmp_path, "zip\n01234\n")
        for table in (read(new), read(new, categorical=encoder.categorical)):
            np.testing.assert_array_equal(encoder.encode(table).X, [[0.0]])

    def test_numbers_as_categories_keep_their_order(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "rank,y\n10,1\n2,2\n1,3\n2,5\n")
        assert Encoder.fit(read(path, categorical=["rank"], target="y")).columns == ("rank[2]", "rank[10]")

    def test_notes(self, tmp_path: Path) -> None:
        lines = "\n".join(f"{i + 1},{i * 7 % 5},3,{'?' if i == 4 else 'uv'[i % 2]},k" for i in range(12))
        encoder = Encoder.fit(read(self.write(tmp_path, "nr,a,c,t,one\n" + lines)))
        notes = " ".join(encoder.notes)
        assert "'nr' seems to number the rows: --drop nr" in notes
        assert "'c' holds '3' in every row" in notes and "'one' holds 'k' in every row: it gives no column" in notes
        assert "'t' has the text '?', taken as a category: --na '?'" in notes
        assert encoder.columns == ("nr", "a", "c", "t[u]", "t[v]")

    def test_category_of_a_dropped_row(self, tmp_path: Path) -> None:
        """A level that only rows with missing cells have gives no column."""
        path = self.write(tmp_path, "a,t,y\n1,u,0\n,w,1\n3,v,0\n4,u,1\n")
        design = prepare(read(path, target="y"), missing="drop")
        assert design.columns == ("a", "t[v]") and list(design.rows) == [0, 2, 3]
        np.testing.assert_array_equal(design.y, [0, 0, 1])

    def test_mean(self, tmp_path: Path) -> None:
        design = prepare(read(self.write(tmp_path, "a,b,y\n1,1,0\n,2,1\n5,6,0\n"), target="y"), missing="mean")
        np.testing.assert_array_equal(design.X, [[1, 1], [3, 2], [5, 6]])
        new = prepare(read(self.write(tmp_path, "b,a\n,\n")), design.encoder)
        np.testing.assert_array_equal(new.X, [[3, 3]])
        assert new.y is None
        assert prepare(read(self.write(tmp_path, "b,a\n,\n1,2\n")), design.encoder, missing="drop").X.shape == (1, 2)

    def test_new_rows(self, tmp_path: Path) -> None:
        encoder = prepare(read(PENGUINS, target="sex"), missing="drop").encoder
        new = "year,flipper_length_mm,island,species,body_mass_g,bill_depth_mm,bill_length_mm,extra\n"
        path = self.write(tmp_path, new + "2007,181,Dream,Gentoo,3750,18.7,39.1,1\n")
        design = prepare(read(path), encoder)
        np.testing.assert_array_equal(design.X, [[0, 1, 1, 0, 39.1, 18.7, 181, 3750, 2007]])
        assert "1 column of" in design.notes[0] and "'extra'" in design.notes[0]


class TestArrays:
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = (X[:, 0] > 0).astype(np.int64)

    def check(self, table: Table, names: tuple[str, ...] = ("x1", "x2", "x3"), exact: bool = True) -> None:
        design = prepare(table)
        assert design.columns == names
        X = design.X.toarray() if scipy.sparse.issparse(design.X) else design.X
        np.testing.assert_allclose(X, self.X, rtol=0 if exact else 1e-6, atol=0 if exact else 1e-6)
        if table.target is not None:
            np.testing.assert_array_equal(np.asarray(design.y).astype(np.int64), self.y)

    def test_npy(self, tmp_path: Path) -> None:
        np.save(tmp_path / "X.npy", self.X)
        self.check(read(tmp_path / "X.npy"))
        np.save(tmp_path / "F.npy", np.asfortranarray(self.X.astype(np.float32)))
        self.check(read(tmp_path / "F.npy"), exact=False)
        np.save(tmp_path / "one.npy", self.X[:, 0])
        assert read(tmp_path / "one.npy").shape == (20, 1)
        np.save(tmp_path / "big.npy", self.X.astype(">f8"))
        self.check(read(tmp_path / "big.npy"))
        fields = np.array([(1.0, "u", True), (2.0, "v", False)], dtype=[("a", "f8"), ("b", "U3"), ("c", "?")])
        np.save(tmp_path / "fields.npy", fields)
        assert prepare(read(tmp_path / "fields.npy")).columns == ("a", "b[v]", "c")

    def test_npz(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "d.npz", X=self.X, y=self.y)
        for options in ({"target": "y"}, {"labels": "y"}, {"labels": "y", "features": "X"}):
            self.check(read(tmp_path / "d.npz", **options))
        assert read(tmp_path / "d.npz").target is None
        np.savez_compressed(tmp_path / "c.npz", age=self.X[:, 0], size=self.X[:, 1], y=self.y)
        assert prepare(read(tmp_path / "c.npz", target="y")).columns == ("age", "size")
        for kind in ("csr", "csc", "coo"):
            scipy.sparse.save_npz(tmp_path / "s.npz", scipy.sparse.csr_matrix(self.X).asformat(kind))
            self.check(read(tmp_path / "s.npz"))
            assert read(tmp_path / "s.npz").matrix.format == "csr"
        np.savez(tmp_path / "two.npz", train=self.X, test=self.X[:2])
        self.check(read(tmp_path / "two.npz", features="train"))

    def test_torch(self, tmp_path: Path) -> None:
        X, y = torch.from_numpy(self.X), torch.from_numpy(self.y)
        torch.save(X, tmp_path / "X.pt")
        self.check(read(tmp_path / "X.pt"))
        torch.save({"features": X, "labels": y}, tmp_path / "d.pt")
        self.check(read(tmp_path / "d.pt", target="labels"))
        torch.save((X, y), tmp_path / "pair.pt")
        self.check(read(tmp_path / "pair.pt", target="y"))
        torch.save(X.to_sparse(), tmp_path / "s.pt")
        self.check(read(tmp_path / "s.pt"))
        torch.save(X.bfloat16(), tmp_path / "b.pt")
        assert read(tmp_path / "b.pt").matrix.dtype == np.float64
        torch.save(X.clone().requires_grad_(), tmp_path / "g.pt")
        self.check(read(tmp_path / "g.pt"))

    def test_safetensors(self, tmp_path: Path) -> None:
        save_file({"X": torch.from_numpy(self.X), "y": torch.from_numpy(self.y)}, tmp_path / "d.safetensors")
        self.check(read(tmp_path / "d.safetensors", target="y"))
        save_file({"X": torch.from_numpy(self.X)}, tmp_path / "X.safetensors")
        np.save(tmp_path / "y.npy", self.y)
        self.check(read(tmp_path / "X.safetensors", labels=tmp_path / "y.npy"))

    @pytest.mark.parametrize("kind", ["txt", "1.txt", "csv", "1.csv", "npy", "npz", "pt", "parquet", "column"])
    def test_labels(self, tmp_path: Path, kind: str) -> None:
        np.save(tmp_path / "X.npy", self.X)
        path = tmp_path / f"y.{kind}"
        text = "\n".join(str(label) for label in self.y)
        options: dict[str, Any] = {}
        if kind.endswith(("txt", "csv")):
            path.write_text(("label\n" if "1" in kind else "") + text + "\n")
        elif kind == "npy":
            np.save(path, self.y.reshape(-1, 1))
        elif kind == "npz":
            np.savez(path, other=self.X, y=self.y)
        elif kind == "pt":
            torch.save(torch.from_numpy(self.y), path)
        elif kind == "parquet":
            pd.DataFrame({"y": self.y}).to_parquet(path)
        else:
            path = tmp_path / "y.csv"
            pd.DataFrame({"id": range(20), "class": self.y}).to_csv(path, index=False)
            options = {"target": "class"}
        self.check(read(tmp_path / "X.npy", labels=path, **options))

    def test_text_labels(self, tmp_path: Path) -> None:
        np.save(tmp_path / "X.npy", self.X)
        (tmp_path / "y.txt").write_text("\n".join(["good day", "bad day"] * 10))
        y = read(tmp_path / "X.npy", labels=tmp_path / "y.txt").y()
        assert y.tolist() == ["good day", "bad day"] * 10
        np.save(tmp_path / "y.npy", np.array([b"a", b"b"] * 10))
        assert read(tmp_path / "X.npy", labels=tmp_path / "y.npy").y().tolist() == ["a", "b"] * 10

    def test_missing(self, tmp_path: Path) -> None:
        X = self.X.copy()
        X[3, 1] = np.nan
        np.save(tmp_path / "X.npy", X)
        np.savez(tmp_path / "s.npz", X=X)
        table = read(tmp_path / "X.npy")
        assert list(prepare(table, missing="drop").rows) == [*range(3), *range(4, 20)]
        filled = prepare(table, missing="mean")
        assert filled.X[3, 1] == pytest.approx(np.nanmean(X[:, 1]))
        sparse = Table(table.source, 20, matrix=scipy.sparse.csr_matrix(X), matrix_names=table.matrix_names)
        np.testing.assert_allclose(prepare(sparse, missing="mean").X.toarray(), filled.X)
        assert prepare(sparse, missing="drop").X.shape == (19, 3)
        with pytest.raises(TableError, match="'x2' holds NaN in row 4"):
            prepare(sparse)

    def test_drop_and_constant(self, tmp_path: Path) -> None:
        X = self.X.copy()
        X[:, 2] = 4.0
        np.save(tmp_path / "X.npy", X)
        design = prepare(read(tmp_path / "X.npy"), drop=["x1"])
        assert design.columns == ("x2", "x3") and "'x3'" in design.notes[0]
        np.testing.assert_array_equal(design.X, X[:, 1:])
        np.testing.assert_array_equal(prepare(read(tmp_path / "X.npy"), design.encoder).X, X[:, 1:])

    def test_categories_of_a_matrix(self, tmp_path: Path) -> None:
        np.save(tmp_path / "X.npy", np.array([[1.0, 3], [2, 4], [3, 3], [4, 4]]))
        assert prepare(read(tmp_path / "X.npy", categorical=["x2"])).columns == ("x1", "x2[4]")


class TestLibsvm:
    def test_heart(self) -> None:
        design = prepare(read(DATA / "heart_scale"))
        assert design.X.shape == (60, 13) and design.X.dtype == np.float64 and design.X.indices.dtype == np.int32
        assert design.columns == tuple(f"x{i}" for i in range(1, 14))
        assert design.y is not None and set(design.y) == {-1, 1}
        assert design.X[0, 0] == 0.708333

    def test_indices(self, tmp_path: Path) -> None:
        one = tmp_path / "one.svm"
        one.write_text("1 1:2 3:4 # note\n\n# whole line\n-1 2:5\n")
        zero = tmp_path / "zero.svm.gz"
        zero.write_bytes(gzip.compress(b"1 0:7 3:4\n-1 qid:3 2:5\n"))
        first, second = read(one), read(zero)
        assert first.names == ("x1", "x2", "x3") and second.names == ("x0", "x1", "x2", "x3")
        encoder = Encoder.fit(first)
        np.testing.assert_array_equal(encoder.encode(first).X.toarray(), [[2, 0, 4], [0, 5, 0]])
        encoded = encoder.encode(second)
        np.testing.assert_array_equal(encoded.X.toarray(), [[0, 0, 4], [0, 5, 0]])
        assert encoded.ignored == ("x0",)
        short = tmp_path / "short.svm"
        short.write_text("1 2:9\n")
        np.testing.assert_array_equal(encoder.encode(read(short)).X.toarray(), [[0, 9, 0]])
        assert "(line 4 of" in first.place(1)


class TestFrames:
    def test_kinds_agree(self) -> None:
        cells = {"n": [1, 2, None, 4], "t": ["u", "v", "u", None], "f": [0.5, 1.5, 2.5, 3.5], "b": [True, False] * 2}
        tables = [
            Table.from_frame(pd.DataFrame(cells)),
            Table.from_frame(pd.DataFrame(cells).convert_dtypes()),
            Table.from_frame(pd.DataFrame(cells).astype({"t": "category"})),
            Table.from_frame(pl.DataFrame(cells)),
            Table.from_frame(pl.DataFrame(cells).with_columns(pl.col("t").cast(pl.Categorical))),
            Table.from_frame(pa.table(cells)),
            Table.from_frame(pa.table(cells).set_column(1, "t", pa.array(cells["t"]).dictionary_encode())),
        ]
        for table in tables:
            design = prepare(table, missing="drop")
            assert design.columns == ("n", "t[v]", "f", "b") and list(design.rows) == [0, 1]
            np.testing.assert_array_equal(design.X, [[1, 0, 0.5, 1], [2, 1, 1.5, 0]])

    def test_parquet(self, tmp_path: Path) -> None:
        frame = pd.read_csv(PENGUINS)
        frame.to_parquet(tmp_path / "d.parquet")
        frame.set_index(frame.index + 5).to_parquet(tmp_path / "indexed.parquet", index=True)
        expected = prepare(read(PENGUINS, target="sex"), missing="drop")
        for name in ("d.parquet", "indexed.parquet"):
            design = prepare(read(tmp_path / name, target="sex"), missing="drop")
            assert design.columns == expected.columns
            np.testing.assert_array_equal(design.X, expected.X)
            np.testing.assert_array_equal(design.y, expected.y)

    def test_odd_types(self, tmp_path: Path) -> None:
        import decimal

        frame = pa.table(
            {
                "d": pa.array([decimal.Decimal("1.50"), decimal.Decimal("2.25")]),
                "i": pa.array([1, 2], pa.int8()),
                "h": pa.array([0.5, 0.25], pa.float16()),
                "u": pa.array([2**63, 2**64 - 1], pa.uint64()),
                "s": pa.array(["u", "v"], pa.large_string()),
            }
        )
        pyarrow.parquet.write_table(frame, tmp_path / "d.parquet")
        for design in (prepare(read(tmp_path / "d.parquet")), prepare(Table.from_frame(frame))):
            np.testing.assert_array_equal(design.X, [[1.5, 1, 0.5, 2.0**63, 0], [2.25, 2, 0.25, 2.0**64, 1]])

    def test_numbers_that_mean_missing(self) -> None:
        for frame in (pd.DataFrame({"a": [1, -999, 3]}), pl.DataFrame({"a": [1.0, -999.0, 3.0]})):
            column = Table.from_frame(frame, na=("-999", "?")).column("a")
            np.testing.assert_array_equal(column.missing, [False, True, False])

    def test_names(self) -> None:
        assert frame_columns(pd.DataFrame([[1, 2]])) == ("0", "1")
        assert frame_columns(pl.DataFrame({"a": [1]})) == ("a",)
        assert frame_columns(pl.LazyFrame({"a": [1]})) == ("a",)
        assert frame_columns(np.ones((2, 2))) is None and frame_columns([1]) is None
        assert Table.from_frame(pd.DataFrame([[1, 2], [3, 5]])).names == ("0", "1")

    def test_split_and_take(self) -> None:
        table = Table.from_frame(pd.DataFrame({"a": [1, 2, 3], "w": [0.5, 1.0, 2.0], "y": [5, 6, 7]}), target="y")
        weights, rest = table.split("w")
        assert list(weights.values) == [0.5, 1, 2] and rest.names == ("a",) and rest.target is table.target
        some = rest.take(np.array([True, False, True]))
        assert some.n == 2 and list(some.y()) == [5, 7] and some.take([1]).place(0).startswith("row 3")
        assert "a" in rest and "w" not in rest


class TestTargets:
    CASES: list[tuple[Any, str, str]] = [
        ([0, 1] * 20, "binary", "logistic"),
        ([-1, 1] * 20, "binary", "logistic"),
        ([1.5, 2.5] * 20, "binary", "logistic"),
        ([True, False] * 20, "binary", "logistic"),
        (["no", "yes"] * 20, "binary", "logistic"),
        (["a", "b", "c"] * 20, "classes", "softmax"),
        ([1, 2, 3] * 20, "classes", "softmax"),
        ([1.0, 2.0, 3.0] * 20, "classes", "softmax"),
        (list(range(10)) * 20, "classes", "softmax"),  # digits
        ([1, 2, 3, 5, 6, 7] * 10, "classes", "softmax"),  # glass
        ([-1, 0, 1] * 10, "classes", "softmax"),
        ([3] * 20 + [4] * 163 + [5] * 1457 + [6] * 2198 + [7] * 880 + [8] * 175 + [9] * 5, "real", "squared"),  # wine
        ([0] * 414 + [1] * 78 + [2] * 17 + [3] * 3 + [4] * 2 + [5] * 1, "counts", "squared"),  # visits to a doctor
        (list(range(1000, 1500)), "real", "squared"),
        (list(range(20)), "real", "squared"),
        ([2015, 2016, 2017] * 20, "real", "squared"),
        ([0, 10, 20] * 20, "real", "squared"),
        (np.random.default_rng(0).normal(size=50), "real", "squared"),
        ([0.0, 0.5, 1.0] * 20, "real", "squared"),
        (np.random.default_rng(0).poisson(30, size=300), "real", "squared"),
    ]

    @pytest.mark.parametrize("index", range(len(CASES)))
    def test_guess(self, index: int) -> None:
        y, kind, loss = self.CASES[index]
        guess = guess_target(y, "t")
        assert (guess.kind, guess.loss) == (kind, loss)
        assert guess.reason.startswith("target 't' holds") and "loss" in guess.reason
        assert (guess.classes != ()) == (kind in ("binary", "classes"))
        assert guess == guess_target(np.asarray(y), "t") == guess_target(pd.Series(y).to_numpy(), "t")
        assert guess == guess_target(np.random.default_rng(1).permutation(np.asarray(y)), "t")

    def test_sentences(self) -> None:
        words = guess_target(["setosa", "virginica", "versicolor"] * 5, "species").reason
        assert words == "target 'species' holds 3 text labels: softmax loss (multinomial logistic regression)"
        assert "--loss poisson" in guess_target(np.arange(100) % 47, "visits").hint
        assert "--loss squared" in guess_target([1, 2, 3, 4, 5] * 9, "stars").hint
        assert "--loss softmax" in guess_target([3, 4, 5, 6] * 9, "quality").hint
        binary = guess_target(["no", "yes", "no"], "sick").reason
        assert binary == "target 'sick' holds two values, 'no' and 'yes': logistic loss (the probability of 'yes')"

    def test_column(self) -> None:
        target = read(PENGUINS, target="species").target
        assert guess_target(target, "species").classes == ("Adelie", "Chinstrap", "Gentoo")
        assert read(PENGUINS, target="year").y().dtype == np.int64


# -------------------------------------------------------------------------------------------------- properties

NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=6),
    min_size=1,
    max_size=5,
    unique=True,
).filter(lambda names: len({name.strip() for name in names}) == len(names))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)
WORDS = st.sampled_from(["red", "green", "blue", "light blue", "é", "x,y", 'say "so"', "a;b", "1st"])


@st.composite
def frames(draw: st.DrawFn, rows: int | None = None) -> pl.DataFrame:
    """A frame of numbers, truth values and texts without missing cells."""
    n = rows or draw(st.integers(2, 9))
    columns = {}
    for name in draw(NAMES):
        kind = draw(st.sampled_from(["number", "integer", "boolean", "text"]))
        integers = st.integers(-(2**53), 2**53)
        cells = {"number": NUMBERS, "integer": integers, "boolean": st.booleans(), "text": WORDS}[kind]
        columns[name] = pl.Series(draw(st.lists(cells, min_size=n, max_size=n)))
    # At least one column that gives one of the matrix.
    columns["always there"] = pl.Series([float(i) for i in range(n)])
    return pl.DataFrame(columns)


@settings(max_examples=60, deadline=None)
@given(frames())
def test_decode_undoes_encode(frame: pl.DataFrame) -> None:
    table = Table.from_frame(frame)
    encoder = Encoder.fit(table)
    cells = encoder.decode(encoder.encode(table).X)
    assert list(cells) == [name.strip() for name in frame.columns]
    for name, series in zip(cells, frame.iter_columns()):
        assert cells[name] == [value.strip() if isinstance(value, str) else value for value in series.to_list()]
    again = pl.DataFrame(cells)
    np.testing.assert_array_equal(encoder.encode(Table.from_frame(again)).X, encoder.encode(table).X)


@settings(max_examples=60, deadline=None)
@given(frames(), st.randoms())
def test_order_of_columns_and_rows(frame: pl.DataFrame, random: Any) -> None:
    encoder = Encoder.fit(Table.from_frame(frame))
    expected = encoder.encode(Table.from_frame(frame)).X
    names = list(frame.columns)
    random.shuffle(names)
    shuffled = Table.from_frame(frame.select(names))
    np.testing.assert_array_equal(encoder.encode(shuffled).X, expected)
    other = Encoder.fit(shuffled)
    assert sorted(other.columns) == sorted(encoder.columns)
    rows = list(range(len(frame)))
    random.shuffle(rows)
    np.testing.assert_array_equal(encoder.encode(shuffled.take(rows)).X, expected[rows])
    again = Encoder.fit(Table.from_frame(frame).take(rows))
    assert again.fields == encoder.fields


@settings(max_examples=60, deadline=None)
@given(frames(), st.sampled_from(["error", "drop", "mean"]))
def test_json(frame: pl.DataFrame, missing: Any) -> None:
    table = Table.from_frame(frame)
    encoder = Encoder.fit(table, missing=missing)
    told = json.loads(json.dumps(encoder.to_dict(), allow_nan=False))
    again = Encoder.from_dict(told)
    assert again == encoder and again.columns == encoder.columns
    np.testing.assert_array_equal(again.encode(table).X, encoder.encode(table).X)


@settings(max_examples=40, deadline=None)
@given(frames(), st.sampled_from([",", ";", "\t"]))
def test_csv_and_parquet_round_trip(tmp_path_factory: pytest.TempPathFactory, frame: pl.DataFrame, mark: str) -> None:
    folder = tmp_path_factory.mktemp("round")
    frame = frame.rename({name: f"{name}#{i}" for i, name in enumerate(frame.columns)})
    expected = prepare(Table.from_frame(frame))
    frame.write_csv(folder / "d.csv", separator=mark, quote_style="non_numeric")
    frame.write_parquet(folder / "d.parquet")
    for path, options in ((folder / "d.csv", {"delimiter": mark}), (folder / "d.parquet", {})):
        design = prepare(read(path, **options))  # type: ignore[arg-type]
        assert design.columns == expected.columns
        np.testing.assert_array_equal(design.X, expected.X)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(NUMBERS, st.just(math.nan)), min_size=2, max_size=20))
def test_means_never_overflow(values: list[float]) -> None:
    table = Table.from_frame(pl.DataFrame({"a": values, "b": [1.0] * len(values)}))
    if all(math.isnan(value) for value in values):
        with pytest.raises(TableError, match="'a' of the frame is empty"):
            Encoder.fit(table, missing="mean")
        return
    encoder = Encoder.fit(table, missing="mean")
    present = [value for value in values if not math.isnan(value)]
    mean = encoder.fields[0].mean
    slack = 1e-9 * max(map(abs, present))
    assert mean is not None and min(present) - slack <= mean <= max(present) + slack
    assert np.isfinite(encoder.encode(table).X).all()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever stands in a file, it is read or refused in words."""
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.csv", "any", "any.svm", "any.txt"):
        (folder / name).write_bytes(content)
        try:
            prepare(read(folder / name))
        except TableError as error:
            assert "\n" not in str(error)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab1,;"\'\n\r .-:\té'), max_size=60))
def test_any_cells(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    path.write_bytes(text.encode())
    try:
        prepare(read(path), missing="drop")
    except TableError as error:
        assert "\n" not in str(error)


def test_large_one_hot_is_sparse() -> None:
    n = 40_000
    levels = np.array([f"k{i:04d}" for i in range(1500)])[np.arange(n) % 1500]
    design = prepare(Table.from_frame(pl.DataFrame({"a": np.arange(n) * 0.5, "k": levels})))
    assert scipy.sparse.issparse(design.X) and design.X.shape == (n, 1500) and design.X.has_canonical_format
    row = design.X[1502].toarray().ravel()
    assert row[0] == 751.0 and row[2] == 1.0 and row.sum() == 752.0
