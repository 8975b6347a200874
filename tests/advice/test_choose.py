"""What is recommended from which figures, and what is said of functions and arguments that cannot be measured."""

from dataclasses import replace
import json
import re

from helpers import MS, measured
import pytest

from loopstall.advice import choose, plan, words
from loopstall.advice.rounds import Rounds
from loopstall.advice.study import study
from loopstall.advice.subject import Allowance, of_function
from loopstall.errors import InputError
from loopstall.records import Estimate, Load, Noise, Profile
from loopstall.results import advice_file
from loopstall.runner.single import Limits
from loopstall.stats import histogram
from loopstall.workloads import target

ROUNDS = 5
BUSY = Noise(wall_ns=1000 * MS, delay_ns=400 * MS, others_ns=1500 * MS, cores=2)
IDLE = Noise(wall_ns=1000 * MS, delay_ns=4 * MS, others_ns=20 * MS, cores=2)


def profile(duration_ms=10.0, *, gil=1.0, pickling_ms=0.01, unpicklable="", cpu_ms=None):
    value = duration_ms * MS
    return Profile(
        calls=20,
        first_ns=int(value),
        duration=Estimate(value=value, low=value, high=value, confidence=0.95, runs=5),
        cpu_share=1.0,
        process_cpu_ns=int((duration_ms if cpu_ms is None else cpu_ms) * MS),
        gil_share=gil,
        sent_bytes=None if unpicklable else 100,
        returned_bytes=100,
        pickling_ns=int(pickling_ms * MS),
        unpicklable=unpicklable,
        memory_bytes=0,
    )


def figures(response_ms, wait_ms, *, jobs=20, noise=0.0):
    base = measured(jobs=jobs)
    return replace(
        base,
        response=histogram.from_counts([(int((response_ms + noise) * MS), jobs)]),
        lag=histogram.from_counts([(int((wait_ms + noise) * MS), 1000)]),
    )


def advised(ways, *, of=None, load=None, rounds=ROUNDS, missing=None, cores=2, jobs=20, noises=()):
    return choose.choose(
        target="module:function",
        load=load or Load(jobs=40, rate=20.0),
        profile=of or profile(),
        runs={
            name: [figures(*pair, jobs=jobs, noise=0.01 * number) for number in range(rounds)]
            for name, pair in ways.items()
        },
        missing=missing or {},
        cores=cores,
        noises=noises,
    )


@pytest.mark.parametrize(
    ("choice", "ways", "extra"),
    [
        ("inline", {"inline": (0.3, 0.5), "to_thread": (0.5, 0.4), "processes": (0.9, 0.4)}, {"of": profile(0.2)}),
        ("to_thread", {"inline": (10, 10), "to_thread": (10.2, 0.4), "processes": (10.9, 0.4)}, {"of": profile(gil=0)}),
        ("processes", {"inline": (10, 10), "to_thread": (15, 8), "processes": (11, 0.4)}, {}),
        ("async", {"inline": (10, 10), "async": (10, 0.2), "to_thread": (10, 0.2), "processes": (11, 0.4)}, {}),
        ("task queue", {"inline": (900, 90), "processes": (400, 1)}, {"load": Load(jobs=40, rate=200.0)}),
        ("task queue", {"inline": (9000, 9000), "processes": (9000, 1)}, {"of": profile(9000), "load": Load(jobs=4)}),
        ("native code", {"inline": (10, 10), "to_thread": (12, 9)}, {"of": profile(unpicklable="the result cannot")}),
        (
            "native code",
            {"inline": (10, 10), "to_thread": (12, 9), "processes": (90, 30)},
            {"of": profile(pickling_ms=40)},
        ),
    ],
)
def test_simplest_way_that_none_clearly_beats_is_recommended(choice, ways, extra):
    advice = advised(ways, **extra)
    assert advice.choice == choice, advice.reason
    assert advice.reason


def test_difference_within_the_noise_moves_nothing():
    noisy = {
        "inline": [figures(2, wait) for wait in (0.5, 4, 1, 3, 2)],
        "to_thread": [figures(2, wait) for wait in (3, 0.4, 2, 1, 2)],
    }
    advice = choose.choose(target="m:f", load=Load(jobs=9, rate=9), profile=profile(2), runs=noisy, missing={}, cores=2)
    assert advice.choice == "inline"


@pytest.mark.parametrize("short", [{"rounds": 2}, {"jobs": 2}])
def test_too_little_data_gives_no_recommendation(short):
    advice = advised({"inline": (10, 10), "to_thread": (10, 0.4)}, **short)
    assert advice.choice == ""
    assert "too little" in advice.reason
    assert "No recommendation" in words.told(advice)


