"""Stalls on the spans of the real SDK, with its exporter that keeps them in memory."""

import asyncio
import gc
import logging
from pathlib import Path
import sys
import threading
import time

import pytest

sdk = pytest.importorskip("opentelemetry.sdk.trace")
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

from loopstall.integrations import otel, spans  # noqa: E402
from loopstall.integrations.otel import StallSpanProcessor  # noqa: E402
from loopstall.integrations.spans import EVENT_NAME  # noqa: E402
from loopstall.records import Stall  # noqa: E402

LONG = 0.2
THRESHOLD = 0.05


class Traced:
    """A provider of the SDK, with the processor before an exporter that keeps spans in memory."""

    def __init__(self, **limits):
        self.exporter = InMemorySpanExporter()
        self.processor = StallSpanProcessor(SimpleSpanProcessor(self.exporter), THRESHOLD)
        self.provider = sdk.TracerProvider(span_limits=sdk.SpanLimits(**limits), shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer("test")

    def span(self, name):
        return self.tracer.start_as_current_span(name)

    def ended(self):
        """Returns the exported spans by name."""
        self.provider.force_flush()
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def stalled(self, main, run=asyncio.run):
        """Runs a program until the stall that it makes is seen as such, and returns the events by span.

        On a busy machine it may be taken for one of the machine's, or of a task that nobody saw.
        """
        for _ in range(20):
            self.exporter.clear()
            run(main())
            found = {
                name: [dict(event.attributes) for event in span.events if self._is_long(event)]
                for name, span in self.ended().items()
            }
            if any(found.values()):
                break
        return found

    def _is_long(self, event):
        if event.name != EVENT_NAME or event.attributes["loopstall.stall.duration"] < LONG:
            return False
        return (
            event.attributes["loopstall.stall.cause"] == "blocking-call" and "loopstall.stall.task" in event.attributes
        )


@pytest.fixture
def traced():
    made = Traced()
    yield made
    made.provider.shutdown()


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    factory = pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else None

    def run(coroutine):
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(coroutine)

    return run


def test_span_that_ends_in_the_turn_that_it_blocked_has_the_event_with_the_line(run, traced):
    async def main():
        with traced.span("request"):
            time.sleep(LONG)
        await asyncio.sleep(0.01)

    ((event,),) = traced.stalled(main, run).values()
    assert event["loopstall.stall.duration"] >= LONG
    assert LONG <= event["loopstall.stall.within_span"] <= event["loopstall.stall.duration"]
    assert event["loopstall.stall.origin"] == "own"
    assert event["loopstall.stall.task"]
    assert event["code.file.path"] == __file__
    assert "time.sleep(LONG)" in Path(__file__).read_text().splitlines()[event["code.line.number"] - 1]
    assert event["code.function.name"].endswith("main")
    assert event["loopstall.stall.confidence"] in {"high", "medium", "low"}


def test_span_of_another_task_has_the_event_too_and_says_that_it_was_caused_elsewhere(run, traced):
    async def innocent():
        with traced.span("innocent"):
            await asyncio.sleep(LONG / 2)

    async def culprit():
        with traced.span("culprit"):
            await asyncio.sleep(LONG / 4)
            with traced.span("parsing"):
                time.sleep(LONG)
            await asyncio.sleep(0.01)

    async def main():
        with traced.span("early"):
            await asyncio.sleep(0)
        await asyncio.gather(innocent(), culprit())

    found = traced.stalled(main, run)
    assert {name: [event["loopstall.stall.origin"] for event in events] for name, events in found.items()} == {
        "early": [], "innocent": ["elsewhere"], "culprit": ["own"], "parsing": ["own"],
    }  # fmt: skip
    assert found["innocent"][0]["code.function.name"].endswith("culprit")


def test_task_without_a_span_of_its_own_works_in_that_of_who_started_it(run, traced):
    async def child():
        time.sleep(LONG)
        await asyncio.sleep(0.05)

    async def main():
        with traced.span("request"):
            await asyncio.create_task(child())

    ((event,),) = traced.stalled(main, run).values()
    assert event["loopstall.stall.origin"] == ("own" if sys.version_info >= (3, 12) else "unknown")


def test_two_tasks_of_one_name_are_not_taken_for_each_other(traced):
    async def work(long):
        with traced.span("long" if long else "short"):
            await asyncio.sleep(0.01)
            if long:
                time.sleep(LONG)
            await asyncio.sleep(0.01)

    async def main():
        await asyncio.gather(*(asyncio.create_task(work(long), name="worker") for long in (False, True)))

    found = traced.stalled(main)
    assert [event["loopstall.stall.origin"] for event in found["short"] + found["long"]] == ["unknown", "unknown"]


def test_spans_of_other_threads_and_without_a_loop_are_handed_on_at_once(traced):
    def work():
        with traced.span("thread"):
            time.sleep(THRESHOLD * 2)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [span.name for span in traced.exporter.get_finished_spans()] == ["thread"]


def test_span_is_handed_on_while_the_loop_runs_and_only_once(traced):
    async def main():
        with traced.span("slow"):
            await asyncio.sleep(THRESHOLD * 2)
        assert not traced.exporter.get_finished_spans()
        while not traced.exporter.get_finished_spans():
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 30))
    traced.provider.force_flush()
    assert len(traced.exporter.get_finished_spans()) == 1


