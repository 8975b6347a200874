"""A process at one moment, in words and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
import json

from loopstall.records import Frame
from loopstall.records.dumps import ProcessDump, TaskDump, ThreadDump
from loopstall.records.frames import culprit, shortened
from loopstall.report.escape import json_text, markdown_text
from loopstall.report.page.icicle import source_line
from loopstall.report.text import left_out, place, printable

__all__ = ["children_told", "dump_shown", "dump_to_html", "dump_to_json", "dump_to_markdown", "dump_to_terminal"]

_FRAMES = 40
_TASKS = 100
_CHILDREN = 20
_FENCE = "`" * 3


def dump_to_json(dump: ProcessDump) -> str:
    """Renders a dump as JSON: the fields of its records by their names."""
    return json_text(json.dumps(asdict(dump), indent=1)) + "\n"


def dump_to_terminal(dump: ProcessDump) -> str:
    """Renders a dump as a terminal shows it."""
    return "".join(f"{line}\n" for line in dump_shown(dump))


def dump_to_markdown(dump: ProcessDump) -> str:
    """Renders a dump for a comment."""
    first, *rest = dump_shown(dump)
    text = "\n".join(rest).replace(_FENCE, chr(39) * 3)
    return f"### {markdown_text(first)}\n\n{_FENCE}text\n{text}\n{_FENCE}\n"


def dump_to_html(dump: ProcessDump) -> str:
    """Renders a dump as a page."""
    from loopstall.report.page.text_page import to_page  # jinja2 is for pages alone

    return to_page(f"loopstall dump {dump.pid}", dump_to_terminal(dump), label="Threads, their loops and tasks")


def dump_shown(dump: ProcessDump) -> list[str]:
    """Writes a dump for people, a line each."""
    lines = [f"process {dump.pid}, Python {dump.python}: {dump.command}"]
    with_loop = [thread for thread in dump.threads if thread.loop]
    without = [thread for thread in dump.threads if not thread.loop]
    for thread in with_loop:
        lines += _loop(thread)
    if not with_loop:
        lines.append(f"no event loop runs in this process{children_told(dump.children)}")
    if without and with_loop:
        lines.append("threads without a loop:")
    for thread in without:
        lines += [f"{_named(thread)}: {_state(thread)}", *_stack(thread.stack, 2 if with_loop else _FRAMES)]
    return [printable(line) for line in (*lines, *dump.notes)]


def children_told(children: Sequence[int]) -> str:
    """Returns the end of a sentence about a process without a loop, whose child processes may have one."""
    return f"; its child processes: {', '.join(map(str, children[:_CHILDREN]))}" if children else ""


def _loop(thread: ThreadDump) -> list[str]:
    lines = [f"{_named(thread)}, {thread.loop}: {_state(thread)}"]
    if thread.task or thread.coroutine:
        lines.append(f"  running task: {_titled(thread.task, thread.coroutine)}")
    lines += _stack(thread.stack, _FRAMES)
    if thread.tasks:
        lines.append(
            f"  {len(thread.tasks)} {'other ' if thread.task else ''}task{'s' if len(thread.tasks) > 1 else ''}:"
        )
    for task in thread.tasks[:_TASKS]:
        lines.append(_task(task))
    if len(thread.tasks) > _TASKS:
        lines.append(f"    and {len(thread.tasks) - _TASKS} more; --json has them all")
    return lines


def _task(task: TaskDump) -> str:
    frame = culprit(task.stack)
    where = f": {place(frame)}" if frame is not None else ""
    awaits = f", awaits {task.awaits}" if task.awaits else ""
    return f"    {_titled(task.name, task.coroutine)}{where}{awaits}"


def _titled(name: str, coroutine: str) -> str:
    """Writes a task: its name and that of its coroutine, as far as they are known."""
    return f"{name} ({coroutine})" if name and coroutine else name or coroutine or "no name"


def _named(thread: ThreadDump) -> str:
    return f"thread {thread.thread_id}{f' ({thread.name})' if thread.name else ''}"


def _state(thread: ThreadDump) -> str:
    if thread.syscall and thread.state != "waits for events":
        return f"{thread.state}, {thread.syscall}"
    if thread.holder_id:
        at = f" at {place(thread.holder)}" if thread.holder is not None else ""
        return f"{thread.state}, held by thread {thread.holder_id}{at}"
    return thread.state


def _stack(stack: Sequence[Frame], most: int) -> list[str]:
    lines: list[str] = []
    for frame in shortened(stack, most):
        if isinstance(frame, int):
            lines.append(f"    {left_out(frame)}")
            continue
        source = source_line(frame.file, frame.line)
        lines += [f"    {place(frame)}", *([f"        {source}"] if source else [])]
    return lines
