"""One rule a file, named as its id with underscores; the module's docstring is the rule's page.

A rule has one of

    find(training: Recovered, evidence: Evidence) -> Finding | None      asked of each training
    find_in_script(evidence: Evidence) -> Finding | None                 asked once

and may have both.  It decides by a measured number against a bound that follows from the problem.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from sightline.check.pages import ids


def module(rule: str) -> ModuleType:
    """The module of a rule."""
    return importlib.import_module(f"sightline.check.rules.{rule.replace('-', '_')}")


def every() -> list[str]:
    """The ids of all rules."""
    return ids()
