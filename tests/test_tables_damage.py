"""Damaged files: cut at any byte or with any byte changed, they are read or refused in words, never a crash."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from safetensors.torch import save

from sightline.tables import TableError, prepare, read

X = np.random.default_rng(0).normal(size=(6, 3))


def contents() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    frame = pd.DataFrame({"a": X[:, 0], "t": list("uvuvuv"), "y": [0, 1, 0, 1, 0, 1]})

    def written(save: object) -> bytes:
        buffer = io.BytesIO()
        save(buffer)  # type: ignore[operator]
        return buffer.getvalue()

    files["d.parquet"] = written(lambda file: frame.to_parquet(file, index=False))
    files["d.npy"] = written(lambda file: np.save(file, X))
    files["d.npz"] = written(lambda file: np.savez(file, X=X, y=np.arange(6)))
    files["c.npz"] = written(lambda file: np.savez_compressed(file, X=X, y=np.arange(6)))
    files["s.npz"] = written(lambda file: scipy.sparse.save_npz(file, scipy.sparse.csr_matrix(X)))
    files["d.pt"] = written(lambda file: torch.save({"X": torch.from_numpy(X), "y": torch.arange(6)}, file))
    files["d.safetensors"] = save({"X": torch.from_numpy(X), "y": torch.arange(6)})
    files["d.svm"] = b"1 1:2.5 3:1\n-1 2:1e3\n" * 5
    files["d.csv"] = frame.to_csv(index=False).encode()
    files["d.csv.gz"] = gzip.compress(files["d.csv"], mtime=0)
    return files


FILES = contents()
MAY_END_ANYWHERE = {"d.csv", "d.svm"}


def attempt(path: Path) -> bool:
    """Whether the file was read; False when it was refused in words."""
    try:
        prepare(read(path))
    except TableError as error:
        assert "\n" not in str(error) and (path.name in str(error) or "column" in str(error))
        return False
    return True


@pytest.mark.parametrize("name", FILES)
def test_cut(name: str, tmp_path: Path) -> None:
    content = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    assert attempt(path)
    step = max(len(content) // 150, 1)
    for size in range(0, len(content), step):
        path.write_bytes(content[:size])
        read_anyway = attempt(path)
        assert not read_anyway or name in MAY_END_ANYWHERE or content[size:].strip(b"\0") == b"", size
    if name not in MAY_END_ANYWHERE:
        path.write_bytes(content[:-1])
        assert not attempt(path)


@pytest.mark.parametrize("name", FILES)
def test_changed(name: str, tmp_path: Path) -> None:
    content = FILES[name]
    path = tmp_path / name
    rng = np.random.default_rng(1)
    for place in rng.integers(0, len(content), size=120):
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        attempt(path)


@pytest.mark.parametrize("name", FILES)
def test_wrong_ending(name: str, tmp_path: Path) -> None:
    """A file under the ending of another kind is refused in words (or is text that happens to be a table)."""
    for ending in ("parquet", "npy", "npz", "pt", "safetensors", "svm", "csv", "csv.gz", "dat"):
        path = tmp_path / f"d.{ending}"
        path.write_bytes(FILES[name])
        attempt(path)
