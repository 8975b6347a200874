"""A name that is looked up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
import socket
import struct
import subprocess
import sys

from loopstall import workload

_ANSWER_LIMIT_S = 5.0  # as the resolver of libc has it
_HEADER = struct.Struct("!6H")
_NO_SUCH_HOST = 3
_SERVER = """
import asyncio, sys

class NoSuchHost(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, query, client):
        answer = query[:2] + b"\\x81\\x83" + query[4:]
        asyncio.get_running_loop().call_later(float(sys.argv[1]), self.transport.sendto, answer, client)

async def main():
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NoSuchHost, ("127.0.0.1", 0))
    print(transport.get_extra_info("sockname")[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


@workload(params={"wait": [0.01]}, on_request=True)
def dns_probe(seed: int, *, wait: float, port: int) -> str:  # noqa: ARG001  # the server waits
    """A query for a name to a name server that takes its time, over a socket that blocks.

    Stands for `socket.getaddrinfo` in a health check, a webhook, any client that resolves a name before it connects:
    the resolver is C code that waits for the network, for seconds where a name server is away. It asks whichever server
    the machine is set up with, and that one would be measured; so the query is written out here (a packet over UDP, and
    its answer) and goes to a server in a process of its own, which says after `wait` seconds that there is no such
    host. The async version asks in a thread of the default executor, as `loop.getaddrinfo` does. A right answer is that
    there is no such host.
    """
    return _look_up(f"host-{seed % 1000}.invalid", seed, port)


@dns_probe.async_version()
async def _(seed: int, *, wait: float, port: int) -> str:  # noqa: ARG001
    name = f"host-{seed % 1000}.invalid"
    return await asyncio.get_running_loop().run_in_executor(None, _look_up, name, seed, port)


def _look_up(name: str, seed: int, port: int) -> str:
    number = seed & 0xFFFF
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = _HEADER.pack(number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)  # an A record, please
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(_ANSWER_LIMIT_S)
        wire.connect(("127.0.0.1", port))
        wire.send(query)
        answered, flags, *_ = _HEADER.unpack_from(wire.recv(512))
    return "no such host" if answered == number and flags & 0xF == _NO_SUCH_HOST else "something else"


@dns_probe.context
@contextmanager
def _(seed: int, *, wait: float) -> Iterator[dict[str, int]]:  # noqa: ARG001
    server = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SERVER, str(wait)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield {"port": int(server.stdout.readline())}
    finally:
        server.kill()
        server.communicate()


@dns_probe.verify
def _(result: object, seed: int, **_: object) -> bool:  # noqa: ARG001
    return result == "no such host"
