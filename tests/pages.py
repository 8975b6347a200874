"""Pages made of hand-made records."""

from dataclasses import replace
from pathlib import Path

from helpers import ENVIRONMENT, cell, failed, measured, pair, plan, run
import pytest

from loopstall.analysis.content import Content, digest
from loopstall.gate.criteria import Criteria
from loopstall.gate.evidence import PairedSample
from loopstall.gate.paired import judge
from loopstall.records import Change, Frame, Reading, Skipped, Trend
from loopstall.report.page.html import to_html

HOSTILE = [
    "<script>window.hacked=1</script>",
    "</script><b>",
    "\"'>&",
    "\u202egnp.exe",
    "x" * 10_000,
    "nul\0esc\x1b[31m",
]


def page(*runs, **extra):
    return to_html(digest(Content(title=extra.pop("title", "a title"), runs=runs, **extra)))


def hostile_page(text):
    where = cell(text, params=(("p", text),), path=text)
    frame = Frame(file=text, line=1, function=text)
    made = plan(
        where,
        processes=1,
        name=text,
        created_at=text,
        skipped=(Skipped(cell=cell(text, dispatch="async"), reason=text),),
    )
    stalls = tuple(
        replace(stall, cause=text, rule=text, task=text, coroutine=text, holder=frame, holder_thread=text)
        for stall in measured(stalls_ms=[60], frame=frame).stalls
    )
    machine = replace(
        ENVIRONMENT, python=text, implementation=text, loop=text, platform=text, kernel=text, cpu=text, governor=text,
        packages=((text, text),), commit=text,
    )  # fmt: skip
    full = run(where, figures=replace(measured(stalls_ms=[60], frame=frame), stalls=stalls))
    return page(
        replace(full, environment=machine, started_at=text),
        failed(cell(f"{text}2"), message=text, detail=text),
        title=text,
        plan=made,
        warnings=[text],
    )


def gate_page(text="work"):
    """The page of it."""
    return to_html(digest(gate_content(text)))


def gate_content(text="work"):
    """The content of a gate with one regression, one thing accepted, and a history with one change."""
    where = cell(text)
    pairs = [pair(where, index=n, base=(100.0 + n,) * 8, head=(150.0,) * 8, head_stalls=(60,)) for n in range(6)]
    item = PairedSample(cell=where, pairs=tuple(pairs))
    (said,) = judge([item], Criteria(rounds=2, confirm=4, alpha=0.5))
    accepted = replace(said, strategy="uvloop/inline", accepted=f"{text} (Ann, until 2027-01-31)")
    readings = tuple(
        Reading(
            row=text, strategy="asyncio/inline", load="10 jobs", metric="time_per_job", value=value, low=value * 0.9,
            high=value * 1.1, runs=5, measured_at=f"2026-01-0{day}T00:00:00+00:00", commit=f"{text}{day}",
            committed_at="", machine=text,
        )
        for day, value in enumerate((1e6, 1e6, 1e6, 1e6, 2e6, 2e6, 2e6, 2e6), 1)
    )  # fmt: skip
    trend = Trend(
        row=text, strategy="asyncio/inline", load="10 jobs", machine=text, metric="time_per_job", readings=readings,
        changes=(Change(at=4, before=1e6, after=2e6),),
    )  # fmt: skip
    return Content(
        title="a title",
        runs=[one.head for one in pairs],
        plan=plan(where),
        verdicts=(said, accepted),
        baselines=[one.base for one in pairs],
        trends=(trend,),
    )


def opened(browser, folder, html, *, width=1200, dark=False):
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
    browser.get_log("browser")
    browser.get(path.as_uri())
    return [entry for entry in browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]


def axe_violations(browser):
    """What axe-core finds on the page that is open, all details unfolded: rule and elements."""
    axe = pytest.importorskip("axe_core_python")
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    browser.execute_script((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = browser.execute_async_script("const done = arguments[0]; axe.run().then((r) => done(r.violations))")
    return [(item["id"], [node["html"][:200] for node in item["nodes"][:3]]) for item in found]
