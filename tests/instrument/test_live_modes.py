"""The modes of a terminal that the output of a program has switched, and what switches them back."""

import pytest

from loopstall.instrument.live.modes import Modes, without_escapes


def modes(*pieces):
    made = Modes()
    for piece in pieces:
        made.read(piece)
    return made


@pytest.mark.parametrize(
    ("pieces", "back"),
    [
        ((b"text",), b""),
        ((b"\x1b[?25l", b"text", b"\x1b[?25h"), b"\x1b[m"),
        ((b"\x1b[?25l",), b"\x1b[?25h\x1b[m"),
        ((b"\x1b[?10", b"49htext"), b"\x1b[?1049l\x1b[m"),
        ((b"\x1b[?1000;1006h",), b"\x1b[?1000l\x1b[?1006l\x1b[m"),
        ((b"\x1b[31mred",), b"\x1b[m"),
    ],
)
def test_what_is_left_switched_is_switched_back(pieces, back):
    assert modes(*pieces).back() == back


def test_text_of_an_alternate_screen_that_is_left_on_is_not_lost():
    output = b"\x1b[?1049hone\x1b[?1049l\x1b[?1049h\x1b[2J\x1b[31mtwo\x1b[m\n"
    assert modes(output).covered(output) == b"two\n"
    assert modes(output, b"\x1b[?1049l").covered(output) == b""


def test_colours_moves_and_titles_are_no_text():
    assert without_escapes(b"\x1b]0;title\x07\x1b[1;32mINFO\x1b[0m: \x1b[2K\x1b(Bdone\x1b7") == b"INFO: done"
