"""A password that is checked at login."""

from functools import lru_cache
import hashlib

from loopstall import workload

_USERS = 4


def _hash(seed: int, cost: int) -> str:
    return hashlib.scrypt(b"secret %d" % (seed % _USERS), salt=b"salt", n=cost, r=8, p=1, maxmem=2**28).hex()


_known = lru_cache(maxsize=64)(_hash)


@workload(params={"cost": [2**13]}, on_request=True)
def password_hash(seed: int, *, cost: int) -> str:
    """scrypt, as a login hashes the password that it was sent.

    Stands for `bcrypt`, `argon2` and `scrypt` in an `async def`. It is made to be slow, and it gives the GIL up
    while it computes: a thread is a way out. A right answer is the hash.
    """
    return _hash(seed, cost)


@password_hash.verify
def _(result: object, seed: int, *, cost: int) -> bool:
    return result == _known(seed % _USERS, cost)
