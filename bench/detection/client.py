"""The client of the echo server, in a process of its own: so many requests, so many at a time."""

import os
import socket
import sys


def main() -> None:
    """Reads "port connections requests" from stdin, line by line, and says when all have been answered."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    opened: dict[str, list[socket.socket]] = {}
    for line in sys.stdin:
        port, connections, requests = line.split()
        known = opened.setdefault(port, [])
        while len(known) < int(connections):
            known.append(socket.create_connection(("127.0.0.1", int(port))))
            known[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(int(requests) // int(connections)):
            for connection in known[: int(connections)]:
                connection.sendall(b"ping")
            for connection in known[: int(connections)]:
                connection.recv(100)
        print("done", flush=True)


if __name__ == "__main__":
    main()
