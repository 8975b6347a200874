"""``loopstall watch --pid``, for as long as it takes to see what is looked for."""

import json
import signal
import subprocess
import sys

from helpers import until

WATCH = [sys.executable, "-m", "loopstall", "watch"]


def seen(process, folder, cause, function=None, *words):
    """Watches a process until a stall is told.

    Args:
        process: what is watched.
        folder: where the command runs, with out.json as its report.
        cause: of the stall.
        function: the culprit's; any for None.
        words: further arguments of the command.

    Returns:
        What the command printed with its exit code, and its report; if no such stall came, without it.
    """
    lines = folder / "lines.jsonl"

    def told():
        whole = lines.read_text().rpartition("\n")[0].splitlines() if lines.exists() else []
        stalls = [json.loads(line)["stall"] for line in whole]
        return any(
            one["cause"] == cause and function in {None, (one["culprit"] or {}).get("function")} for one in stalls
        )

    with subprocess.Popen(
        [*WATCH, "--pid", str(process.pid), "--json-lines", str(lines), "-o", "out.json", *words],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as command:  # fmt: skip
        try:
            until(lambda: command.poll() is not None or told())
            command.send_signal(signal.SIGINT)
            out, said = command.communicate(timeout=60)
        finally:
            command.kill()
    done = subprocess.CompletedProcess(command.args, command.returncode, out, said)
    return done, json.loads((folder / "out.json").read_text())
