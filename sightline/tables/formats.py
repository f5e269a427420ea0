"""Which kind of file it is: by its ending, else by how it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from .errors import TableError
from .libsvm import looks_like_libsvm
from .opening import head, is_gzip

Format = Literal["csv", "parquet", "npy", "npz", "pt", "safetensors", "libsvm"]

_BY_ENDING: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npy": "npy",
    ".npz": "npz",
    ".pt": "pt",
    ".pth": "pt",
    ".safetensors": "safetensors",
    ".libsvm": "libsvm",
    ".svm": "libsvm",
    ".svmlight": "libsvm",
}
_FOREIGN = {
    ".xlsx": "an Excel workbook",
    ".xls": "an Excel workbook",
    ".ods": "a spreadsheet",
    ".json": "JSON",
    ".jsonl": "JSON",
    ".feather": "a Feather file",
    ".arrow": "an Arrow file",
    ".orc": "an ORC file",
    ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file",
    ".mat": "a MATLAB file",
    ".rds": "an R file",
    ".rda": "an R file",
    ".rdata": "an R file",
    ".sav": "an SPSS file",
    ".dta": "a Stata file",
    ".sas7bdat": "a SAS file",
    ".zip": "an archive",
    ".xz": "an archive",
    ".bz2": "an archive",
    ".zst": "an archive",
    ".tar": "an archive",
    ".db": "a database",
    ".sqlite": "a database",
}
_PICKLES = {".pkl", ".pickle", ".joblib", ".dill"}
_MAGIC: tuple[tuple[bytes, Format], ...] = ((b"PAR1", "parquet"), (b"\x93NUMPY", "npy"), (b"PK\x03\x04", "npz"))


def detect(path: Path) -> Format:
    """The kind of the file at `path`; TableError for an empty file and for kinds that are not read."""
    endings = [suffix.lower() for suffix in path.suffixes]
    if endings and endings[-1] == ".gz":
        endings.pop()
    ending = endings[-1] if endings else ""
    if ending in _FOREIGN:
        raise TableError(f"{path} is {_FOREIGN[ending]}: save the table as CSV or Parquet")
    if ending in _PICKLES:
        raise TableError(f"{path} is a pickle, which is not opened since it can run code: save CSV, Parquet or .npy")
    start = head(path)
    if not start.strip():
        raise TableError(f"{path} is empty")
    known = _BY_ENDING.get(ending)
    if known is not None and known not in ("csv", "libsvm"):
        if is_gzip(path):
            raise TableError(f"{path} is compressed by gzip: unpack it first (CSV and LIBSVM may stay compressed)")
        return known
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            if known is not None:
                raise TableError(f"{path} is not a text file: it begins as a .{kind} file does, so name it so")
            return "pt" if kind == "npz" and b"/data.pkl" in start[:4096] else kind
    if known is not None:
        return known
    return "libsvm" if looks_like_libsvm(start.decode("utf-8", "replace")) else "csv"
