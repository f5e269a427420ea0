"""Builds the compiled engine's library when Sightline is installed from its sources.

Without a C compiler, or where it fails, nothing is built and the installation goes on: the library is then built when
it is first needed, or done without.  ``SIGHTLINE_PURE=1`` leaves it out, for a wheel that goes to other machines.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "sightline/recipes/compiled"


class CustomBuildHook(BuildHookInterface):
    """Called by hatchling before it makes a wheel, also that of an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build for float32 and float64 into the source tree, and have the wheel hold it."""
        building = load(Path(self.root, FOLDER, "building.py"))
        folder: Path = building.INSTALLED
        shutil.rmtree(folder, ignore_errors=True)
        if os.environ.get("SIGHTLINE_PURE"):
            return
        folder.mkdir()
        try:
            for single in (True, False):
                command = building.command_for(single)
                if command is None:
                    raise building.NoLibrary("no C compiler was found")
                building.build(command, folder, building.key_of(command))
        except (building.NoLibrary, OSError) as reason:
            self.app.display_warning(f"the compiled engine was not built ahead: {reason}")
            shutil.rmtree(folder, ignore_errors=True)
            return
        build_data["artifacts"].append(f"{FOLDER}/built/*.so")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def load(path: Path) -> ModuleType:
    """The module in a file, without its package, which needs what may not be installed yet."""
    spec = importlib.util.spec_from_file_location("building", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
