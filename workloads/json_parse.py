"""A big answer in JSON."""

from functools import lru_cache
import json

from loopstall import workload


@lru_cache(maxsize=8)
def _text(kind: int, records: int) -> str:
    return json.dumps([{"id": number, "name": f"item {number}", "price": number + kind} for number in range(records)])


@workload(params={"records": [10_000]}, on_request=True)
def json_parse(seed: int, *, records: int) -> int:
    """A big JSON text that is parsed on the loop.

    Stands for the answer of an upstream service, an uploaded export, a message of a queue. The parser is C code
    that keeps the GIL: threads do not help, processes pay for the way there and back. A right answer is the sum of
    a field.
    """
    return sum(record["price"] for record in json.loads(_text(seed % 4, records)))


@json_parse.verify
def _(result: object, seed: int, *, records: int) -> bool:
    return result == records * (records - 1) // 2 + records * (seed % 4)
