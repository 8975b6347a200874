"""The answer of the servers that speak HTTP by themselves."""

import pytest

from loopstall.servers.answer import Answer


def done_for(target, job):
    """The status line and the body that a request is answered with."""
    with Answer(f"GET {target} HTTP/1.1\r\nHost: here\r\n\r\n".encode()) as answer:
        if answer.seed is not None:
            job(answer.seed)
    head, _, body = answer.reply.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return head.splitlines()[0], body


def test_light_route_does_no_job():
    seeds = []
    assert done_for("/light", seeds.append) == (b"HTTP/1.1 200 OK", b"done")
    assert seeds == []


def test_heavy_route_does_the_job_of_its_seed():
    seeds = []
    assert done_for("/heavy?seed=7", seeds.append) == (b"HTTP/1.1 200 OK", b"done")
    assert seeds == [7]


@pytest.mark.parametrize(
    ("target", "told"), [("/heavy?seed=0", "ZeroDivisionError: "), ("/heavy?seed=x", "ValueError: ")]
)
def test_job_that_fails_is_answered_so_and_its_error_told(target, told, capsys):
    status = (b"HTTP/1.1 500 Internal Server Error", b"failed")
    assert done_for(target, lambda seed: 1 // seed) == status
    assert capsys.readouterr().err.startswith(told)


def test_what_ends_a_server_ends_it_in_a_job_as_well():
    with pytest.raises(KeyboardInterrupt), Answer(b"GET /heavy?seed=1 HTTP/1.1\r\n\r\n"):
        raise KeyboardInterrupt


def test_request_is_named_by_its_path_alone():
    assert Answer(b"GET /heavy?seed=1 HTTP/1.1\r\n\r\n").path == "/heavy"
