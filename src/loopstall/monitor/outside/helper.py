"""The helper process: it sleeps until an alarm of a program's goes off, and then looks.

It has one thread and imports little, not even ``typing``, so that it starts soon and stays small. It ends when nobody
is left to be looked at.
"""

import _signal  # type: ignore[import-not-found]  # ``signal`` makes enumerations, which takes 2 ms
import _socket
from collections.abc import Sequence
import contextlib
import ctypes
import os
import select
import struct
import time

from loopstall.monitor.depth import DEPTH
from loopstall.monitor.outside.looker import Looker
from loopstall.monitor.outside.messages import (
    ENDED,
    HANG,
    HELLO,
    NEWS,
    REFUSED,
    SEEN,
    SLOT,
    fds_of,
    news_file,
    rights,
    unpacked_hello,
)
from loopstall.monitor.outside.slot import Slot
from loopstall.monitor.outside.target import ProgramTarget
from loopstall.monitor.process_memory import ProcessMemory
from loopstall.monitor.remote import RemoteReader
from loopstall.monitor.unavailable import UnavailableError

TYPE_CHECKING = False  # as in ``loopstall``
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main"]

_MESSAGE_BYTES = 4096
_FDS_BYTES = 256
_TOLD = 16  # looks of a stall that are told while it goes on
_PR_SET_TIMERSLACK = 29
_COARSE_S = 0.002  # poll counts in ms
_LONGEST_S = 3600.0  # and takes only so many
_CREDENTIALS = struct.Struct("3i")


