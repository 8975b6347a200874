"""Stalls as records of ``logging``, as standard, JSON and structlog's formatters write them."""

import asyncio
import io
import json
import logging
import time

import pytest

import loopstall
from loopstall.integrations.logs import StallLogger
from loopstall.records import Evidence, Frame, Stall

LONG = 0.1
MINUTE = 60 * 10**9
EVIDENCE = Evidence(duration_ns=10**8, threshold_ns=10**7, window_ns=10**8, own_cpu_ns=0, other_cpu_ns=0, looks=5)
STALL = Stall(
    start_ns=0, duration_ns=152_000_000, cause="blocking-call", rule="seen in read", task="Task-3", label="GET /items/{id}",
    culprit=Frame(file="/srv/app.py", line=17, function="slow"), evidence=EVIDENCE,
)  # fmt: skip


@pytest.fixture
def logger():
    """A logger of this test alone, whose records end up in ``logger.records``."""
    made = logging.Logger("test")  # noqa: LOG001  # of nobody else
    made.records = []

    class Keeping(logging.Handler):
        def emit(self, record):
            made.records.append(record)

    made.addHandler(Keeping())
    return made


def test_record_says_in_words_and_in_fields_what_was_seen(logger):
    StallLogger(logger=logger)(STALL)
    (record,) = logger.records
    assert (
        record.getMessage() == "event loop stalled for 152 ms, blocking-call: /srv/app.py:17 in slow, GET /items/{id}"
    )
    fields = {name: value for name, value in vars(record).items() if name.startswith("stall_")}
    assert fields.pop("stall_advice").startswith("Await")
    assert fields == {
        "stall_duration_s": 0.152, "stall_cause": "blocking-call", "stall_rule": "seen in read",
        "stall_confidence": "high", "stall_file": "/srv/app.py", "stall_line": 17, "stall_function": "slow",
        "stall_task": "Task-3", "stall_coroutine": "", "stall_label": "GET /items/{id}", "stall_suppressed": 0,
    }  # fmt: skip


def test_stall_without_a_place_has_the_same_fields(logger):
    log = StallLogger(logger=logger, level=logging.ERROR)
    log(STALL)
    log(Stall(start_ns=0, duration_ns=10**8))
    known, unknown = logger.records
    assert vars(known).keys() == vars(unknown).keys()
    assert (unknown.stall_file, unknown.stall_confidence, unknown.levelname) == (None, "none", "ERROR")


def test_no_more_than_so_many_a_minute_are_logged_and_the_rest_is_counted(logger):
    now = [0]
    log = StallLogger(logger=logger, per_minute=2, clock=lambda: now[0])
    for _ in range(5):
        log(STALL)
    assert len(logger.records) == 2
    now[0] = MINUTE
    log(STALL)
    assert logger.records[-1].stall_suppressed == 3
    assert logger.records[-1].getMessage().endswith("(3 earlier stalls not logged)")
    log(STALL)
    assert logger.records[-1].stall_suppressed == 0
    for _ in range(3):
        log(STALL)
    log.stop()
    assert logger.records[-1].getMessage() == "3 more stalls not logged"


def test_formatter_for_json_writes_the_fields(logger):
    pythonjsonlogger = pytest.importorskip("pythonjsonlogger.json")
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(pythonjsonlogger.JsonFormatter())
    logger.addHandler(handler)
    StallLogger(logger=logger)(STALL)
    written = json.loads(out.getvalue())
    assert (written["stall_cause"], written["stall_line"]) == ("blocking-call", 17)


def test_structlog_writes_the_fields(logger):
    structlog = pytest.importorskip("structlog")
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logger.addHandler(handler)
    StallLogger(logger=logger)(STALL)
    written = json.loads(out.getvalue())
    assert (written["level"], written["stall_label"], written["stall_duration_s"]) == (
        "warning",
        "GET /items/{id}",
        0.152,
    )


async def blocked():
    time.sleep(LONG)
    await asyncio.sleep(0)


def test_started_it_logs_the_stalls_of_every_loop_until_it_is_stopped(logger):
    log = StallLogger(LONG / 2, logger=logger).start()
    asyncio.run(blocked())
    log.stop()
    before = [record.stall_duration_s for record in logger.records]
    assert max(before) >= LONG
    asyncio.run(blocked())
    assert len(logger.records) == len(before)


def test_it_is_what_a_watch_calls(logger):
    with loopstall.watch(LONG / 2, on_stall=StallLogger(logger=logger)):
        asyncio.run(blocked())
    assert any(record.stall_duration_s >= LONG for record in logger.records)


@pytest.mark.parametrize(("named", "what"), [({"threshold": 0}, "threshold"), ({"per_minute": 0}, "per_minute")])
def test_amounts_must_be_positive(named, what):
    with pytest.raises(ValueError, match=f"{what} must be a positive"):
        StallLogger(**named)
