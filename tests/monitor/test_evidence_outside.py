"""What becomes of looks from outside, made by hand: no loop, no thread and no clock."""

from made_stalls import MS, reading, sample, stack, stall, waiting
import pytest

from loopstall.monitor.syscalls import GIL, READY, RUNNING


def looked_at(*samples, **rest):
    """A stall that was looked at from outside."""
    return stall(samples, outside=True, **rest)


def test_looks_from_outside_count_by_the_time_that_they_stand_for():
    brief = [sample(at, calls=("brief", "<run>"), syscall=RUNNING, stepped=True) for at in (1, 2, 3, 4)]
    made = looked_at(*brief, sample(60, calls=("long", "<run>"), syscall="fsync"))
    assert (made.culprit.function, [frame.function for frame in made.stack]) == ("long", ["long", "run"])
    assert (made.evidence.python_ns, made.evidence.waiting_ns) == (32 * MS, 68 * MS)
    assert stall([*brief, sample(60, calls=("long", "<run>"))]).culprit.function == "brief"


def test_wait_that_nobody_looked_at_is_no_looks_own():
    told = looked_at(
        sample(70, calls=("handler", "<run>"), syscall=READY),
        sample(90, calls=("handler", "<run>"), syscall=RUNNING, stepped=True),
        overran_ns=60 * MS,
    ).evidence
    assert (told.ready_ns, told.python_ns) == (20 * MS, 20 * MS)


def test_want_of_a_cpu_before_the_loop_came_back_is_part_of_its_being_late():
    told = looked_at(
        sample(50, calls=("<run>",), syscall=READY),
        sample(70, calls=("handler", "<run>"), syscall=READY),
        sample(90, calls=("handler", "<run>"), syscall=RUNNING, stepped=True),
        overran_ns=60 * MS,
    ).evidence
    assert (told.ready_ns, told.python_ns) == (20 * MS, 20 * MS)


def test_handler_that_was_looked_at_within_the_wait_is_no_late_end_of_it():
    seen = [waiting(at, "on_alarm", syscall="clock_nanosleep") for at in (10, 40, 80)]
    told = looked_at(*seen, overran_ns=97 * MS)
    assert (told.cause, told.culprit.function, told.evidence.overran_ns) == ("blocking-call", "on_alarm", 0)
    assert looked_at(sample(50, syscall=READY), overran_ns=97 * MS).cause == "descheduled"


@pytest.mark.parametrize("state", ["epoll_wait", RUNNING, READY])
def test_wait_that_lasts_too_long_by_itself_is_the_machines_whatever_a_look_finds_it_in(state):
    told = looked_at(waiting(50, syscall=state), overran_ns=97 * MS)
    assert (told.cause, told.evidence.waiting_ns, told.evidence.overran_ns) == ("descheduled", 0, 97 * MS)


def test_wait_that_lasts_too_long_for_the_gil_is_no_machines():
    told = looked_at(waiting(50, syscall=GIL, holder_id=7, holder=stack("hog")), overran_ns=97 * MS)
    assert (told.cause, told.holder.function) == ("gil-wait", "hog")


@pytest.mark.parametrize(
    ("own", "samples", "told"),
    [
        (90, [sample(50, syscall=RUNNING, stepped=True)], 10),
        (0, [sample(50, syscall="fsync")], 0),
        (0, [sample(50, syscall=GIL, holder_id=7, holder=stack("hog"))], 0),
        (0, [sample(25, syscall="fsync"), sample(75, syscall=READY)], 50),
        (0, [], None),
    ],
)
def test_run_delay_of_a_threads_whole_life_is_what_neither_its_cpu_time_nor_a_look_explains(own, samples, told):
    before, after = reading(0, schedstat=b""), reading(100, own=own, schedstat=b"1 70000000 9")
    assert looked_at(*samples, before=before, after=after).evidence.run_delay_ns == (told and told * MS)


