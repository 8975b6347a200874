"""A name that is looked up."""

import asyncio
import socket

from loopstall import workload


def _name(seed: int) -> str:
    return f"host-{seed % 1000}.invalid"


@workload(params={"port": [443]}, on_request=True)
def dns_probe(seed: int, *, port: int) -> str:
    """`socket.getaddrinfo` on the loop, for a name under `.invalid`, which nobody has.

    Stands for a health check, a webhook, any client that resolves a name before it connects: the resolver is C
    code that waits for the network, for seconds where a name server is away. The async twin is `loop.getaddrinfo`,
    which asks in a thread. A right answer is that there is no such host.
    """
    try:
        return str(socket.getaddrinfo(_name(seed), port))
    except socket.gaierror:
        return "no such host"


@dns_probe.native()
async def _(seed: int, *, port: int) -> str:
    try:
        return str(await asyncio.get_running_loop().getaddrinfo(_name(seed), port))
    except socket.gaierror:
        return "no such host"


@dns_probe.verify
def _(result: object, seed: int, *, port: int) -> bool:  # noqa: ARG001
    return result == "no such host"
