"""Stalls with known truth: each kind blocks the running loop for a given time, on lines that are marked."""

from kinds import alternating, native, python, waiting
from kinds.base import FOLDER, Kind, Part, Work

__all__ = ["COLD", "FOLDER", "HANGS", "KINDS", "Kind", "Part", "chosen", "place", "sizes"]

_FILES = {str(path): path.name for path in FOLDER.glob("*.py")}


def _own(cause: str, group: str, work: Work, *beside: Part, needs: str = "") -> Kind:
    """A kind of which the loop's own thread does one thing."""
    return Kind(cause, group, (*beside, Part(work)), needs=needs)


def _held(*parts: Part, known_length: bool = True) -> Kind:
    """A kind of which another thread keeps the GIL."""
    return Kind("gil-wait", "gil", parts, known_length=known_length)


def _turn(cause: str, *parts: tuple[Work, float]) -> Kind:
    """A kind of which several callbacks make one turn of the loop."""
    return Kind(cause, "turn", tuple(Part(work, share) for work, share in parts))


_DECOY = Part(native.HASHED, 0.9, "decoy")
_LONG, _MIDDLE, _SHORT = 14 / 20, 5 / 20, 1 / 20  # what comes after a sleep takes up to twice as long

KINDS = {
    "time.sleep": _own("blocking-call", "waiting", waiting.SLEEP),
    "fsync": _own("blocking-call", "waiting", waiting.FSYNC),
    "lock": _own("blocking-call", "waiting", waiting.LOCK),
    "lock, decoy": _own("blocking-call", "waiting", waiting.LOCK, _DECOY),
    "usleep, GIL kept": _own("blocking-call", "waiting", waiting.KEEPING_THE_GIL),
    "usleep, once": _own("blocking-call", "waiting", waiting.KEEPING_THE_GIL_ONCE),
    "while loop": _own("cpu-python", "python", python.UNTIL_A_TIME),
    "while loop, decoy": _own("cpu-python", "python", python.UNTIL_A_TIME, Part(python.NOTHING, 0)),
    "while loop, empty": _own("cpu-python", "python", python.UNTIL_A_TIME_IDLY),
    "for loop": _own("cpu-python", "python", python.FOR_LOOP),
    "small functions": _own("cpu-python", "python", python.SMALL_FUNCTIONS),
    "dictionary": _own("cpu-python", "python", python.TABLE),
    "text": _own("cpu-python", "python", python.TEXT),
    "recursion": _own("cpu-python", "python", python.RECURSION),
    "generators": _own("cpu-python", "python", python.GENERATORS),
    "coroutines": _own("cpu-python", "python", python.COROUTINES),
    "many C calls": _own("cpu-python", "python", python.SMALL_CALLS),
    "sum": _own("cpu-native", "native", native.SUMMED),
    "map": _own("cpu-native", "native", native.MAPPED),
    "re.sub": _own("cpu-native", "native", native.SUBSTITUTED),
    "re, backtracking": _own("cpu-native", "native", native.BACKTRACKED),
    "json.dumps": _own("cpu-native", "native", native.DUMPED),
    "json.loads": _own("cpu-native", "native", native.LOADED),
    "sorted": _own("cpu-native", "native", native.ORDERED),
    "hashlib": _own("cpu-native", "native", native.HASHED),
    "zlib": _own("cpu-native", "native", native.COMPRESSED),
    "pow": _own("cpu-native", "native", native.RAISED),
    "bytes.join": _own("cpu-native", "native", native.JOINED),
    "matmul": _own("cpu-native", "native", native.MULTIPLIED, needs="numpy"),
    "GIL, python": _held(Part(python.UNTIL_A_TIME, 1, "hog"), known_length=False),
    "GIL, sum": _held(Part(native.SUMMED, 1, "hog")),
    "GIL, sum, decoy": _held(_DECOY, Part(native.SUMMED, 1, "hog")),
    "GIL, re": _held(Part(native.BACKTRACKED, 1, "hog"), known_length=False),
    "GIL, json": _held(Part(native.DUMPED, 1, "hog")),
    "GIL, re.sub": _held(Part(native.SUBSTITUTED, 1, "hog"), known_length=False),
    "GIL, small functions": _held(Part(python.SMALL_FUNCTIONS, 1, "hog"), known_length=False),
    "GIL, by turns": _held(Part(alternating.BY_TURNS, 1, "hog"), known_length=False),
    "GIL, two threads": _held(
        Part(native.SUMMED, 0.8, "hog"), Part(native.ORDERED, 0.2, "lesser hog"), known_length=False
    ),
    "GIL, short-lived": _held(Part(native.SUMMED, 1, "brief", lasting=False)),
    "GIL, unnamed": _held(Part(python.FOR_LOOP, 1, "", lasting=False), known_length=False),
    "turn, sleep first": _turn(
        "blocking-call", (waiting.SLEEP, _LONG), (python.FOR_LOOP, _MIDDLE), (native.SUMMED, _SHORT)
    ),
    "turn, python last": _turn(
        "cpu-python", (native.SUMMED, _SHORT), (waiting.SLEEP, _MIDDLE), (python.SMALL_FUNCTIONS, _LONG)
    ),
    "turn, C between": _turn("cpu-native", (python.TEXT, _MIDDLE), (native.ORDERED, _LONG), (waiting.SLEEP, _SHORT)),
}
COLD = ("for loop", "time.sleep", "re.sub")
"""Kinds of which the first stall of a fresh process is measured."""
HANGS = ("time.sleep", "while loop")
"""Kinds that last for seconds; what they take is given to them in seconds."""


def chosen(names: list[str] | None) -> list[str]:
    """Returns the kinds that are meant by their names or by those of their groups; all for none."""
    return [name for name, kind in KINDS.items() if not names or name in names or kind.group in names]


def place(file: str, line: int) -> str:
    """Returns a line of the kinds' own files as ``file.py:line``, "" for any other."""
    return f"{_FILES[file]}:{line}" if file in _FILES else ""


def sizes(names: list[str], lengths_ms: list[float]) -> dict[str, int]:
    """Returns the sizes with which the work of kinds takes so long here, as ``Work.argument`` wants them."""
    table: dict[str, int] = {}
    for work, share in {(part.work, part.share): None for name in names for part in KINDS[name].parts}:
        size = work.sizing.first if work.sizing else 0
        for ms in sorted(lengths_ms) if work.sizing else ():
            seconds = share * ms / 1000
            size = table[work.key(seconds)] = work.size_of(seconds, size)
    return table
