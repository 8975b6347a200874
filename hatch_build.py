"""Copies workloads/ into the wheel, and names the repository that a release is built in.

Workloads only in a standard build: an editable install finds workloads/ beside src/ instead, so that an edit there is
what runs. Static ``force-include`` breaks editable installs, hence the hook.
"""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGE = "https://pypi.org/project/loopstall/"


class BundledWorkloads(BuildHookInterface):  # type: ignore[type-arg]
    """Puts every workload file at loopstall/_bundled/workloads of the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the files to the wheel unless the build is editable."""
        if version != "standard":
            return
        for file in sorted((Path(self.root) / "workloads").glob("*.py")):
            build_data["force_include"][str(file)] = f"loopstall/_bundled/workloads/{file.name}"


class ProjectUrls(MetadataHookInterface):
    """Names the repository in the project's URLs where the workflow that releases it says which it is."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds the project's URLs."""
        metadata["urls"] = {"Homepage": PAGE}
        server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY", "")
        if not server or name.rpartition("/")[2] != "loopstall":  # another project's workflow installs it from source
            return
        repository = f"{server}/{name}"
        metadata["urls"] |= {
            "Source": repository,
            "Documentation": f"https://{name.partition('/')[0]}.github.io/loopstall/",
            "Changelog": f"{repository}/blob/main/CHANGELOG.md",
            "Issues": f"{repository}/issues",
        }
