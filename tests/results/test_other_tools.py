import json

from helpers import loopstall
import pytest

from loopstall.errors import InputError
from loopstall.results import other_tools


def pyperf(folder, name="bench", *, runs=((1.0, 1.1, 0.9),) * 5, unit="second", file="p.json"):
    content = {
        "version": "1.0",
        "metadata": {"unit": unit},
        "benchmarks": [{"metadata": {"name": name}, "runs": [{"values": list(values)} for values in runs]}],
    }
    path = folder / file
    path.write_text(json.dumps(content))
    return path


def rounds(folder, *medians, file="b.json", data=True):
    benchmarks = [
        {
            "name": f"b{n}",
            "fullname": f"t.py::b{n}",
            "stats": {"median": m, "mean": m, **({"data": [m] * 9} if data else {})},
        }
        for n, m in enumerate(medians)
    ]
    path = folder / file
    path.write_text(json.dumps({"machine_info": {"node": "x"}, "benchmarks": benchmarks, "version": "5.1"}))
    return path


def test_pyperf_gives_one_figure_a_process(tmp_path):
    (item,) = other_tools.read(pyperf(tmp_path))
    assert item.row == "bench"
    assert item.values == {"time_per_job": [1e9] * 5}


def test_pyperfs_own_files_are_read(tmp_path):
    module = pytest.importorskip("pyperf")
    runs = [module.Run([0.1 * n, 0.2], metadata={"name": "own"}, collect_metadata=False) for n in (1, 2, 3)]
    module.BenchmarkSuite([module.Benchmark(runs)]).dump(str(tmp_path / "own.json"))
    (item,) = other_tools.read(tmp_path / "own.json")
    assert item.row == "own"
    assert item.values["time_per_job"] == pytest.approx([0.15e9, 0.2e9, 0.25e9])


@pytest.mark.parametrize("data", [True, False])
def test_pytest_benchmark_is_one_process_and_a_folder_of_files_several(tmp_path, data):
    for number in range(4):
        path = rounds(tmp_path, 0.5 + number, 1.0, file=f"{number}.json", data=data)
    assert [item.values for item in other_tools.read(path)] == [{"time_per_job": [3.5e9]}, {"time_per_job": [1e9]}]
    assert other_tools.read(tmp_path)[0].values == {"time_per_job": [0.5e9, 1.5e9, 2.5e9, 3.5e9]}


@pytest.mark.parametrize("value", [0.0, -1.0, 1e999])
def test_value_that_is_no_measurement_is_refused(tmp_path, value):
    path = pyperf(tmp_path, runs=[(1.0, 1.0)] * 4)
    path.write_text(path.read_text().replace("[1.0, 1.0]", f"[1.0, {value if value < 1e300 else '1e999'}]", 1))
    with pytest.raises(InputError, match=r"no measurement|not whole JSON|can be read"):
        other_tools.read(path)


def test_nan_is_refused_in_a_sentence(tmp_path):
    path = pyperf(tmp_path, runs=[(float("nan"),)])
    with pytest.raises(InputError, match="not whole JSON"):
        other_tools.read(path)


def test_unit_that_cannot_be_compared_is_refused(tmp_path):
    with pytest.raises(InputError, match="'integer'"):
        other_tools.read(pyperf(tmp_path, unit="integer"))


def test_two_benchmarks_of_one_name_are_refused(tmp_path):
    path = rounds(tmp_path, 1.0)
    content = json.loads(path.read_text())
    content["benchmarks"] *= 2
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"two benchmarks of the name 't\.py::b0'"):
        other_tools.read(path)


def test_something_else_is_neither(tmp_path):
    (tmp_path / "x.json").write_text('{"a": 1}')
    assert other_tools.read(tmp_path / "x.json") is None


def test_compare_takes_either_tool_on_either_side(tmp_path):
    slow = pyperf(tmp_path, runs=[(2.0, 2.1)] * 5, file="slow.json")
    fast = pyperf(tmp_path, runs=[(1.0, 1.1)] * 5, file="fast.json")
    done = loopstall("compare", fast, slow, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 regressed" in done.stdout
    assert "Measured one side after the other" in done.stdout
    assert loopstall("compare", slow, fast, cwd=tmp_path).returncode == 0
    one = rounds(tmp_path, 1.0, file="one.json")
    done = loopstall("compare", one, one, cwd=tmp_path)
    assert done.returncode == 5
    assert "1 run against 1, and an interval needs 4 on each side" in done.stdout
    assert "Measure each side in 4 processes" in done.stdout
    done = loopstall("compare", fast, one, cwd=tmp_path)
    assert "1 added, 1 removed" in done.stdout


def test_units_that_differ_are_inconclusive(tmp_path):
    seconds, memory = pyperf(tmp_path, file="s.json"), pyperf(tmp_path, unit="byte", file="m.json")
    done = loopstall("compare", seconds, memory, cwd=tmp_path)
    assert done.returncode == 5
    assert "the sides measured different things" in done.stdout


def test_big_file_is_read_in_bounded_time_and_memory(tmp_path):
    path = tmp_path / "big.json"
    data = "[" + ",".join(["0.0012345"] * 100_000) + "]"
    with path.open("w") as file:
        file.write('{"machine_info": {}, "benchmarks": [')
        for number in range(100):
            file.write("," if number else "")
            file.write(f'{{"fullname": "b{number}", "stats": {{"median": 1.0, "data": {data}}}}}')
        file.write("]}")
    assert path.stat().st_size > 99_000_000
    done = loopstall("compare", path, path, cwd=tmp_path)
    assert done.returncode == 5, done.stderr
    assert "100 inconclusive" in done.stdout
