"""Advice as a file of JSON, and back."""

from dataclasses import asdict, replace
from pathlib import Path

import msgspec

from loopstall.errors import InputError
from loopstall.records import FORMAT, SCHEMA_VERSION, Advice
from loopstall.records.cells import dispatch_named, strategy_shown
from loopstall.records.encoding import encode

__all__ = ["read", "to_json", "write"]

_KIND = "advice"


def to_json(advice: Advice) -> str:
    """Renders advice as JSON."""
    document = {"format": FORMAT, "kind": _KIND, "version": SCHEMA_VERSION, **asdict(advice)}
    return f"{msgspec.json.format(encode(document), indent=1).decode()}\n"


def write(advice: Advice, path: Path) -> None:
    """Writes advice to a file.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.write_text(to_json(advice), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another place with -o") from error


def read(path: Path) -> Advice:
    """Reads what ``write`` wrote.

    Raises:
        InputError: it cannot be read or is something else.
    """
    try:
        document = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from error
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} is not JSON ({error}); give what `loopstall advise -o` wrote") from error
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise InputError(f"{path} holds no advice; give what `loopstall advise -o` wrote")
    if document.get("version") != SCHEMA_VERSION:
        raise InputError(f"{path} is of version {document.get('version')}; this loopstall reads {SCHEMA_VERSION}")
    try:
        found = msgspec.convert(document, type=Advice)
    except msgspec.ValidationError as error:
        raise InputError(f"{path} is damaged: {error}; let `loopstall advise -o` write it again") from error
    ways = tuple(replace(way, strategy=strategy_shown(way.strategy)) for way in found.ways)
    return replace(found, choice=dispatch_named(found.choice), ways=ways)  # older versions say "native"
