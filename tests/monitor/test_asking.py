"""The main thread that answers without a signal, and without a frame of Python's own."""

import asyncio
import os
import signal
import sys
import time

import pytest

from loopstall.monitor.asking import ANSWERS_AT_ONCE, Answers, AskingPoll
from loopstall.monitor.kernel import Poll
from loopstall.monitor.threads import Thread

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not ANSWERS_AT_ONCE, reason="only from Python 3.13 on it answers at once, on Linux"
)


@pytest.fixture
def answers():
    taken = Answers.take_over(time.perf_counter_ns)
    yield taken
    taken.release()


def ask(answers):
    """Asks once, from a thread that has given the GIL up; the answer comes before this returns, or soon after."""

    def wait_and_ask():
        AskingPoll(Poll(reader)).wait(1, answers)

    reader, writer = os.pipe()
    thread = Thread(wait_and_ask)
    thread.join()
    os.close(reader)
    os.close(writer)


def answer(answers):
    ask(answers)
    while not answers.notes:
        pass
    return next(answers.take())


def test_answer_has_the_moment_and_the_stack(answers):
    here = sys._getframe().f_code
    before = time.perf_counter_ns()
    at_ns, stack, task, label = answer(answers)
    assert before < at_ns < time.perf_counter_ns()
    assert any(code is here for code, _ in stack)
    assert (task, label) == (None, None)


def test_answer_has_the_task(answers):
    async def main():
        answers.attach(asyncio.get_running_loop())
        return answer(answers)[2] is asyncio.current_task()

    assert asyncio.run(main())


def test_answer_to_a_question_that_was_forgotten_does_not_count(answers):
    ask(answers)
    while not answers.notes:
        pass
    assert answers.are_due()
    answers.forget_question()
    assert list(answers.take()) == []
    assert not answers.are_due()


def test_it_needs_no_frame_in_the_innermost_call_of_a_recursion(answers):
    def deepest(depth):
        try:
            return deepest(depth + 1)
        except RecursionError:
            return work()

    def work():
        total = 0
        end = time.perf_counter() + 0.05
        while time.perf_counter() < end:
            total += 1
        return total

    reader, writer = os.pipe()
    thread = Thread(lambda: AskingPoll(Poll(reader)).wait(20, answers))
    assert deepest(0)
    thread.join()
    while not answers.notes:
        pass
    assert next(answers.take())[1]
    os.close(reader)
    os.close(writer)


def test_no_profiler_sees_it_and_no_signal_is_told(answers):
    seen = []
    reader, writer = os.pipe2(os.O_NONBLOCK)
    before = signal.set_wakeup_fd(writer)
    sys.setprofile(lambda frame, *_: seen.append(frame.f_code.co_name))
    try:
        ask(answers)
        while not answers.notes:
            pass
    finally:
        sys.setprofile(None)
        signal.set_wakeup_fd(before)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    os.close(reader)
    os.close(writer)
    assert seen
    assert not {"note_answer", "label_here", "current_task", "<lambda>"} & set(seen)
