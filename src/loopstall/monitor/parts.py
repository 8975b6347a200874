"""The callbacks that one turn of a loop ran, and how its time divides between them.

A loop that has several callbacks due runs them one behind the other, and what falls due meanwhile waits for them all.
Hands on ``parts_of`` and ``divided``. How much time a look stands for is the matter of ``looks``.
"""

from collections.abc import Hashable, Sequence

from loopstall.monitor.blame import blamed, named
from loopstall.monitor.depth import DEPTH
from loopstall.monitor.samples import Sample
from loopstall.records import Frame, StallPart
from loopstall.records.frames import LOOP_HANDLE, is_users, loop_at, place_in_library

__all__ = ["divided", "parts_of"]

Stack = tuple[Frame, ...]

_LEAST_SHARE = 0.1


def parts_of(samples: Sequence[Sample], stacks: Sequence[Stack], weights: Sequence[int]) -> tuple[StallPart, ...]:
    """Returns the callbacks with a tenth of the time or more, the longest first; none where there are not several.

    Args:
        samples: of the loop's thread, within one turn of the loop.
        stacks: theirs, as plain records.
        weights: how much each counts.
    """
    return tuple(_part(numbers, samples, stacks, weights) for numbers in divided(samples, stacks, weights))


def divided(samples: Sequence[Sample], stacks: Sequence[Stack], weights: Sequence[int]) -> list[list[int]]:
    """Returns which samples are of which of these callbacks, by their numbers; empty where there are not several.

    Args:
        samples: of the loop's thread, within one turn of the loop.
        stacks: theirs, as plain records.
        weights: how much each counts.
    """
    found: dict[Hashable, list[int]] = {}
    for number, (sample, stack) in enumerate(zip(samples, stacks, strict=True)):
        callback = _callback(sample, stack)
        if callback is not None:
            found.setdefault(callback, []).append(number)
    taken = {callback: sum(weights[number] for number in numbers) for callback, numbers in found.items()}
    long = [callback for callback in found if taken[callback] >= sum(weights) * _LEAST_SHARE]
    if len(long) < 2:  # noqa: PLR2004  # one is no part
        return []
    return [found[callback] for callback in sorted(long, key=lambda callback: -taken[callback])]


def _part(
    numbers: Sequence[int], samples: Sequence[Sample], stacks: Sequence[Stack], weights: Sequence[int]
) -> StallPart:
    own_stacks = [stacks[number][: loop_at(stacks[number])] for number in numbers]  # without who runs the loop
    own_weights = [weights[number] for number in numbers]
    worst = blamed(own_stacks, own_weights)
    names = named([samples[number] for number in numbers], own_stacks, worst)
    return StallPart(culprit=worst, share=sum(own_weights) / sum(weights), **names)


def _callback(sample: Sample, stack: Stack) -> Hashable | None:
    """Returns by what a callback is told from the others of its turn, None where that was not seen.

    That is the frame of its outermost coroutine; without one, the outermost function of the user's inside of the loop,
    or else what the loop called. Of a stack that is too deep to be seen to its end, the coroutine counts if it is a
    task's.
    """
    cut = len(stack) >= DEPTH
    if sample.frame and (sample.task or not cut):
        return sample.frame
    inner = loop_at(stack)
    if inner is None and cut:
        return None
    outermost = next((frame for frame in reversed(stack[:inner]) if is_users(frame.file)), None)
    if outermost is None and inner and place_in_library(stack[inner]) == LOOP_HANDLE:
        outermost = stack[inner - 1]
    return (outermost.file, outermost.function) if outermost is not None else None
