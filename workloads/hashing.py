"""CPU hashing in the variants that differ in what they do to the GIL."""

from functools import lru_cache
import hashlib

from loopstall import workload

_MASK = 0xFFFFFFFF


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root_bits(number: int, power: int) -> int:
    """Returns the first 32 bits of the fraction of a number's square (2) or cube (3) root."""
    low, high = 0, number << 32
    while low < high:
        middle = (low + high + 1) // 2
        if middle**power <= number << (32 * power):
            low = middle
        else:
            high = middle - 1
    return low & _MASK


_START = [_root_bits(prime, 2) for prime in _primes(8)]
_ROUND = [_root_bits(prime, 3) for prime in _primes(64)]


def _rotate(word: int, by: int) -> int:
    return (word >> by | word << (32 - by)) & _MASK


def _sha256(message: bytes) -> str:
    """SHA-256 in pure Python, after FIPS 180-4."""
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + (len(message) * 8).to_bytes(8, "big")
    state = _START
    for offset in range(0, len(padded), 64):
        words = [int.from_bytes(padded[offset + i : offset + i + 4], "big") for i in range(0, 64, 4)]
        for i in range(16, 64):
            x, y = words[i - 15], words[i - 2]
            small = _rotate(x, 7) ^ _rotate(x, 18) ^ x >> 3
            large = _rotate(y, 17) ^ _rotate(y, 19) ^ y >> 10
            words.append((words[i - 16] + small + words[i - 7] + large) & _MASK)
        a, b, c, d, e, f, g, h = state
        for constant, word in zip(_ROUND, words, strict=True):
            mixed = h + (_rotate(e, 6) ^ _rotate(e, 11) ^ _rotate(e, 25)) + (e & f ^ ~e & g) + constant + word
            spread = (_rotate(a, 2) ^ _rotate(a, 13) ^ _rotate(a, 22)) + (a & b ^ a & c ^ b & c)
            a, b, c, d, e, f, g, h = (mixed + spread) & _MASK, a, b, c, (d + mixed) & _MASK, e, f, g
        state = [(old + new) & _MASK for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)]
    return "".join(f"{word:08x}" for word in state)


@lru_cache(maxsize=4)
def _zeros(size: int) -> bytes:
    return bytes(size)


def _head(seed: int) -> bytes:
    """Returns the 16 bytes that make a seed's message its own; zeros follow, which cost nothing to make."""
    return seed.to_bytes(16, "big", signed=True)


def _many_small(seed: int, size: int, rounds: int) -> str:
    digest, buffer = hashlib.sha256(_head(seed)), _zeros(size)
    for _ in range(rounds):
        digest.update(buffer)
    return digest.hexdigest()


def _one_big(seed: int, size: int) -> str:
    digest = hashlib.sha256(_head(seed))
    digest.update(_zeros(size))
    return digest.hexdigest()


def _login(seed: int, size: int, rounds: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", _head(seed) + _zeros(size), b"salt", rounds).hex()


@workload(
    params=[
        {"variant": ["pure-python"], "bytes": [6_000], "rounds": [1]},
        {"variant": ["small-buffers"], "bytes": [64], "rounds": [60_000]},
        {"variant": ["big-buffer"], "bytes": [16_000_000], "rounds": [1]},
        {"variant": ["pbkdf2"], "bytes": [16], "rounds": [50_000]},
    ]
)
def hashing(seed: int, *, variant: str, bytes: int, rounds: int) -> str:  # noqa: A002  # the parameter's name
    """CPU work on the loop: checksums, signatures and logins, by what they do to the GIL.

    `pure-python` holds the GIL and gives it up every 5 ms when asked; `small-buffers` calls hashlib on buffers
    below 2,048 bytes, for which it keeps the GIL; `big-buffer` (an upload's checksum) and `pbkdf2` (a login)
    release it. Inline each one is the trap; on threads only those that release the GIL get out of it. `bytes` is
    the size of a buffer, `rounds` how many there are (for pbkdf2 its iterations). A right answer is the digest
    that hashlib gives in one call.
    """
    if variant == "pure-python":
        return _sha256(_head(seed) + _zeros(bytes * rounds))
    if variant == "small-buffers":
        return _many_small(seed, bytes, rounds)
    if variant == "big-buffer":
        return _one_big(seed, bytes * rounds)
    return _login(seed, bytes, rounds)


@lru_cache(maxsize=64)
def _expected(seed: int, variant: str, size: int, rounds: int) -> str:
    if variant == "pbkdf2":
        return _login(seed, size, rounds)
    return _one_big(seed, size * rounds)


@hashing.verify
def _(result: object, seed: int, *, variant: str, bytes: int, rounds: int) -> bool:  # noqa: A002
    return result == _expected(seed, variant, bytes, rounds)
