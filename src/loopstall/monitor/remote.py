"""Stacks of a process' threads, read from its memory while they run: the process does nothing for it and never waits.

What was read while a thread went on may not fit together; it is checked, and left out where it does not. Hands on
``RemoteReader``; whose memory it is, and when it is looked at, is no matter of this module. It imports little, as
``process_memory`` does.
"""

import contextlib

from loopstall.monitor.code_reader import CodeReader, SeenCode, TornError, read_word, word_in
from loopstall.monitor.depth import DEPTH
from loopstall.monitor.interpreter_reader import InterpreterReader
from loopstall.monitor.layout import Fields, Layout, UnknownLayoutError
from loopstall.monitor.process_memory import Memory
from loopstall.monitor.thread_numbers import ThreadNumbers
from loopstall.monitor.unavailable import UnavailableError

__all__ = ["RemoteReader", "Walk"]

_TAGS = 7  # low bits of a pointer that say how it is counted
_BY_GENERATOR, _BY_INTERPRETER = 1, 3  # who owns a frame: from the latter on it runs no code in Python
_THREADS_KEPT = 10_000
_DEEPER = 16  # calls that a thread may make or return from while it is looked at
_MOST_FRAMES = 1000  # of a stack that are read, also where something else has come to lie there
_TRIES = 3
_FRAME_TRIES = 6
_COPIES = 64  # as many as one call of the system makes
_WORD = 8
_COUNTED = 4  # bytes of an instruction and of the counter beside it
_FIRST_TRIES = 8  # for the innermost frame: where C code runs generators or coroutines, that changes all the time
_SLACK = 512  # bytes of what a thread may call meanwhile
_WINDOW = 1 << 14  # bytes of a thread's pieces of stack, which most frames are in, one behind the other

_Frame = tuple[tuple[int, int, int], int, int, int]
"""The link of a frame to its caller, its place, the copy of bytecode that is meant, and who owns it."""

Walk = tuple[tuple[tuple[SeenCode, int], ...], tuple[int, int], tuple[str, int]]
"""Code and line of each frame, innermost first; the ``place``; name and frame of the outermost coroutine, "" and 0."""