class Program:
    """A process that has asked to be looked at.

    Args:
        connection: to it.
        helper: whose poll its alarms join.
    """

    def __init__(self, connection: "Any", helper: "Helper") -> None:
        self.connection = connection
        self.lookers: dict[int, Looker] = {}
        """By the descriptor of their alarm."""
        self.name = ""
        self._helper = helper
        self._target: ProgramTarget | None = None
        self.pid = 0

    def receive(self) -> bool:
        """Takes a message; False where the program has gone, or is none: it has sent what no program sends."""
        try:
            data, ancillary, _, _ = self.connection.recvmsg(_MESSAGE_BYTES, _FDS_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        fds = fds_of(ancillary)
        try:
            return self._take(data, fds)
        except (OSError, ValueError):
            return False
        finally:
            for fd in fds:
                os.close(fd)

    def _take(self, data: bytes, fds: list[int]) -> bool:
        """Does what a message asks for, and keeps the descriptors that it empties the list of.

        Raises:
            OSError, ValueError: it is no message of a program.
        """
        if data[:1] == HELLO and self._target is None:
            self._meet(data)
            return True
        if data[:1] == SLOT and len(fds) == len(("slot", "alarm")):
            if self._target is not None:  # else it has been refused, and does not know that yet
                self._watch(*fds)
                fds.clear()
            return True
        return False

    def _meet(self, data: bytes) -> None:
        runtime, thread_id, version, free_threaded, self.name = unpacked_hello(data)
        self.pid = self._helper.pid_of(self.connection)
        try:
            reader = RemoteReader(ProcessMemory(self.pid), runtime, version, free_threaded=free_threaded)
            stack = reader.look(thread_id)
        except UnavailableError as error:
            self.send(REFUSED + str(error).encode())
            return
        self._target = ProgramTarget(self.pid, reader)
        outermost = stack[-1][:2] if stack and len(stack) < DEPTH else ()
        self.send(SEEN + "\0".join(outermost).encode(errors="replace"))

    def _watch(self, slot_fd: int, alarm_fd: int) -> None:
        assert self._target is not None
        helper = self._helper
        looker = Looker(
            Slot(slot_fd),
            self._target,
            hang_after_s=helper.hang_after_s,
            on_hang=lambda *told: self.tell(HANG, *told),
        )
        looker.slot.keep()
        is_first = not self.lookers
        self.lookers[alarm_fd] = looker
        helper.poll.register(alarm_fd, select.POLLIN)
        if is_first and all(fd != alarm_fd for fd, _ in helper.poll.poll(0)):  # else there is something to look at
            self._target.warm_up(looker.slot.thread_id or self.pid)

    def send(self, data: bytes, *fds: int) -> None:
        """Sends the program a message, if it takes any."""
        with contextlib.suppress(OSError):
            self.connection.sendmsg([data], rights(*fds) if fds else [])

    def tell(self, kind: str, looker: Looker, late_s: float) -> None:
        """Reports a stall that has not ended."""
        import json  # for who has any news: it brings much with it

        slot, seen = looker.slot, looker.seen
        cpu_ns, delay_ns = looker.used
        every = max(1, -(-len(seen) // _TOLD))
        news = {
            "kind": kind,
            "pid": self.pid,
            "process": self.name,
            "thread_id": slot.thread_id,
            "since_s": slot.since_s,
            "until_s": slot.since_s + late_s,
            "threshold_s": slot.threshold_s,
            "cpu_ns": cpu_ns,
            "delay_ns": delay_ns,
            "counted_s": looker.counted_s,
            "note": slot.note,
            "seen": seen[::every],
        }
        self._helper.tell(self, json.dumps(news).encode())

    def gone(self) -> None:
        """Reports the stall in which the program has ended, and gives everything back."""
        for alarm_fd, looker in self.lookers.items():
            slot, late_s = looker.slot, time.perf_counter() - looker.slot.since_s
            if slot.thread_id and late_s > slot.threshold_s:
                self.tell(ENDED, looker, late_s)
            self._helper.forget(alarm_fd)
            os.close(alarm_fd)
            slot.close()
        self.lookers.clear()
        if self._target is not None:
            self._target.close()
        self.connection.close()


class Helper:
    """The loop of the helper process.

    Args:
        listener: where programs come to, None for none.
        owner: connection to whom stalls are told that have not ended; None for each program's own.
        hang_after_s: how long a stall is told of while it lasts; 0 for never.
        prints: descriptor for what is printed.
        command: of a program that prints news, instead of the owner; none for ().
    """

    def __init__(  # as many as it is started with
        self, *, listener: "Any", owner: "Any", hang_after_s: float, prints: int = -1, command: Sequence[str] = ()
    ) -> None:
        self.hang_after_s = hang_after_s
        self._prints = prints
        self._command = list(command)
        self.poll = select.poll()
        self._listener = listener
        self._owner = owner
        self._programs: dict[int, Program] = {}
        self._due: dict[int, float] = {}
        if listener is not None:
            self.poll.register(listener.fileno(), select.POLLIN)
        if owner is not None:
            owner.setblocking(False)
            self.poll.register(owner.fileno(), select.POLLIN)

    def join(self, connection: "Any") -> None:
        """Takes a program in."""
        connection.setblocking(False)
        self._programs[connection.fileno()] = Program(connection, self)
        self.poll.register(connection.fileno(), select.POLLIN)

    def run(self) -> None:
        """Looks until nobody is left."""
        while self._programs or self._listener is not None:
            for fd, _ in self._wait():
                self._handle(fd)
            self._look()

    def _wait(self) -> list[tuple[int, int]]:
        """Waits until something happens, or the next look is due."""
        if not self._due:
            return self.poll.poll()
        pause_s = min(self._due.values()) - time.perf_counter()
        if pause_s >= _COARSE_S:
            return self.poll.poll(int(min(pause_s, _LONGEST_S) * 1000))
        if pause_s > 0:
            time.sleep(pause_s)
        return self.poll.poll(0)

    def _handle(self, fd: int) -> None:
        if self._listener is not None and fd == self._listener.fileno():
            self._accept(self._listener)
        elif self._owner is not None and fd == self._owner.fileno():
            self._close()
        elif fd in self._programs:
            self._hear(fd)
        else:
            self._alarmed(fd)

    def _hear(self, fd: int) -> None:
        """Takes what a program says, or reports how it has ended."""
        program = self._programs[fd]
        if not program.receive():
            del self._programs[fd]
            self.poll.unregister(fd)
            program.gone()

    def _close(self) -> None:
        """The owner waits for the last news: of programs that have ended until now. Nobody else can come."""
        for fd, _ in self.poll.poll(0):
            if fd in self._programs:
                self._hear(fd)
        for one in (self._owner, self._listener):
            if one is not None:
                self.poll.unregister(one.fileno())
                one.close()
        self._owner = self._listener = None

    def _accept(self, listener: "Any") -> None:
        try:
            accepted, _ = listener._accept()  # noqa: SLF001  # ``socket`` is slow to import, and has no other
        except OSError:  # who came has gone again
            return
        self.join(_socket.socket(fileno=accepted))

    def _alarmed(self, fd: int) -> None:
        looker = self._looker(fd)
        if looker is None:  # its program has gone in this turn
            return
        try:
            rang = os.read(fd, 8)
        except BlockingIOError:  # it was put off meanwhile
            return
        except OSError:
            rang = b""
        if not rang:  # it is no alarm
            self.forget(fd)
            return
        looker.alarmed()
        self._due[fd] = 0.0

    def _look(self) -> None:
        """Makes the looks that are due."""
        now = time.perf_counter()
        for fd in [fd for fd, due_s in self._due.items() if due_s <= now]:
            looker = self._looker(fd)
            due_s = looker.look() if looker is not None else None
            if due_s is None:
                del self._due[fd]
            else:
                self._due[fd] = due_s

    def _looker(self, fd: int) -> Looker | None:
        return next((one.lookers[fd] for one in self._programs.values() if fd in one.lookers), None)

    def forget(self, fd: int) -> None:
        """Waits for an alarm no more."""
        with contextlib.suppress(KeyError):  # it has been forgotten already
            self.poll.unregister(fd)
        self._due.pop(fd, None)

    def tell(self, program: Program, news: bytes) -> None:
        """Sends what is told to whoever is to know it, if there is room for it."""
        with contextlib.suppress(OSError):
            file = news_file(news)
            try:
                program.send(NEWS, file)
                if self._command:
                    self._hand_to(file)
                elif self._owner is not None:
                    self._owner.sendmsg([NEWS], rights(file))
            finally:
                os.close(file)

    def _hand_to(self, file: int) -> None:
        """Runs the command that prints news, which it finds in a file that is its standard input."""
        actions = [(os.POSIX_SPAWN_DUP2, file, 0), *((os.POSIX_SPAWN_DUP2, self._prints, fd) for fd in (1, 2))]
        os.posix_spawn(self._command[0], self._command, os.environ, file_actions=actions)

    def pid_of(self, connection: "Any") -> int:
        """Returns the number of the process that has connected, or made the socket."""
        data = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(data)[0])


def main(  # as ``start_helper`` has them
    *, program: int, listens: int, owner: int, prints: int, hang_after_s: float, command: Sequence[str]
) -> None:
    """Runs the helper.

    Args:
        program: descriptor of a program's connection, -1 for none.
        listens: descriptor of a socket to which programs connect, -1 for none.
        owner: descriptor of the connection to the owner, see ``Helper``; -1 for none.
        prints: see ``Helper``; -1 for none.
        hang_after_s: see ``Helper``.
        command: see ``Helper``.
    """
    os.chdir("/")
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0)  # ns: pauses as short as they are meant
    listener = _socket.socket(fileno=listens) if listens >= 0 else None
    _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)  # nobody waits for what prints news
    helper = Helper(
        listener=listener,
        owner=_socket.socket(fileno=owner) if owner >= 0 else None,
        hang_after_s=hang_after_s,
        prints=prints,
        command=command,
    )
    if program >= 0:
        helper.join(_socket.socket(fileno=program))
    helper.run()
