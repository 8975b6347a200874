"""The data of the flame graph."""

from dataclasses import replace

import pytest
from stacks import CHECKOUT, MIDDLEWARES, TOTAL, served, shop

from loopstall.records import Frame, Stall
from loopstall.report.page.icicle import flames


def test_flames_begin_at_the_task_and_reach_the_innermost_frame():
    made = flames(shop())
    assert made["tasks"] == ["POST /checkout", "GET /prices", "GET /list"]
    task, spent_us, worst, numbers = made["stacks"][0]
    functions = [made["frames"][number][0] for number in numbers]
    assert (task, spent_us) == (0, 60_000)
    assert functions == [*(frame.function for frame in reversed(MIDDLEWARES)), "checkout"]
    assert made["frames"][worst] == ["checkout", "/srv/shop/app.py:49 in checkout", "", ""]


def test_a_frame_knows_its_library_and_a_users_its_line_of_source(tmp_path):
    (tmp_path / "app.py").write_text("import time\ntime.sleep(1)\n")
    mine = Frame(file=str(tmp_path / "app.py"), line=2, function="handler")
    made = flames([served(mine)])
    libraries = {function: (library, source) for function, _, library, source in made["frames"]}
    assert libraries["handler"] == ("", "time.sleep(1)")
    assert libraries["Layer0.__call__"] == ("starlette", "")


def test_line_of_a_library_is_no_culprit():
    made = flames([served(MIDDLEWARES[0], route="GET /list")])
    assert made["stacks"][0][2] == -1


def test_equal_stacks_are_one_whatever_the_task_is_called():
    again = replace(shop()[0], task="Task-99")  # with a stack that is equal and another object
    assert [stack[1] for stack in flames([shop()[0], again])["stacks"]] == [120_000]


def test_callback_without_a_task_is_called_so_and_a_stall_without_a_stack_is_left_out():
    bare = Stall(start_ns=0, duration_ns=5_000_000, culprit=TOTAL, stack=(TOTAL,), task="Task-1")
    assert flames([bare, replace(bare, stack=())])["tasks"] == ["a callback"]
    assert flames([])["stacks"] == []


def test_rare_stacks_are_summed_up_by_task_so_that_no_time_is_lost():
    many = [served(replace(CHECKOUT, line=number), ms=1 + number / 1000) for number in range(1000)]
    made = flames(many)
    assert len(made["stacks"]) == 401
    assert made["stacks"][-1][3] == []
    assert sum(stack[1] for stack in made["stacks"]) == pytest.approx(
        sum(one.duration_ns for one in many) / 1000, abs=1000
    )
