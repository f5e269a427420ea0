"""Text for streams that do not know every letter: the nearest that they know, and never an error."""

from __future__ import annotations

from typing import IO

# Signs of ours, and what stands for them in ASCII.
NEAREST = str.maketrans({
    "−": "-", "–": "-", "—": "-", "×": "x", "·": "*", "…": "...", "≤": "<=", "≥": ">=", "≠": "!=", "∞": "inf",
    "→": "->", "✓": "ok:", "✗": "x", "²": "^2", "ⁿ": "^n", "½": "1/2", "¼": "1/4", "±": "+-", "°": " degrees",
    "‖": "||",
    "β": "beta", "λ": "lambda", "μ": "mu", "σ": "sigma", "κ": "kappa", "η": "eta", "α": "alpha", "∇": "grad ",
    "“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " ", "\ufffd": "?", "•": "*", "│": "|", "─": "-",
})  # fmt: skip


def encodable(text: str, encoding: str | None) -> str:
    """The text in letters of an encoding; those of it that have no likeness there become '?'."""
    try:
        text.encode(encoding or "utf-8")
    except LookupError:
        return encodable(text, "ascii")
    except UnicodeEncodeError:
        near = text.translate(NEAREST)
        return near.encode(encoding or "utf-8", errors="replace").decode(encoding or "utf-8")
    return text


class Encodable:
    """A stream of text that passes on what the stream beneath it can encode."""

    def __init__(self, beneath: IO[str]) -> None:
        self.beneath = beneath

    @property
    def encoding(self) -> str:
        """That of the stream beneath; one without, such as a ``StringIO``, knows every letter."""
        return getattr(self.beneath, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write it in letters of the stream's encoding."""
        return self.beneath.write(encodable(text, self.encoding))

    def flush(self) -> None:
        """Flush the stream beneath."""
        self.beneath.flush()

    def isatty(self) -> bool:
        """Whether the stream beneath is a terminal."""
        return self.beneath.isatty()

    def fileno(self) -> int:
        """The stream's file descriptor, which rich asks for the width of the terminal."""
        return self.beneath.fileno()
