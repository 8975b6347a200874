"""A live view over HTTP: a page, and the figures that it asks for.

It runs in threads of the command, never of the watched program. What may be asked is the matter of ``guard``.
"""

import contextlib
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import socket
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

from loopstall.errors import InputError
from loopstall.instrument.live.board import Board
from loopstall.instrument.live.guard import Address, Guard
from loopstall.instrument.live.unsignalled import unsignalled
from loopstall.report.live_json import live_json
from loopstall.report.page.live_page import live_page, policy
from loopstall.report.stall_document import to_json

__all__ = ["LiveServer"]

_MOST_AT_ONCE = 16
_PATIENCE_S = 5.0  # with a client that sends its request, or takes the answer, slowly
_POLL_S = 0.2
_JSON = "application/json; charset=utf-8"


class LiveServer:
    """Serves a live view from now on.

    Args:
        address: at which it listens; port 0 for any that is free.
        board: the state of the watch.

    Raises:
        InputError: it cannot listen there, and why.
    """

    def __init__(self, address: Address, board: Board) -> None:
        guard = Guard(address)
        try:
            self._server = _Server(address, board, guard)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"cannot serve at {address}: {why}; choose another address or port") from error
        bound = Address(host=address.host, port=self._server.server_address[1])
        self.url = f"http://{bound}/{f'?token={guard.token}' if guard.token else ''}"
        """The address of the page, with the token."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)
        with unsignalled():
            self._thread.start()

    def close(self) -> None:
        """Frees the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """The server; each request has a thread, and there are only so many at once."""

    daemon_threads = True
    block_on_close = False  # whoever asks slowly does not keep the command from ending

    def __init__(self, address: Address, board: Board, guard: Guard) -> None:
        self.board = board
        self.guard = guard
        self.page = live_page().encode()
        self.policy = policy()
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__(found[0][4][:2], _Handler)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        """Binds without asking a name server for the name of the machine."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers a request in a thread of its own, if there is room."""
        if not self._room.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.settimeout(0)
                request.sendall(b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers a request, and makes room for the next one."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing: the client has gone, or sent what is no request."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: _Server
    server_version = "loopstall"
    sys_version = ""
    timeout = _PATIENCE_S

    def do_GET(self) -> None:  # as the library calls it
        """Answers, or says why not."""
        server, guard = self.server, self.server.guard
        url = urlsplit(self.path)
        refusal = guard.refusal(self.headers)  # type: ignore[arg-type]  # a message is a mapping that names no case
        if refusal:
            self._refuse(HTTPStatus.FORBIDDEN, refusal)
            return
        given = parse_qs(url.query).get("token", [""])[0]
        if given and guard.is_token(given):
            self._let_in(url.path)
        elif not guard.admits(self.headers, self._cookie):  # type: ignore[arg-type]
            self._refuse(HTTPStatus.UNAUTHORIZED, "open the address with the token that loopstall watch has printed")
        elif url.path == "/":
            self._send(server.page, "text/html; charset=utf-8")
        elif url.path == "/live.json":
            self._send(live_json(server.board.view()).encode(), _JSON)
        elif url.path == "/stalls.json":
            self._send(to_json(server.board.document()).encode(), _JSON)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there are /, /live.json and /stalls.json")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Refuses what is no request that there is an answer to, and repeats nothing of it."""
        self._refuse(HTTPStatus(code), "only GET is answered, of /, /live.json and /stalls.json")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Prints nothing: stderr is the watched program's."""

    @property
    def _cookie(self) -> str:
        """The name of the cookie with the token; browsers do not tell ports apart."""
        return f"loopstall-{self.server.server_address[1]}"

    def _let_in(self, path: str) -> None:
        """Has the browser keep the token, and leave it out of the address."""
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", path if path in {"/", "/live.json", "/stalls.json"} else "/")
        cookie = f"{self._cookie}={self.server.guard.token}; Path=/; HttpOnly; SameSite=Strict"
        self.send_header("Set-Cookie", cookie)
        self._common(0)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(f"{why}\n".encode(), "text/plain; charset=utf-8", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self._common(len(body))
        self.wfile.write(body)

    def _common(self, length: int) -> None:
        """Sends the headers that every answer has, and ends them."""
        self.send_header("Content-Length", str(length))
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()
