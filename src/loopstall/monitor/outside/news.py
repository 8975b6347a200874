"""Reads the news of the helper: of a stall that goes on, or in which its process has ended.

Hands on ``told``. How the news came here is no matter of this module.
"""

from loopstall.monitor.outside.messages import HANG
from loopstall.monitor.outside.seen import stall_from
from loopstall.monitor.outside.slot import Seen
from loopstall.records import StallEvent
from loopstall.records.clock import NS_PER_S, epoch_s

__all__ = ["told"]


def told(news: dict[str, object]) -> tuple[StallEvent, bool]:
    """Returns a stall of which the helper has told, and whether it goes on.

    Raises:
        ValueError, TypeError, KeyError: it is something else.
    """
    since_s, until_s = float(str(news["since_s"])), float(str(news["until_s"]))
    seen = news["seen"]
    if not isinstance(seen, list):
        raise TypeError(seen)
    stall = stall_from(
        [Seen(*one) for one in seen],
        since_s=since_s,
        until_s=until_s,
        threshold_ns=round(float(str(news["threshold_s"])) * NS_PER_S),
        cpu_ns=int(str(news["cpu_ns"])),
        delay_ns=int(str(news["delay_ns"])),
        counted_s=float(str(news["counted_s"])),
    )
    event = StallEvent(
        stall=stall,
        length_ns=stall.duration_ns,
        at=epoch_s(round(since_s * NS_PER_S)),
        process=f"{news['process']} {news['pid']}",
        thread="MainThread" if news["thread_id"] == news["pid"] else "",
    )
    return event, news["kind"] == HANG
