"""Pages made of hand-made records."""

from helpers import cell, failed, measured, plan, run

from loopstall.gate.policy import Budget
from loopstall.records import Frame, Skipped
from loopstall.report.html import to_html

HOSTILE = [
    "<script>window.hacked=1</script>",
    "</script><b>",
    "\"'>&",
    "\u202egnp.exe",
    "x" * 10_000,
    "nul\0esc\x1b[31m",
]


def page(*runs, **extra):
    return to_html(runs, title=extra.pop("title", "a title"), plan=extra.pop("plan", None), budget=Budget(), **extra)


def hostile_page(text):
    where = cell(text, params=(("p", text),), path=text)
    frame = Frame(file=text, line=1, function=text)
    made = plan(where, processes=1, skipped=(Skipped(cell=cell(text, dispatch="native"), reason=text),))
    return page(
        run(where, figures=measured(stalls_ms=[60], frame=frame)),
        failed(cell(f"{text}2"), message=text, detail=text),
        title=text,
        plan=made,
        warnings=[text],
    )
