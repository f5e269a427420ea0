"""A file on disk or a frame, as a design matrix with named columns.

    table = read("penguins.csv", target="sex")     # named columns, as they were read
    design = prepare(table)                        # design.X, design.y, design.columns, design.encoder
    guess_target(design.y, "sex").reason           # the loss, and why
    prepare(read("new.csv"), design.encoder).X     # new rows, matched by name

All that can be wrong with data is a TableError: one sentence with what, where and what to do.
"""

from .column import Column
from .encoder import Encoder
from .errors import TableError
from .field import Field
from .frames import frame_columns
from .matrix import Encoded
from .prepare import Design, prepare
from .reading import read
from .table import Source, Table
from .targets import TargetKind, check_classes, guess_target

__all__ = [
    "Column",
    "Design",
    "Encoded",
    "Encoder",
    "Field",
    "Source",
    "Table",
    "TableError",
    "TargetKind",
    "check_classes",
    "frame_columns",
    "guess_target",
    "prepare",
    "read",
]