def test_way_that_could_not_be_measured_is_named_with_the_reason():
    advice = advised({"inline": (10, 10), "to_thread": (10, 0.4)}, missing={"processes": "a worker died"})
    assert "asyncio/processes: not measured: a worker died" in words.told(advice)


def test_break_even_lies_on_the_side_of_the_choice():
    pays = advised({"inline": (10, 12), "to_thread": (15, 8), "processes": (11, 0.5)})
    assert _even_ms(pays) < 10
    stays = advised({"inline": (0.2, 0.3), "to_thread": (0.5, 0.4), "processes": (1, 0.4)}, of=profile(0.2))
    assert _even_ms(stays) > 0.2


def _even_ms(advice):
    amount, unit = re.match(r"from about ([\d.]+) (ms|µs)", advice.break_even).groups()
    return float(amount) / (1 if unit == "ms" else 1000)


def test_wait_of_rare_jobs_is_not_looked_for_where_it_cannot_be_seen():
    run = replace(measured(), lag=histogram.from_counts([(MS // 10, 10_000), (50 * MS, 5)]))
    assert choose.wait_ns(run, 0.5) < MS
    assert choose.wait_ns(run, 0.001) > 49 * MS


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("f", "names no function"),
        ("nowhere/x.py:f", "there is no file"),
        ("no_such_module:f", "cannot import no_such_module"),
        ("own.py:missing", "no function 'missing'"),
        ("own.py:co", "is async"),
        ("own.py:gen", "generator"),
        ("own.py:NUMBER", "no function but a int"),
        ("broken.py:f", "SyntaxError"),
        ("leaves.py:f", "SystemExit"),
    ],
)
def test_target_that_cannot_be_called_is_refused_in_a_sentence(tmp_path, name, part):
    (tmp_path / "own.py").write_text("NUMBER = 3\nasync def co(): pass\ndef gen(): yield 1\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(InputError, match=re.escape(part)):
        target.load(name)


def test_function_of_a_package_is_imported_by_its_whole_name(tmp_path):
    package = tmp_path / "pkg_of_advice" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "mod.py").write_text("class Shop:\n    @staticmethod\n    def pay(): return 7\n")
    assert target.load(f"{package / 'mod.py'}:Shop.pay")() == 7
    assert target.module_and_folder(f"{package / 'mod.py'}:Shop.pay")[0] == "pkg_of_advice.inner.mod"


@pytest.mark.parametrize(("text", "expected"), [("[1, 2]", ([1, 2], {})), ('{"n": 3}', ([], {"n": 3}))])
def test_arguments_are_read_from_json(text, expected):
    assert target.arguments(text) == expected


@pytest.mark.parametrize("text", ["{", "7", '"a"', "null"])
def test_arguments_of_another_shape_are_refused(text):
    with pytest.raises(InputError):
        target.arguments(text)


def test_advice_survives_its_file(tmp_path):
    advice = advised({"inline": (10, 10), "to_thread": (10, 0.4)}, missing={"processes": "none"})
    path = tmp_path / "advice.json"
    advice_file.write(advice, path)
    assert advice_file.read(path) == advice


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kind": "advice", "version": 99}', '{"kind": "advice"'])
def test_foreign_or_damaged_advice_is_refused(tmp_path, content):
    path = tmp_path / "advice.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"advice\.json"):
        advice_file.read(path)


def test_document_is_plain_json(tmp_path):
    path = tmp_path / "advice.json"
    advice_file.write(advised({"inline": (10, 10), "to_thread": (10, 0.4)}), path)
    assert json.loads(path.read_text())["choice"] == "to_thread"


def test_queue_is_recommended_without_measuring_ways():
    for of, load in ((profile(9000), Load(jobs=4, rate=0.1)), (profile(100), Load(jobs=4, rate=50.0))):
        advice = advised({}, of=of, load=load)
        assert advice.choice == "task queue"
        assert "Measured in turns" not in words.told(advice)


@pytest.mark.parametrize(
    ("duration_ms", "asked", "expected"),
    [(10, None, 25.0), (0.001, None, 50.0), (10, 40.0, 40.0), (10, 0.01, 1.0), (2000, 0.01, 0.12)],
)
def test_rate_is_the_users_own_unless_a_run_would_take_too_long(duration_ms, asked, expected):
    load = plan.default_load(profile(duration_ms), rate=asked, concurrency=None)
    assert load.rate == pytest.approx(expected)
    assert plan.default_load(profile(duration_ms), rate=None, concurrency=3).rate is None


WAYS = {"inline": (10, 10), "to_thread": (10.2, 0.4), "processes": (10.9, 0.4)}


@pytest.mark.parametrize(
    ("extra", "seen"),
    [
        ({"of": replace(profile(gil=None), noise=BUSY)}, BUSY),
        ({"of": replace(profile(9000), noise=BUSY), "load": Load(jobs=4)}, BUSY),  # a task queue, were it quiet
        ({"noises": (BUSY,) * ROUNDS}, replace(BUSY, wall_ns=5000 * MS, delay_ns=2000 * MS, others_ns=7500 * MS)),
    ],
)
def test_busy_machine_gives_no_recommendation_and_says_what_was_seen(extra, seen):
    advice = advised(WAYS, **extra)
    assert advice.choice == ""
    assert advice.noise == seen
    assert advice.reason.startswith("too noisy to say: other programs took 75% of the time of this machine's 2 CPUs")
    assert "waited 40% of its time" in advice.reason
    assert "stop the other programs" in advice.reason


def test_few_disturbed_rounds_are_left_out_and_told():
    advice = advised(WAYS, of=replace(profile(gil=0), noise=IDLE), noises=(BUSY, BUSY))
    assert advice.choice == "to_thread"
    assert any("2 of 7 rounds were left out" in text for text in advice.caveats)


def test_round_counts_where_the_machine_disturbed_none_of_its_runs():
    rounds = Rounds(["inline", "to_thread"], {})
    quiet, busy = (replace(figures(10, 1), noise=noise) for noise in (IDLE, BUSY))
    rounds.add({"inline": quiet, "to_thread": quiet})
    rounds.add({"inline": quiet, "to_thread": busy})
    assert {name: len(runs) for name, runs in rounds.runs.items()} == {"inline": 1, "to_thread": 1}
    assert rounds.noises == [BUSY]
    rounds.fail("to_thread", "a worker died")
    rounds.add({"inline": quiet})
    assert rounds.missing == {"to_thread": "a worker died"}
    assert rounds.quiet == 2


def subject(tmp_path):
    (tmp_path / "mine.py").write_text("def slow(): pass\n")
    return of_function(f"{tmp_path / 'mine.py'}:slow", "[]")


class Counted:
    def __init__(self):
        self.expected = self.done = 0

    def expect(self, more):
        self.expected += more

    def advance(self, _label):
        self.done += 1


def test_limit_that_cannot_do_is_said_before_anything_is_measured_with_one_that_would(tmp_path):
    of = profile(2000, cpu_ms=0)
    load = plan.default_load(of, rate=None, concurrency=None)
    planned = plan.plan(subject(tmp_path), of, load)
    assert planned.names == ("inline", "to_thread", "processes")
    assert planned.fewest * load.jobs >= 15
    counted = Counted()
    allowance = Allowance(20.0, clock=lambda: 0.0)
    limits = Limits(time_limit_s=60, memory_limit_bytes=0, threshold_ns=5 * MS)
    advice = study(subject(tmp_path), of, planned, limits=limits, allowance=allowance, progress=counted)
    assert advice.choice == ""
    asked = int(re.search(r"run it again with --max-seconds (\d+)$", advice.reason)[1])
    assert asked > planned.fewest * planned.round_s
    assert "the 20 s of --max-seconds leave 0" in advice.reason
    assert counted.expected == 0


@pytest.mark.parametrize(
    ("of", "load", "part"),
    [
        (profile(10), Load(jobs=20, rate=20.0), "inline, to_thread, processes in turns"),
        (profile(9000), Load(jobs=4), "a task queue is needed"),
        (replace(profile(10), noise=BUSY), Load(jobs=20, rate=20.0), "the machine is busy"),
    ],
)
def test_plan_is_told_before_it_is_carried_out(tmp_path, of, load, part):
    assert part in plan.plan(subject(tmp_path), of, load).told(60.0)


def test_recommendation_stands_above_the_figures():
    told = words.told(advised(WAYS, of=profile(gil=0)))
    assert told.startswith("Recommended: to_thread, for module:function.")
    assert told.index("Recommended") < told.index("takes 10.0 ms") < told.index("asyncio/inline")


def test_share_of_a_gil_that_there_is_not_is_not_available():
    runs = {"inline": [figures(10, 10)] * 5, "to_thread": [figures(10.2, 0.4)] * 5}
    without = replace(profile(gil=0.0), gil_note="this build has no GIL")
    advice = choose.choose(
        target="a:b", load=Load(rate=25.0, jobs=100), profile=without, runs=runs, missing={}, cores=2
    )
    told = words.told(advice)
    assert "GIL share n/a - this build has no GIL" in told
    assert "keeps the GIL" not in told
    assert "whether it holds the GIL" not in told
    assert advice.choice == "to_thread"
