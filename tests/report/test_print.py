"""What a printer gets: the page as a PDF by real headless Chromium, read back and looked at as a picture."""

import base64
from dataclasses import replace

from helpers import cell, measured, plan, run
from pages import opened, page
import pytest

from loopstall.records import Course, Load, Series

pytestmark = [pytest.mark.browser, pytest.mark.once]

MS = 1_000_000
COURSE = tuple(range(0, 1000 * MS, 10 * MS))
GREEN, RED, PURPLE = (27, 127, 75), (179, 38, 30), (141, 58, 143)
"""The colours of the lines of jobs in flight, CPU and memory on paper."""
BLUE = (24, 97, 170)
"""The colour of the percentiles of threads."""


def printed_page():
    """A page with every chart of a run: the lag is greatest at the very end, so that a cut to the right shows."""
    made = []
    for dispatch in ("to_thread", "processes"):
        figures = measured(stalls_ms=[60, 20], wall_ms=1000)
        lag = Series(width_ns=10 * MS, at_ns=COURSE, peak_ns=tuple(20 * MS + at // 50 for at in COURSE), count=100)
        figures = replace(
            figures, lag_series=lag, began_at=1_795_900_000.0, cpu=Course(at_ns=COURSE, values=tuple(0.5 for _ in COURSE)),
            memory=Course(at_ns=COURSE, values=tuple(40e6 + at / 100 for at in COURSE)),
            in_flight=Course(at_ns=COURSE, values=tuple(at // MS % 7 for at in COURSE)),
        )  # fmt: skip
        made.append(run(cell(dispatch=dispatch, load=Load(rate=40.0, seconds=1.0)), figures=figures))
    return page(*made, title="a result", plan=plan(*(one.cell for one in made), processes=1))


@pytest.fixture(scope="module", params=[(360, False), (1300, True), (2560, False)], ids=["phone", "dark", "wide"])
def pdf(request, browser, tmp_path_factory):
    """The page as it is printed from a window of some width, in a dark theme as well."""
    pdfium = pytest.importorskip("pypdfium2")
    width, dark = request.param
    assert opened(browser, tmp_path_factory.mktemp("printed"), printed_page(), width=width, dark=dark) == []
    data = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})["data"]
    made = pdfium.PdfDocument(base64.b64decode(data))
    yield made
    made.close()


def pages_with(pdf, colour):
    """The pages on which a line of a colour goes from one side of the paper to the other, and the ends of the line."""
    found = []
    for number, leaf in enumerate(pdf):
        picture = leaf.render(scale=2).to_numpy()[..., 2::-1].astype(int)  # from BGR
        columns = (abs(picture - colour).max(axis=2) < 30).any(axis=0).nonzero()[0] / picture.shape[1]
        if len(columns) > picture.shape[1] / 2:
            found.append((number, columns.min(), columns.max()))
    return found


def words_of(pdf, number):
    return "".join(pdf[number].get_textpage().get_text_bounded().split())


def test_timelines_are_whole_and_on_one_page_with_their_heading_and_their_axis(pdf):
    found = [pages_with(pdf, colour) for colour in (GREEN, RED, PURPLE)]
    assert [len(pages) for pages in found] == [1, 1, 1]  # in flight, CPU and memory, each once
    numbers = {number for pages in found for number, _, _ in pages}
    assert len(numbers) == 1
    for ((_, left, right),) in found:
        assert left < 0.2
        assert right > 0.85
    words = words_of(pdf, numbers.pop())
    for text in ("Timeline", "99thpercentile", "clocktime,UTC", "21:06:40.000"):
        assert text in words


def test_percentiles_are_whole_and_on_one_page_with_their_heading(pdf):
    ((number, left, right),) = pages_with(pdf, BLUE)
    assert left < 0.2
    assert right > 0.85
    assert "Percentiles" in words_of(pdf, number)


def test_paper_is_white_whatever_the_theme_is(pdf):
    for leaf in pdf:
        assert (leaf.render(scale=1).to_numpy()[..., :3].min(axis=2) > 230).mean() > 0.6


def test_first_sheet_has_the_worst_finding(pdf):
    words = words_of(pdf, 0)
    for text in ("Findings", "Where", "Fix"):
        assert text in words
