import asyncio
import os
import sys

import pytest


@pytest.fixture(autouse=True)
def _cpus():
    """Whoever looks at a thread leaves its CPU to it, which later tests are to have again."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    yield
    if before is not None:
        os.sched_setaffinity(0, before)


@pytest.fixture(params=["outside", "inside"])
def sampler(request, monkeypatch):
    """Who looks at the loops of the test."""
    if request.param == "outside" and sys.platform != "linux":
        pytest.skip("the helper process is Linux's")
    monkeypatch.setenv("LOOPSTALL_SAMPLER", request.param)
    return request.param


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request):
    return asyncio.new_event_loop if request.param == "asyncio" else pytest.importorskip("uvloop").new_event_loop