def test_run_delay_is_never_more_than_a_thread_has_had_in_all():
    before, after = reading(0, schedstat=b""), reading(100, schedstat=b"1 20000000 9")
    assert looked_at(sample(50, syscall=READY), before=before, after=after).evidence.run_delay_ns == 20 * MS


def test_looks_from_inside_divide_no_time():
    told = stall([sample(50, syscall=RUNNING)]).evidence
    assert (told.outside, told.python_ns, told.native_ns, told.gil_ns, told.waiting_ns) == (False, 0, 0, 0, 0)


def test_sample_on_return_counts_where_nobody_looked_from_outside():
    back = [sample(90, calls=("main",))]
    assert looked_at(on_return=back).culprit.function == "main"
    assert looked_at(sample(50, calls=("seen",)), on_return=back).culprit.function == "seen"


def test_turn_of_several_callbacks_has_a_part_for_each_by_what_the_looks_stand_for():
    seen = [
        *(sample(at, calls=("brief",), syscall="read", frame=1, task="one") for at in (2, 4, 6, 8, 10)),
        sample(60, calls=("long",), syscall="read", frame=2, task="two"),
    ]
    outside, inside = looked_at(*seen), stall(seen)
    assert [(part.task, round(part.share, 2)) for part in outside.parts] == [("two", 0.65), ("one", 0.35)]
    assert [(part.task, round(part.share, 2)) for part in inside.parts] == [("two", 0.65), ("one", 0.35)]
    assert [part.task for part in outside.beside] == ["one"]
    assert [part.task for part in inside.beside] == ["two"]  # its culprit is where most samples were


def test_longest_callback_is_to_blame_though_it_was_met_in_several_functions():
    seen = [
        sample(30, calls=("brief", "<run>"), syscall="read", frame=1, task="one"),
        *(
            sample(at, calls=(f"part {at}", "whole", "<run>"), syscall=RUNNING, stepped=True, frame=2, task="two")
            for at in (60, 75, 90)
        ),
    ]
    told = looked_at(*seen)
    assert (told.culprit.function, told.task) == ("part 60", "two")
    assert [part.task for part in told.beside] == ["one"]


def test_work_that_is_divided_among_functions_is_not_passed_over_for_a_lesser_one():
    seen = [
        sample(20, calls=("brief", "turn", "<run>"), syscall="read"),
        *(
            sample(at, calls=(f"part {at}", "whole", "turn", "<run>"), syscall=RUNNING, stepped=True)
            for at in (40, 55, 75)
        ),
    ]
    told = looked_at(*seen)
    assert told.culprit.function == "part 75"
    assert looked_at(*seen[:2]).culprit.function == "part 40"
    assert stall([*seen[:1], *seen]).culprit.function == "part 40"


def test_own_work_of_a_function_counts_beside_what_it_calls():
    calls = [sample(at, calls=(f"part {at}", "whole", "<run>"), syscall="read") for at in (20, 40)]
    assert looked_at(*calls, sample(60, calls=("whole", "<run>"), syscall="read")).culprit.function == "whole"
    assert looked_at(*calls, sample(95, calls=("whole", "<run>"), syscall="read")).culprit.function == "part 40"


def test_sample_on_return_is_no_part():
    assert stall([sample(95, calls=("handler",))], on_return=[sample(90, calls=("main",))]).parts == ()


def test_holder_of_the_gil_is_who_was_seen_with_it_and_nobody_is_looked_at_again():
    def refused():
        raise AssertionError("another look")

    waits = sample(50, syscall=GIL, holder_id=-1, holder=stack("<dumps>", "guilty"))
    made = looked_at(waits, look_beside=refused)
    assert (made.cause, made.holder.function, made.holder_thread) == ("gil-wait", "guilty", "")
    assert made.evidence.gil_ns == 100 * MS


def test_look_after_the_end_of_the_stall_stands_at_its_end():
    made = looked_at(sample(50, syscall="read"), sample(100.9, syscall="read"), sample(102, syscall="read"))
    assert made.evidence.looks == 2
    assert made.evidence.waiting_ns == 100 * MS
