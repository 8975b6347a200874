"""Who looks at the loops of a session, and what is said where somebody else does."""

from own_tests import run
import pytest

TEST = """
def test_sleeps():
    async def main():
        await asyncio.sleep(0.01)
        time.sleep(0.05)
        await asyncio.sleep(0)
    asyncio.run(main())
"""
SAID = "LOOPSTALL_SAMPLER is none of auto, outside, inside, but 'elsewhere': taken for auto"


def session(folder, *words, **environ):
    return run(folder, TEST, "--stall-budget", "60s", *words, **environ)


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")])
def test_what_a_session_could_not_do_is_said_once(tmp_path, workers):
    done = session(tmp_path, *workers, LOOPSTALL_SAMPLER="elsewhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(SAID) == 1


def test_sampler_is_chosen_by_an_option(tmp_path):
    done = session(tmp_path, "--stall-sampler", "inside", LOOPSTALL_SAMPLER="elsewhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert SAID not in done.stdout
    assert "test_own.py:13 in " in done.stdout


@pytest.mark.once
def test_wrong_sampler_is_refused(tmp_path):
    done = session(tmp_path, "--stall-sampler", "elsewhere")
    assert done.returncode == 4
    assert "--stall-sampler must be one of auto, outside, inside, not 'elsewhere'" in done.stdout + done.stderr