class RemoteReader:
    """Reads where the threads of a process stand. One thread at a time may use it, unless the memory is for several.

    Args:
        memory: of the process.
        runtime: the address of ``_PyRuntime``.
        version: of its interpreter.
        free_threaded: whether the build can do without a GIL.
        depth: how many frames of a stack are read, the innermost ones.
        numbers: of its threads, where it may have others for them than this process; None where it has not.

    Raises:
        UnavailableError: this interpreter keeps its frames in an unknown way.
    """

    def __init__(
        self,
        memory: Memory,
        runtime: int,
        version: tuple[int, int],
        *,
        free_threaded: bool,
        depth: int = DEPTH,
        numbers: ThreadNumbers | None = None,
    ) -> None:
        try:
            self._layout = layout = Layout(memory.read, runtime, version, free_threaded=free_threaded)
            self._codes = CodeReader(memory, layout)
            self._of_frame = _of_frame(layout)
        except UnknownLayoutError as error:
            said = ".".join(map(str, version))
            raise UnavailableError(f"Python {said} keeps its frames in an unknown way") from error
        self._memory = memory
        self._interpreters = InterpreterReader(memory, layout, runtime)
        self._addresses: dict[int, int] = {}
        self._depth = depth
        self._numbers = numbers

    @property
    def layout(self) -> Layout:
        """The layout of the interpreter's structures."""
        return self._layout

    @property
    def codes(self) -> CodeReader:
        """The code objects that were met."""
        return self._codes

    @property
    def interpreters(self) -> InterpreterReader:
        """The interpreters of the process."""
        return self._interpreters

    def look(self, thread_id: int) -> tuple[tuple[str, str, int], ...] | None:
        """Returns file, function and line of each frame of a thread, innermost first.

        None where it runs no Python code, has ended, or goes on too fast.

        Args:
            thread_id: its number in the system.
        """
        seen = self.walk(thread_id)
        return None if seen is None else tuple((code.co_filename, code.co_qualname, line) for code, line in seen[0])

    def walk(self, thread_id: int) -> Walk | None:
        """Returns what ``look`` does, and more about it."""
        for _ in range(_TRIES):
            try:
                return self._walk(thread_id)
            except TornError:
                continue
        return None

    def place(self, thread_id: int) -> tuple[int, int] | None:
        """Returns frame and position of a thread, which change with every step of Python code; quicker than a look."""
        try:
            _, frame = self._innermost(*self._state(thread_id))
            pointer = read_word(self._memory, frame + self._layout["frame.instr_ptr"])
        except TornError:
            return None
        return (frame, pointer) if pointer else None  # a frame of a thread that has ended points nowhere

    def moves(self, thread_id: int, place: tuple[int, int]) -> bool:
        """Returns whether a thread has left a place that it was met at, in many copies made by one call.

        What C code calls there, a collector's callback for one, is a step of its own: the place stays where it is.
        """
        layout = self._layout
        try:
            where, _ = self._innermost(*self._state(thread_id))
        except TornError:
            return False
        found = self._memory.words((where, place[0] + layout["frame.instr_ptr"]), _COPIES // 2)
        if any(pointer != place[1] for pointer in found[1::2]):
            return True
        return any(self._caller(frame) != place[0] for frame in {*found[::2]} - {place[0]})

    def repeats(self, place: tuple[int, int]) -> bool:
        """Returns whether a thread runs an instruction again and again, in many copies made by one call.

        Python counts how often it has run most calls (``adaptive_counter`` in CPython's pycore_code.h), beside the
        instruction: the place need not change between two of them.
        """
        found = self._memory.words((place[1] + _COUNTED - _WORD,), _COPIES)
        return len(set(found)) > 1

    def _caller(self, frame: int) -> int:
        """Returns the address of the frame that has called one, 0 where there is none."""
        try:
            return read_word(self._memory, frame + self._layout["frame.previous"])
        except TornError:
            return 0

    def state(self, thread_id: int) -> tuple[int, bytes]:
        """Returns address and content of the state of a thread.

        Raises:
            TornError: there is none.
        """
        return self._state(thread_id)

    def links(self, thread_id: int) -> list[tuple[int, int]]:
        """Returns the addresses of a thread's frames and of their code objects, innermost first.

        Raises:
            TornError: the thread goes on too fast, or has ended.
        """
        return [one[0][:2] for one in self._frames(thread_id, self._depth) if one[3] < _BY_INTERPRETER]

    def opcode(self, place: tuple[int, int]) -> int:
        """Returns the number of the instruction at a place, -1 where it cannot be read."""
        found = self._memory.read(place[1], 1)
        return found[0] if found else -1

    def threads(self) -> list[int]:
        """Returns the numbers of all threads that have run Python code; those it has when it changes too fast."""
        found: list[int] = []
        try:
            for address, state in self._interpreters.threads():
                thread_id = self._outside(word_in(state, self._layout["thread.native_thread_id"]))
                self._keep(thread_id, address)
                found.append(thread_id)
        except TornError:
            pass
        return found

    def holder(self) -> int:
        """Returns the number of the thread that holds the main interpreter's GIL, 0 where none does."""
        try:
            _, locked, thread = self._interpreters.gil()
            state = self._interpreters.state(thread) if locked else b""
            return self._outside(word_in(state, self._layout["thread.native_thread_id"])) if locked else 0
        except TornError:
            return 0

    def gil_range(self) -> range:
        """Returns the addresses of the main interpreter's GIL: a thread that waits at one of them waits for it."""
        try:
            begin = self._interpreters.gil()[0]
        except TornError:
            return range(0)
        return range(begin, begin + self._layout.gil_bytes)

    def collects(self) -> bool:
        """Returns whether the main interpreter looks for garbage right now."""
        try:
            return self._interpreters.collects()
        except TornError:
            return False

    def _outside(self, thread_id: int) -> int:
        """Returns the system's number of a thread by its process' own."""
        return thread_id if self._numbers is None else self._numbers.outside(thread_id)

    def _keep(self, thread_id: int, address: int) -> None:
        if len(self._addresses) >= _THREADS_KEPT:
            self._addresses.clear()
        self._addresses[thread_id] = address

    def _state(self, thread_id: int) -> tuple[int, bytes]:
        """Returns address and content of the state of a thread."""
        at = self._layout["thread.native_thread_id"]
        wanted = thread_id if self._numbers is None else self._numbers.inside(thread_id)
        address = self._addresses.get(thread_id)
        if address is not None:
            state = self._memory.read(address, self._layout.thread_bytes)
            if len(state) == self._layout.thread_bytes and word_in(state, at) == wanted:
                return address, state
        for address, state in self._interpreters.threads():
            if word_in(state, at) == wanted:
                self._keep(thread_id, address)
                return address, state
        raise TornError

    def _innermost(self, thread: int, state: bytes) -> tuple[int, int]:
        """Returns where the address of a thread's innermost frame is, and the address, 0 if it runs no Python code."""
        layout = self._layout
        if not layout.has_cframe:
            at = layout["thread.current_frame"]
            return thread + at, word_in(state, at)
        where = word_in(state, layout["thread.cframe"]) + layout["cframe.current_frame"]
        return where, read_word(self._memory, where)

    def _walk(self, thread_id: int) -> Walk:
        """Reads a stack twice, and keeps what stood in between: all but what a thread calls while it is looked at."""
        most = self._depth + _DEEPER
        before = self._frames(thread_id, most + _DEEPER)
        heads, learned = self._codes.learn({one[0][1]: None for one in before if one[3] < _BY_INTERPRETER})
        if learned:
            before = self._frames(thread_id, most + _DEEPER)
        links = {one[0] for one in before}
        after = self._frames(thread_id, most)
        moving = next((at for at in range(len(after), 0, -1) if after[at - 1][0] not in links), 0)
        stack: list[tuple[SeenCode, int]] = []
        coroutine = ("", 0)
        for (frame, code, _), pointer, copy, owner in after[moving:]:
            if owner < _BY_INTERPRETER and len(stack) < self._depth:
                if code not in heads:
                    raise TornError
                stack.append(self._codes.line(code, heads[code], pointer, copy))
                if owner == _BY_GENERATOR:
                    coroutine = stack[-1][0].co_qualname, frame
        if not stack:
            raise TornError
        return tuple(stack), (after[0][0][0], after[0][1]), coroutine

    def _frames(self, thread_id: int, most: int) -> list[_Frame]:
        """Reads frames of a thread, so many of its Python code, from the innermost outwards."""
        for _ in range(_FRAME_TRIES):
            with contextlib.suppress(TornError):
                found = self._chain(thread_id, most)
                if not found or found[-1][0][2] or found[-1][3] != _BY_GENERATOR:
                    return found  # else that generator was suspended meanwhile, and has no caller
        raise TornError

    def _chain(self, thread_id: int, most: int) -> list[_Frame]:
        """Reads a frame and its callers as far as they lead; close ones at once."""
        layout = self._layout
        size = layout.frame_bytes
        thread, state = self._state(thread_id)
        piece = word_in(state, layout["thread.datastack_chunk"])
        frame, begin, window = self._first(thread, state, piece)
        home = begin, window
        found: list[_Frame] = []
        ours = 0
        while frame and ours < most and len(found) < _MOST_FRAMES:
            if not 0 <= frame - begin <= len(window) - size:  # coroutines have their frames elsewhere
                begin, window = home
            if not 0 <= frame - begin <= len(window) - size:
                begin, length = self._around(frame, piece)
                window = self._memory.read(begin, length)
                home = (begin, window) if begin == piece else home
            at = frame - begin
            if len(window) < at + size:
                raise TornError
            executable, pointer, previous, owner, *copy = self._of_frame(window, at)
            ours += owner < _BY_INTERPRETER
            found.append(((frame, executable & ~_TAGS, previous), pointer, copy[0] if copy else 0, owner))
            frame = previous
        return found

    def _first(self, thread: int, state: bytes, piece: int) -> tuple[int, int, bytes]:
        """Returns the innermost frame, and a copy of memory around it that was made while it was the innermost one.

        What a thread leaves behind where it returns looks like frames. So its innermost frame is read before and after
        the copy, by one call of the system; where it changes each time, the copy is taken as it is.
        """
        where, frame = self._innermost(thread, state)
        head, window = self._layout["thread.cframe"], b""
        entered, begin, fits = word_in(state, head), 0, not frame
        for _ in range(_FIRST_TRIES if frame else 0):
            begin, length = self._around(frame, piece)
            before, window, after, links = self._memory.read_many(
                [(where, 8), (begin, length), (where, 8), (thread + head, 8)]
            )
            frame, fits = word_in(before, 0), not self._layout.has_cframe or word_in(links, 0) == entered
            if not fits:  # C code has called Python code, or come back from it
                entered = word_in(links, 0)
                where = entered + self._layout["cframe.current_frame"]
                frame = read_word(self._memory, where)
            elif before == after and 0 <= frame - begin <= len(window) - self._layout.frame_bytes:
                break
        if not fits:
            raise TornError
        return frame, begin, window

    def _around(self, frame: int, piece: int) -> tuple[int, int]:
        """Returns which range to read for a frame: with its callers and a few calls if it lies in a piece of stack."""
        size = self._layout.frame_bytes
        if piece and 0 < frame - piece <= _WINDOW - size:
            return piece, min(frame - piece + size + _SLACK, _WINDOW)
        return frame, size


def _of_frame(layout: Layout) -> Fields:
    """Returns what reads the parts of a frame that are wanted, the last one where there is such a part."""
    fields = [(layout[f"frame.{name}"], "Q") for name in ("executable", "instr_ptr", "previous")]
    fields.append((layout["frame.owner"], "B"))
    copy_at = layout["frame.tlbc_index"]
    return Fields(*fields, *([(copy_at, "I")] if copy_at else []))
