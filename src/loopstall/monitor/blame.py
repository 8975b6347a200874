"""The line that is to blame for what samples of a loop's thread saw, and the names of what ran there."""

from collections import Counter
from collections.abc import Sequence

from loopstall.monitor.samples import Sample
from loopstall.records import Frame
from loopstall.records.frames import culprit, is_users

__all__ = ["blamed", "named"]


def blamed(stacks: Sequence[tuple[Frame, ...]], weights: Sequence[int]) -> Frame | None:
    """Returns the culprit of most stacks; those that show the loop between two callbacks count where there is no other.

    Such a one ends in a library, and is the outer part of the others. Functions are compared first, for one that
    computes is met at several of its lines.

    Args:
        stacks: innermost frames first.
        weights: how much each counts.
    """
    found: Counter[Frame] = Counter()
    functions: Counter[tuple[str, str]] = Counter()
    for stack, weight in zip(stacks, weights, strict=True):
        if stack and (is_users(stack[0].file) or not any(other[-len(stack) :] == stack != other for other in stacks)):
            frame = culprit(stack)
            if frame is not None:
                found[frame] += weight
                functions[frame.file, frame.function] += weight
    if not found:
        return None
    worst = functions.most_common(1)[0][0]
    return next(frame for frame, _ in found.most_common() if (frame.file, frame.function) == worst)


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
