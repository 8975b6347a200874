"""A program that is waited for."""

import asyncio
import subprocess
import sys

from loopstall import workload


def _command(seed: int, seconds: float) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", f"import time; time.sleep({seconds}); print({seed})"]


@workload(params={"seconds": [0.02]}, on_request=True)
def subprocess_wait(seed: int, *, seconds: float) -> int:
    """`subprocess.run` on the loop.

    Stands for a converter, `git` or `ffmpeg` that a handler runs and waits for. The thread computes next to
    nothing: it waits, and starting a process takes its time as well, which the async version
    (`asyncio.create_subprocess_exec`) spends on the loop too. A right answer is what the program prints.
    """
    done = subprocess.run(_command(seed, seconds), capture_output=True, check=True)  # our own words
    return int(done.stdout)


@subprocess_wait.async_version()
async def _(seed: int, *, seconds: float) -> int:
    program = await asyncio.create_subprocess_exec(*_command(seed, seconds), stdout=asyncio.subprocess.PIPE)
    output, _ = await program.communicate()
    return int(output)


@subprocess_wait.verify
def _(result: object, seed: int, *, seconds: float) -> bool:  # noqa: ARG001
    return result == seed
