"""The job that does nothing: what is left of the time is the way off the loop."""

from loopstall import workload


def nothing(seed: int) -> int:
    """Returns its argument."""
    return seed


noop = workload(nothing)


@noop.verify
def _(result: object, seed: int) -> bool:
    return result == seed
