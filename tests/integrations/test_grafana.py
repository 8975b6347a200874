"""The dashboard against the metrics that a real process exposes."""

import json
import re
import subprocess
import sys
import urllib.request

import pytest

pytestmark = pytest.mark.once

BY_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus itself adds to what it scrapes."""

SERVICE = """
import asyncio, sys, threading, time
import prometheus_client
from loopstall.asgi import StallMiddleware
from loopstall.metrics import LoopMetrics

async def app(scope, receive, send):
    time.sleep(0.1)

async def main():
    metrics = LoopMetrics(threshold=0.05).start()
    metrics.to_prometheus()
    while not metrics.figures().stalls_by_route:  # nobody looks at the first stall while the helper process starts
        await StallMiddleware(app, 0.05)({"type": "http", "method": "GET", "path": "/slow"}, None, None)
        await asyncio.sleep(0.05)
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1")
    print(server.server_port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.shutdown()
    server.server_close()
    thread.join()
    metrics.stop()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def dashboard():
    done = subprocess.run(
        [sys.executable, "-m", "loopstall.integrations.grafana"], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def scraped():
    """The labels of each metric of a service with a stall."""
    parser = pytest.importorskip("prometheus_client.parser")
    words = [sys.executable, "-c", SERVICE]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        try:
            port = service.stdout.readline().strip()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                text = answer.read().decode()
        finally:
            service.stdin.close()
            service.wait(60)
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions(dashboard):
    """Returns every expression of the panels, with what Grafana puts in the place of its variables."""
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    replaced = (("$__rate_interval", "5m"), ("$__range", "1h"), ("$job", ".*"), ("$instance", ".*"))
    for name, value in replaced:
        found = [expression.replace(name, value) for expression in found]
    return found


def metrics_and_labels(expression):
    """Returns the metrics of an expression with the labels that select them, and the labels that group."""
    selectors = re.findall(r"\b(loopstall_\w+)(?:\{([^}]*)\})?", expression)
    by_metric = {name: set(re.findall(r"(\w+)\s*[=!]", inside)) for name, inside in selectors}
    groups = re.findall(r"\b(?:by|ignoring|on|without)\s*\(([^)]*)\)", expression)
    return by_metric, {label for group in groups for label in re.findall(r"\w+", group)}


def test_every_metric_and_label_of_an_expression_is_exposed(dashboard, scraped):
    seen = set()
    for expression in expressions(dashboard):
        by_metric, groups = metrics_and_labels(expression)
        assert by_metric, expression
        for name, selected in by_metric.items():
            assert name in scraped, expression
            assert selected <= scraped[name] | BY_PROMETHEUS, expression
        known = set().union(*(scraped[name] for name in by_metric))
        assert groups <= known | BY_PROMETHEUS, expression
        seen |= by_metric.keys()
    legends = [
        (target["expr"], label)
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
    ]
    assert legends
    assert [
        (expression, label) for expression, label in legends if label not in metrics_and_labels(expression)[1]
    ] == []
    assert {
        "loopstall_loop_lag_seconds_bucket",
        "loopstall_stalls_total",
        "loopstall_route_stalled_seconds_total",
    } <= seen


def test_every_expression_is_promql(dashboard):
    parser = pytest.importorskip("promql_parser")
    for expression in expressions(dashboard):
        parser.parse(expression)
    with pytest.raises(ValueError, match="parenthesis"):
        parser.parse("sum(rate(loopstall_stalls_total[5m])")


def test_dashboard_is_one_that_grafana_knows(dashboard):
    """By the model that Grafana Labs generates from its own schema of a dashboard: what it does not know is dropped."""
    sdk = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    read = sdk.Dashboard.from_json(dashboard)
    written = json.loads(encoder.JSONEncoder(sort_keys=True).encode(read))
    assert dashboard.keys() <= written.keys()
    for before, after in zip(dashboard["panels"], written["panels"], strict=True):
        assert before.keys() <= after.keys()
        assert before["gridPos"] == after["gridPos"]


def test_panels_have_unique_ids_and_places_that_do_not_overlap(dashboard):
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_source_of_the_data_is_a_variable(dashboard):
    names = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
    assert names == {"datasource": "datasource", "job": "query", "instance": "query"}
    users = [*dashboard["panels"], *(target for panel in dashboard["panels"] for target in panel["targets"])]
    users += [variable for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    assert {user["datasource"]["uid"] for user in users} == {"${datasource}"}
    queries = [
        variable["query"]["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"
    ]
    assert all("label_values(loopstall_loops" in query for query in queries)
