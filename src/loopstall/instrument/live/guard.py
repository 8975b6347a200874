"""The right to ask for a live view over HTTP: nobody's web page, and from another machine only who has the token.

A browser carries requests of any page that it shows to any address, also to those of this machine. So a request names
this server by an address or a name of this machine (a page of a rebound domain names that), comes from the page itself
or from no page, and has the token where one is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import hmac
from http.cookies import CookieError, SimpleCookie
import ipaddress
import secrets
import socket

from loopstall.errors import InputError

__all__ = ["Address", "Guard", "address_of"]

_HIGHEST_PORT = 65535
_TOKEN_BYTES = 32
_SAME = ("same-origin", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address to listen at."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """True where no other machine reaches it."""
        return _is_loopback(self.host)

    @property
    def is_any(self) -> bool:
        """True where it stands for all addresses of this machine."""
        try:
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(text: str) -> Address:
    """Reads ``HOST:PORT``, ``[IPv6]:PORT`` or a port of this machine alone.

    Raises:
        InputError: it is none.
    """
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    valid = port.isascii() and port.isdigit() and int(port) <= _HIGHEST_PORT
    if not valid or ("[" in host) != (":" in bare) or (not host and text.startswith(":")) or not _is_host(bare):
        raise InputError(f"cannot serve at {text!r}: write an address and a port, for instance 127.0.0.1:8765")
    return Address(host=bare or "127.0.0.1", port=int(port))


def _is_host(host: str) -> bool:
    return not host or not any(char.isspace() or char in "/@?#" for char in host)


class Guard:
    """Judges requests.

    Args:
        address: at which the server listens.
    """

    def __init__(self, address: Address) -> None:
        self.token = "" if address.is_loopback else secrets.token_urlsafe(_TOKEN_BYTES)
        """That is asked for; "" for none."""
        self._loopback = address.is_loopback
        self._names = {"localhost"} if self._loopback else {"localhost", address.host.lower(), *_names()}

    def refusal(self, headers: Mapping[str, str]) -> str:
        """Returns why a request is not answered, whoever it comes from; "" where it may be."""
        host = headers.get("Host", "")
        if not self._is_ours(_name_in(host)):
            return "this server does not go by the name that the request has for it"
        origin = headers.get("Origin")
        if origin is not None and origin.lower() not in {f"http://{host.lower()}", f"https://{host.lower()}"}:
            return "the request comes from another site"
        if headers.get("Sec-Fetch-Site", "none") not in _SAME and headers.get("Sec-Fetch-Mode") != "navigate":
            return "the request comes from another site"
        return ""

    def is_token(self, given: str) -> bool:
        """Returns whether that is the token; how long it takes says nothing about it."""
        return bool(self.token) and hmac.compare_digest(given.encode(errors="replace"), self.token.encode())

    def admits(self, headers: Mapping[str, str], cookie: str) -> bool:
        """Returns whether a request has the token, where one is asked for.

        Args:
            headers: of the request.
            cookie: the name of the cookie that has it.
        """
        if not self.token:
            return True
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return True
        try:
            found = SimpleCookie(headers.get("Cookie", "")).get(cookie)
        except CookieError:
            return False
        return found is not None and self.is_token(found.value)

    def _is_ours(self, name: str) -> bool:
        """Returns whether a name or an address is this machine's; an address cannot be rebound."""
        if name.lower() in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._loopback


def _name_in(host: str) -> str:
    """Returns the name of a Host header without the port, which a tunnel changes."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names() -> set[str]:
    """Returns the names of this machine."""
    return {socket.gethostname().lower(), socket.gethostname().partition(".")[0].lower()} - {""}
