"""The confidence in the cause of a stall, by how often the loop's thread was looked at while it lasted."""

from loopstall.records import Stall

__all__ = ["confidence_of"]

_SEVERAL = 3  # looks that agree are no chance


def confidence_of(stall: Stall) -> str:
    """Returns the confidence in a stall's cause: high, medium, low or none.

    ``high`` where the loop's thread was looked at several times during the stall, ``medium`` where it was once or
    twice, ``low`` where counters alone tell, and ``none`` where the cause is unknown or no evidence was kept.
    """
    if stall.evidence is None or stall.cause == "unknown":
        return "none"
    looks = stall.evidence.looks + stall.evidence.asked
    if looks >= _SEVERAL:
        return "high"
    return "medium" if looks else "low"