def test_span_that_gets_the_event_later_keeps_all_that_it_had():
    traced = Traced(max_span_attributes=2, max_events=3)

    async def main():
        with traced.span("request") as span:
            span.set_attributes({"a": 1, "b": 2, "c": 3})
            for number in range(5):
                span.add_event(str(number))
            time.sleep(LONG)
        await asyncio.sleep(0)

    asyncio.run(main())
    span = traced.ended()["request"]
    traced.provider.shutdown()
    assert dict(span.attributes) == {"b": 2, "c": 3}
    assert [event.name for event in span.events][:3] == ["2", "3", "4"]
    assert span.events[-1].name == EVENT_NAME
    assert (span.dropped_attributes, span.dropped_events, span.dropped_links) == (1, 2, 0)
    assert EVENT_NAME in span.to_json()


def test_long_lived_span_keeps_room_for_the_events_of_the_program(traced):
    async def main():
        with traced.span("socket"):
            await asyncio.sleep(0.01)
            for _ in range(40):
                traced.processor._add(Stall(start_ns=0, duration_ns=10**9), time.perf_counter_ns())

    asyncio.run(main())
    assert len(traced.ended()["socket"].events) == 32


def test_failure_is_logged_once_and_no_span_is_lost(traced, monkeypatch, caplog):
    def broken(*_about):
        raise RuntimeError("broken")

    monkeypatch.setattr(otel, "own_spans", broken)

    async def main():
        for _ in range(2):
            with traced.span("request"):
                time.sleep(LONG)
            await asyncio.sleep(0.01)

    with caplog.at_level(logging.WARNING, "loopstall"):
        asyncio.run(main())
    traced.provider.force_flush()
    assert len(traced.exporter.get_finished_spans()) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "no more stalls are added to spans: RuntimeError: broken"
    ]


def test_what_is_done_for_a_span_does_not_grow_with_the_open_ones(traced):
    here = {otel.__file__, spans.__file__}

    def calls(count):
        held = [traced.tracer.start_span("open") for _ in range(count)]
        found = []

        def profile(frame, event, _argument):
            if event == "call" and frame.f_code.co_filename in here:
                found.append(frame.f_code.co_name)

        sys.setprofile(profile)
        with traced.span("request"):
            pass
        sys.setprofile(None)
        for span in held:
            span.end()
        return found

    async def main():
        return calls(0), calls(1000)

    few, many = asyncio.run(main())
    assert few == many
    assert len(few) <= 8


def test_loop_is_asked_for_one_call_at_a_time_however_often_spans_are_flushed(traced):
    async def main():
        loop, asked = asyncio.get_running_loop(), []
        inner = loop.call_later
        loop.call_later = lambda *about, **named: asked.append(about) or inner(*about, **named)
        for _ in range(3):
            start_ns = time.time_ns() - 10**9
            traced.tracer.start_span("long", start_time=start_ns).end()
            traced.provider.force_flush()
        return len(asked)

    assert asyncio.run(main()) == 1
    assert len(traced.exporter.get_finished_spans()) == 3


def test_forked_process_leaves_the_spans_of_its_parent_to_it(traced, monkeypatch):
    async def slow(name):
        with traced.span(name):
            await asyncio.sleep(THRESHOLD * 2)

    async def main():
        await slow("parent")
        monkeypatch.setattr(otel.os, "getpid", lambda: -1)
        await slow("child")

    asyncio.run(main())
    assert list(traced.ended()) == ["child"]


def test_span_that_is_never_ended_is_forgotten(traced):
    traced.tracer.start_span("lost")
    gc.collect()
    assert not traced.processor._open


def test_after_shutdown_nothing_is_watched_and_spans_pass(traced):
    traced.processor.shutdown()
    assert not [thread for thread in threading.enumerate() if "watchdog" in thread.name]
    assert asyncio.BaseEventLoop.run_forever.__module__ == "asyncio.base_events"
    with traced.span("late"):
        pass
    assert not traced.processor._open


def test_threshold_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        StallSpanProcessor(SimpleSpanProcessor(InMemorySpanExporter()), 0)


def test_missing_extra_is_a_sentence(monkeypatch):
    monkeypatch.delitem(sys.modules, "loopstall.integrations.otel")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ImportError, match="pip install"):
        import loopstall.integrations.otel  # noqa: F401
