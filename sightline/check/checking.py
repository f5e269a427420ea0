"""A script, watched and judged: from the command to the report."""

from __future__ import annotations

from sightline.check.command import CannotCheck, Command
from sightline.check.finding import Report


def check_script(command: Command) -> Report:
    """Run the script, watch it, recover its problem, ask the rules, try their mends.

    Raises
    ------
    CannotCheck : nothing could be checked, with the sentence for the person.
    """
    raise CannotCheck(f"{command.name}: this version cannot watch a script yet")
