"""A live view over HTTP: who is answered, and what is left when it ends."""

import http.client
import json
from pathlib import Path
import socket

from helpers import MS, measured, until
import pytest

from loopstall.errors import InputError
from loopstall.instrument.live.board import Board
from loopstall.instrument.live.guard import Address, Guard, address_of
from loopstall.instrument.live.server import LiveServer
from loopstall.records import StallEvent

ALL = "0.0.0.0"  # noqa: S104  # as a user asks for it
ROOT = Path(__file__).parents[2]


@pytest.fixture
def board():
    made = Board(title="loopstall watch prog.py", threshold_ns=20 * MS)
    stall = measured(stalls_ms=(200,)).stalls[0]
    made.stall(StallEvent(stall=stall, length_ns=200 * MS, at=0.0, process="prog.py 7", thread="MainThread"))
    return made


def serving(board, host):
    return LiveServer(Address(host=host, port=0), board)


@pytest.fixture
def server(board):
    made = serving(board, "127.0.0.1")
    yield made
    made.close()


@pytest.fixture
def guarded(board):
    """One that other machines reach."""
    made = serving(board, ALL)
    yield made
    made.close()


def port_of(server):
    return int(server.url.split(":")[2].split("/")[0])


def token_of(server):
    return server.url.partition("?token=")[2]


def ask(server, path="/live.json", method="GET", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=30)
    try:
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def test_page_figures_and_stalls_are_served(server):
    status, headers, page = ask(server, "/")
    assert status == 200
    assert "Event-loop lag" in page
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")
    figures = json.loads(ask(server)[2])
    assert (figures["title"], figures["count"]) == ("loopstall watch prog.py", 1)
    assert ask(server, "/other")[0] == 404
    assert ask(server, "/", "POST")[0] == 501


@pytest.mark.parametrize("sent", ["<script>", "<b> /<b>", "GET /<b> HTTP/<b>", "GET / HTTP/1.1\r\n" + "a: b\r\n" * 200])
def test_what_is_no_request_is_refused_and_not_repeated(server, sent):
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=30) as connection:
        connection.sendall(f"{sent}\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read().decode()
    assert "only GET is answered" in answer
    assert "<" not in answer
    assert "text/html" not in answer


def test_stalls_are_of_the_published_schema(server):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs" / "stalls.schema.json").read_text(encoding="utf-8"))
    document = json.loads(ask(server, "/stalls.json")[2])
    jsonschema.validate(document, schema)
    assert document["count"] == 1


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "127.0.0.1", "localhost:9", "[::1]:80", "127.1.2.3"])
def test_names_of_this_machine_are_answered_by_any_port_of_a_tunnel(server, host):
    assert ask(server, Host=host.format(port_of(server)))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{}", "127.0.0.1.evil.example", "", "192.168.0.7", "[::2]"]
)
def test_other_names_are_those_of_a_rebound_domain(server, host):
    status, _, said = ask(server, Host=host.format(port_of(server)))
    assert (status, "name" in said) == (403, True)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost"])
def test_foreign_origin_is_refused(server, origin):
    assert ask(server, Origin=origin)[0] == 403


def test_own_origin_is_answered(server):
    assert ask(server, Origin=f"http://127.0.0.1:{port_of(server)}")[0] == 200


def test_page_of_another_site_gets_no_figures_and_a_link_of_it_may_lead_here(server):
    assert ask(server, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    assert ask(server, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200


def test_loopback_takes_no_token_and_any_other_address_takes_one(server, guarded):
    assert token_of(server) == ""
    assert len(token_of(guarded)) >= 43


@pytest.mark.parametrize("path", ["/", "/live.json", "/stalls.json", "/live.json?token=wrong", "/live.json?token="])
def test_nobody_is_answered_without_the_token(guarded, path):
    status, _, said = ask(guarded, path)
    assert (status, "token" in said) == (401, True)
    assert "prog.py" not in said


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer wrong"}, {"Authorization": "Basic {}"}, {"Cookie": "loopstall-{port}=wrong"},
     {"Cookie": "other={}"}, {"Cookie": "\x00;=;"}, {"Authorization": "Bearer \xe9"}],
)  # fmt: skip
def test_wrong_tokens_are_refused(guarded, headers):
    given = {name: value.format(token_of(guarded), port=port_of(guarded)) for name, value in headers.items()}
    assert ask(guarded, **given)[0] == 401


def test_token_in_a_header_is_enough(guarded):
    assert ask(guarded, Authorization=f"Bearer {token_of(guarded)}")[0] == 200


def test_token_in_the_address_is_kept_in_a_cookie_and_leaves_the_address(guarded):
    status, headers, _ = ask(guarded, f"/?token={token_of(guarded)}")
    assert (status, headers["Location"]) == (303, "/")
    cookie, _, rest = headers["Set-Cookie"].partition(";")
    assert "HttpOnly" in rest
    assert "SameSite=Strict" in rest
    assert ask(guarded, "/", Cookie=cookie)[0] == 200
    assert ask(guarded, Cookie=f"a=1; {cookie}")[0] == 200


def test_token_does_not_let_a_rebound_domain_in(guarded):
    bearer = f"Bearer {token_of(guarded)}"
    assert ask(guarded, Host="evil.example", Authorization=bearer)[0] == 403
    assert ask(guarded, Host="192.168.0.7:80", Authorization=bearer)[0] == 200


def test_too_many_at_once_are_sent_away_and_the_others_are_served(server):
    waiting = [socket.create_connection(("127.0.0.1", port_of(server)), timeout=30) for _ in range(16)]
    try:
        assert until(lambda: ask(server)[0] == 503)
    finally:
        for one in waiting:
            one.close()
    assert until(lambda: ask(server)[0] == 200)


def test_port_is_free_again_when_it_has_ended(board):
    made = serving(board, "127.0.0.1")
    slow = socket.create_connection(("127.0.0.1", port_of(made)), timeout=30)
    made.close()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port_of(made)))
    slow.close()


def test_port_that_is_taken_is_said(board, server):
    with pytest.raises(InputError, match=r"cannot serve at 127\.0\.0\.1:\d+: .*; choose another"):
        LiveServer(Address(host="127.0.0.1", port=port_of(server)), board)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8765", "127.0.0.1", 8765),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:80", "::1", 80),
        ("box.local:9", "box.local", 9),
    ],
)
def test_addresses_are_read(text, host, port):
    assert address_of(text) == Address(host=host, port=port)


@pytest.mark.parametrize(
    "text", ["", ":", ":80", "host", "host:", "host:x", "1:70000", "::1:80", "[::1]", "a b:1", "a/b:1", "٣"]
)
def test_what_is_no_address_is_said(text):
    with pytest.raises(InputError, match=r"127\.0\.0\.1:8765"):
        address_of(text)


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("::1", True), ("localhost", True),
                                                (ALL, False), ("10.0.0.1", False), ("box", False)])  # fmt: skip
def test_only_other_machines_need_a_token(host, loopback):
    assert (Guard(Address(host=host, port=1)).token == "") is loopback
