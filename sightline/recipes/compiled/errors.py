"""What the compiled engine cannot do, in one sentence."""


class NotCompiled(ValueError):
    """The compiled engine cannot run this training; the message says why, and what it can run."""
