"""The page of findings, written from the rules themselves, each with a command that shows it."""

from loopstall.analysis.contrasts import CONTRASTS
from loopstall.analysis.rules import RULES, Rule

__all__ = ["findings_page"]

EXAMPLES = {
    "failed": "loopstall run broken.py -s inline`, where a workload raises",
    "sync-wait-on-loop": "loopstall run blocking_sleep -s asyncio",
    "cpu-on-loop": "loopstall run hashing -p variant=pure-python -s asyncio",
    "gil-contention": "loopstall run hashing -p variant=pure-python -s threads",
    "gc-pause": "loopstall run collects.py -s asyncio`, where it keeps a million objects",
    "stall-of-unknown-cause": "loopstall run blocking_sleep -s asyncio` on macOS or Windows",
    "server-busy": "loopstall serve-bench gunicorn-1",
    "pool-saturated": "loopstall run blocking_sleep -s processes --rate 500",
    "offload-overhead": "loopstall run json_parse -s asyncio -s processes",
    "noisy-machine": "loopstall run --quick` beside something else that computes on every core",
    "insufficient-data": "loopstall run --processes 2",
    "clean": "loopstall run blocking_sleep -s processes -s to_thread",
    **{item.rule: f"loopstall run {workload} -s async" for workload, item in CONTRASTS.items()},
    "native-code-pays": "loopstall run checksum -s asyncio",  # a job on the loop, the others are coroutines
}
"""What shows each finding, on a machine where it is one: the code between backticks, and words after it."""

INTRODUCTION = """# Findings

Written by `nox -s schema` from the rules. A page of the matrix begins with its findings: what is wrong, why, and what
to do. [Reports](reports.md#findings) has the condition under which each applies, and [Causes](causes.md) what a single
stall is put down to. Whether a command below shows its finding depends on the machine: the figures decide.
"""


def findings_page() -> str:
    """Returns the page."""
    return "\n".join([INTRODUCTION, *map(_section, RULES.values())])


def _section(rule: Rule) -> str:
    example = EXAMPLES[rule.name]
    shown = f"`{example}" + ("" if "`" in example else "`")
    return f"## `{rule.name}`: {rule.title}\n\n{rule.cause}\n\n**What to do:** {rule.advice}\n\n**Example:** {shown}.\n"
