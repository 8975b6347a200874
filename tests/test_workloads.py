import asyncio

from helpers import write_workloads
import pytest

from loopstall import workload
from loopstall.errors import InputError
from loopstall.workloads import Workload, discover, find, grid_points, load_file, resolve

GOOD = """
@workload(params={"n": [1, 2], "flag": [True, False]})
def work(seed, *, n, flag):
    '''What it stands for.'''
    return seed
work.verify(ok)
"""


def test_decorated_function_still_does_its_job():
    @workload
    def double(seed):
        return seed * 2

    assert isinstance(double, Workload)
    assert double(4) == 8


def test_grid_spreads_into_all_combinations_in_order():
    assert grid_points([{"a": [1, 2], "b": ["x"]}]) == ((("a", 1), ("b", "x")), (("a", 2), ("b", "x")))


def test_equal_points_of_several_grids_count_once():
    assert len(grid_points([{"a": [1, 2]}, {"a": [2, 3]}])) == 3


def test_file_is_loaded_by_path_once(tmp_path):
    path = write_workloads(tmp_path, GOOD)
    assert load_file(str(path)) is load_file(str(path))
    assert resolve(str(path), "work").stands_for == "What it stands for."
    assert resolve(str(path), "work").ref.path == str(path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def broken(:\n", "line 7: invalid syntax"),
        ("x = 1\n", "defines no workload"),
        ("raise ValueError('no')\n", "ValueError: no"),
        ("sys.exit(4)\n", "SystemExit: 4"),
        (GOOD + GOOD, "two workloads named 'work'"),
        ("@workload\ndef w(seed): return seed\n", "no verify"),
        ("@workload\ndef w(): return 1\n", "takes no argument"),
        ("@workload(params={'m': [1]})\ndef w(seed, *, n): return 1\n", "no parameter 'm'"),
        ("@workload\nasync def w(seed): return 1\n", "is an async function"),
    ],
)
def test_bad_file_is_refused_in_a_sentence_that_names_it(tmp_path, body, said):
    path = write_workloads(tmp_path, body)
    with pytest.raises(InputError) as caught:
        load_file(str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no workload file"):
        find([str(tmp_path / "absent.py")])


def test_own_workloads_folder_is_found_beside_the_bundled_ones(tmp_path):
    write_workloads(tmp_path, GOOD, "workloads/mine.py")
    assert {"work", "blocking_sleep", "hashing", "file_io"} <= set(discover())


def test_own_workload_hides_the_bundled_one_of_its_name(tmp_path):
    path = write_workloads(tmp_path, GOOD.replace("work", "hashing").replace("@hashing", "@work"), "workloads/mine.py")
    path.write_text(
        path.read_text().replace("@hashingload", "@workload").replace("import hashingload", "import workload")
    )
    assert discover()["hashing"].path == str(path)


def test_two_files_of_one_folder_with_one_name_are_refused(tmp_path):
    write_workloads(tmp_path, GOOD, "workloads/a.py")
    write_workloads(tmp_path, GOOD, "workloads/b.py")
    with pytest.raises(InputError, match="both define 'work'"):
        discover()


def test_unknown_name_gets_a_hint():
    with pytest.raises(InputError, match="did you mean 'hashing'"):
        find(["hahsing"])


def test_control_comes_first_where_nothing_is_chosen():
    assert find([])[0].name == "blocking_sleep"


@pytest.mark.parametrize("name", ["blocking_sleep", "hashing", "file_io"])
def test_bundled_workload_does_right_and_its_verify_can_say_no(name):
    item = find([name])[0]
    small = {"seconds": 0.0, "bytes": 70, "rounds": 3}
    for point in item.points():
        params = {key: small.get(key, value) for key, value in point}
        context = item.make_context(1, **params) if item.make_context else None
        extra = context.__enter__() if context else {}
        try:
            result = item(5, **params, **extra)
            assert item.checker(result, 5, **params, **extra)
            assert not item.checker("wrong", 5, **params, **extra)
            if item.native_twin is not None:
                assert result == asyncio.run(item.native_twin(5, **params, **extra))
        finally:
            if context:
                context.__exit__(None, None, None)
