"""Copies workloads/ into the wheel.

Only in a standard build: an editable install finds workloads/ beside src/ instead, so that an edit there is
what runs. Static ``force-include`` breaks editable installs, hence the hook.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundledWorkloads(BuildHookInterface):  # type: ignore[type-arg]
    """Puts every workload file at loopstall/_bundled/workloads of the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the files to the wheel unless the build is editable."""
        if version != "standard":
            return
        for file in sorted((Path(self.root) / "workloads").glob("*.py")):
            build_data["force_include"][str(file)] = f"loopstall/_bundled/workloads/{file.name}"
