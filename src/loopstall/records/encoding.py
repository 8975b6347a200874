"""JSON of anything that a run may have met: lone surrogates, which UTF-8 has no bytes for, stand as escapes."""

from typing import Any

import msgspec

__all__ = ["encode"]


def encode(record: object) -> bytes:
    """Returns a record as JSON.

    File names that are not UTF-8 and text that a program has made can hold lone surrogates.
    """
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return msgspec.json.encode(_whole(msgspec.to_builtins(record)))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value
