import asyncio
import selectors
import sys
import sysconfig

from loopstall.monitor import stack
from loopstall.records import Frame, frames


def frame(file, line=1):
    return Frame(file=file, line=line, function="f")


def test_stack_begins_with_the_innermost_frame():
    def inner():
        return stack.resolve(stack.capture(sys._getframe()))

    read = inner()
    assert read[0].function.endswith("inner")
    assert read[0].file == __file__
    assert read[1].function.startswith("test_stack_begins")


def test_culprit_is_the_innermost_frame_of_the_users_own_code():
    library = frame(asyncio.__file__)
    package = frame(f"{sysconfig.get_path('purelib')}/somebody/lib.py")
    own, outer = frame(__file__, 12), frame(__file__, 99)
    assert frames.culprit([library, package, own, outer]) == own


def test_culprit_is_the_innermost_frame_where_none_is_the_users():
    assert frames.culprit([frame(asyncio.__file__), frame("<string>")]) == frame(asyncio.__file__)


def test_no_stack_has_no_culprit():
    assert frames.culprit([]) is None


def test_own_package_is_not_the_users_code():
    assert not frames.is_users(stack.__file__)


def test_code_of_the_program_below_what_waits_interrupts_it():
    def places(*files):
        return tuple((compile("0", file, "exec"), 1) for file in files)

    ours = stack.__file__.replace("stack.py", "")
    select, core = f"{ours}probes/epoll.py", f"{ours}core.py"
    waits = places(select, "/asyncio/base_events.py", "/app.py")
    for plain in (
        places(),
        places("/app.py"),
        waits,
        places(selectors.__file__) + waits,
        places("/lib/x.py", core) + waits,
    ):
        assert not stack.interrupts_wait(plain)
    for handled in (places("/app.py") + waits, places("/lib/x.py", "/app.py", selectors.__file__) + waits):
        assert stack.interrupts_wait(handled)
    assert stack.interrupts_wait(places("/app.py", "/site/trio/_core/_io_epoll.py", "/site/trio/_core/_run.py"))
