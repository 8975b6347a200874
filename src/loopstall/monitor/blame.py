"""The line that is to blame for what samples of a loop's thread saw, and the names of what ran there."""

from collections import Counter
from collections.abc import Sequence

from loopstall.monitor.samples import Sample
from loopstall.records import Frame
from loopstall.records.frames import culprit, is_users, loop_at

__all__ = ["blamed", "named"]

_Function = tuple[str, str]


def blamed(stacks: Sequence[tuple[Frame, ...]], weights: Sequence[int]) -> Frame | None:
    """Returns the culprit of most stacks; those that show the loop between two callbacks count where there is no other.

    Such a one ends in a library, and is the outer part of the others. From the outermost function of the user's on the
    heaviest one that it calls is followed, or its own work, so that what divides its work among several functions is
    not passed over for a lesser one that does not. Lines come last, for what computes is met at several.

    Args:
        stacks: innermost frames first.
        weights: how much each counts.
    """
    left: list[tuple[list[_Function], Frame, int]] = []
    for stack, weight in zip(stacks, weights, strict=True):
        if stack and (is_users(stack[0].file) or not any(_is_within(stack, other) for other in stacks)):
            frame = culprit(stack)
            if frame is not None:
                outer = [(one.file, one.function) for one in reversed(stack) if is_users(one.file)]
                left.append((outer or [(frame.file, frame.function)], frame, weight))
    depth = 0
    while len({tuple(path) for path, _, _ in left}) > 1:
        taken: Counter[_Function | None] = Counter()
        for path, _, weight in left:
            taken[path[depth] if depth < len(path) else None] += weight
        heaviest = taken.most_common(1)[0][0]
        left = [one for one in left if (one[0][depth] if depth < len(one[0]) else None) == heaviest]
        depth += 1
    lines: Counter[Frame] = Counter()
    for _, frame, weight in left:
        lines[frame] += weight
    return lines.most_common(1)[0][0] if lines else None


def _is_within(outer: tuple[Frame, ...], stack: tuple[Frame, ...]) -> bool:
    """Returns whether a stack that ends in a library is the outer part of another, or that of the loop by itself."""
    return stack[-len(outer) :] == outer != stack or (bool(stack) and _is_the_loops(outer) and not _is_the_loops(stack))


def _is_the_loops(stack: tuple[Frame, ...]) -> bool:
    """Returns whether a loop is seen between two callbacks, or waiting for events."""
    at = loop_at(stack)
    return at == 0 or (at == 1 and stack[0].function.rpartition(".")[2] == "select")


def named(samples: Sequence[Sample], stacks: Sequence[tuple[Frame, ...]], worst: Frame | None) -> dict[str, str]:
    """Returns task, coroutine and label of what ran at the worst line, else of what else was seen; "" for none.

    Args:
        samples: of the loop's thread.
        stacks: their stacks, as plain records.
        worst: the line.
    """
    at_worst = [one for one, stack in zip(samples, stacks, strict=True) if culprit(stack) == worst]
    seen = (*at_worst, *samples)
    named = next((one for one in seen if one.task or one.coroutine), None)
    label = next((one.label() for one in seen if one.label is not None), "")
    task, coroutine = (named.task, named.coroutine) if named else ("", "")
    return {"task": task, "coroutine": coroutine, "label": label}
