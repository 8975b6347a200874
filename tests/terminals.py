"""A terminal of its own for a command that a test drives, as text that has come and as the screen that a user sees."""

import fcntl
import os
import pty
import struct
import sys
import termios
import time
import warnings

_SWITCHES = (b"\x1b[?1049h", b"\x1b[?1049l")
"""What puts a terminal on its alternate screen, and back."""

WATCH = [sys.executable, "-m", "loopstall", "watch"]


class Terminal:
    """A terminal, on which the command is the shell's child in the foreground.

    Args:
        folder: where it runs.
        words: of the command.
        under: a line of bash that has it run, in the place of {}; "" for no shell.
        size: lines and columns.
    """

    def __init__(self, folder, *words, under="", size=(24, 80)):
        self.said = b""
        with warnings.catch_warnings():  # a thread that a test before has left harms no child that is replaced at once
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid, self._handle = pty.fork()
        if not self.pid:
            os.chdir(folder)
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))
            os.environ["TERM"] = "xterm-256color"
            if under:
                words = ["bash", "--norc", "-c", under.format(" ".join(words))]
            os.execvp(words[0], words)  # noqa: S606  # what a terminal begins with

    def type(self, keys):
        os.write(self._handle, keys)

    def reads(self, text):
        """Reads until a text has come, or the end."""
        return self.until(lambda: text in self.said)

    def until(self, condition, limit=60.0):
        """Reads until a condition holds, or the end; says whether it came to that."""
        deadline = time.monotonic() + limit
        while not condition() and time.monotonic() < deadline:
            try:
                piece = os.read(self._handle, 4096)
            except OSError:  # all that had it open have ended
                piece = b""
            if not piece:
                break
            self.take(piece)
        return condition()

    def take(self, piece):
        self.said += piece

    def close(self):
        os.close(self._handle)

    def ended(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Screen(Terminal):
    """A terminal of which the test reads the screen."""

    def __init__(self, folder, *words, size=(24, 80), **extra):
        import pyte

        self._screens = [pyte.Screen(size[1], size[0]), pyte.Screen(size[1], size[0])]
        self._streams = [pyte.ByteStream(screen) for screen in self._screens]
        self.alternate = False
        self._held = b""
        super().__init__(folder, *words, size=size, **extra)

    def take(self, piece):
        """Shows what has come on the screen that is there: pyte has one alone, and no alternate one."""
        super().take(piece)
        rest = self._held + piece
        self._held = b""
        last = rest.rfind(b"\x1b")
        if last >= 0 and any(sign.startswith(rest[last:]) for sign in _SWITCHES):  # the other half is still to come
            rest, self._held = rest[:last], rest[last:]
        while rest:
            places = [(rest.find(sign), sign) for sign in _SWITCHES if sign in rest]
            at, sign = min(places, default=(len(rest), b""))
            self._streams[self.alternate].feed(rest[:at])
            if sign:
                self.alternate = sign.endswith(b"h")
                self._screens[1].reset()
            rest = rest[at + len(sign) :]

    @property
    def shown(self):
        """The lines of the screen that is there."""
        return "\n".join(line.rstrip() for line in self._screens[self.alternate].display)

    @property
    def hides_cursor(self):
        return self.said.count(b"\x1b[?25l") != self.said.count(b"\x1b[?25h")

    def shows(self, *texts):
        """Reads until the screen has all of these texts at once."""
        return self.until(lambda: all(text in self.shown for text in texts))
