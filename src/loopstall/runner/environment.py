"""The environment of a matrix, found out once for all its runs."""

from importlib import metadata
import os
from pathlib import Path
import platform
import subprocess

from loopstall.monitor.gil import has_gil
from loopstall.records import Environment

__all__ = ["describe"]

_PACKAGES = ("loopstall", "uvloop", "aiofiles", "msgspec")


def describe() -> Environment:
    """Describes this machine and interpreter; the loop's version and the load are each run's own."""
    return Environment(
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        loop="",
        platform=platform.platform(),
        kernel=f"{platform.system()} {platform.release()}",
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        governor=_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown",
        load_1min=None,
        gil=has_gil(),
        packages=tuple((name, version) for name in _PACKAGES if (version := _version(name))),
        commit=_commit(),
        host=platform.node(),
    )


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model", "Hardware")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def _first_line(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Returns the commit of the current directory's checkout, marked where files differ from it."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
