"""Where CPython keeps things: as its headers tell, and as this process' own memory has it."""

import ctypes
import os
from pathlib import Path
import shutil
import struct
import subprocess
import sys
import sysconfig

import pytest

from loopstall.monitor.gil import FREE_THREADED
from loopstall.monitor.layout import WIDTH_BITS, Fields, Layout, UnknownLayoutError
from loopstall.monitor.layout_tables import OFFSETS
from loopstall.monitor.process_memory import ProcessMemory

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or sys.implementation.name != "cpython", reason="reads CPython on Linux"
)
SOURCE = Path(__file__).with_name("offsets.c")
TEXTS = [chr(letter) * 2 for letter in (0x61, 0xE9, 0x151, 0x1F40D)]
"""ASCII, and of one, two and four bytes a letter."""


@pytest.fixture
def memory():
    return ProcessMemory(os.getpid())


@pytest.fixture
def own(memory):
    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    return Layout(memory.read, runtime, sys.version_info[:2], free_threaded=FREE_THREADED)


def test_offsets_are_those_of_the_headers(own, tmp_path):
    include = Path(sysconfig.get_path("include"))
    if shutil.which("cc") is None or not (include / "internal" / "pycore_runtime.h").exists():
        pytest.skip("there is no C compiler, or CPython's internal headers are not there")
    program = tmp_path / "offsets"
    command = ["cc", "-w", f"-I{include}", f"-I{include / 'internal'}", SOURCE, "-o", program]
    subprocess.run(command, check=True, capture_output=True)
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    told = {name: int(value) for name, value in map(str.split, lines)}
    assert told.pop("gil.size") == own.gil_bytes
    assert told.pop("unicode.compact_size") == own["unicode.asciiobject_size"] + own.compact_bytes
    assert told == OFFSETS.get(sys.version_info[:2], {})


def test_state_and_letters_of_texts_are_where_they_should_be(own, memory):
    states = [int.from_bytes(memory.read(id(text) + own["unicode.state"], 4), "little") for text in TEXTS]
    assert [state >> own.width_at & WIDTH_BITS for state in states] == [0b10001, 0b00001, 0b00010, 0b00100]
    begin = own["unicode.asciiobject_size"]
    assert memory.read(id(TEXTS[0]) + begin, 2) == b"aa"
    assert memory.read(id(TEXTS[3]) + begin + own.compact_bytes, 8).decode("utf-32-le") == TEXTS[3]


def test_layout_of_another_version_is_not_believed(memory):
    told = b"xdebugpy" + (0x030D00F0).to_bytes(8, "little") + bytes(8) + bytes(2000)
    kept = ctypes.create_string_buffer(told)
    at = ctypes.addressof(kept)
    assert Layout(memory.read, at, (3, 13), free_threaded=False)["frame.owner"] == 0
    for version, free_threaded in (((3, 13), True), ((3, 14), False), ((3, 10), False)):
        with pytest.raises(UnknownLayoutError):
            Layout(memory.read, at, version, free_threaded=free_threaded)
    with pytest.raises(UnknownLayoutError):
        Layout(lambda address, size: memory.read(address, min(size, 100)), at, (3, 13), free_threaded=False)
    with pytest.raises(UnknownLayoutError):
        Layout(memory.read, 8, (3, 13), free_threaded=False)


def test_fields_are_read_in_the_order_in_which_they_are_named_wherever_they_lie():
    read = Fields((9, "B"), (0, "Q"), (12, "I"))
    raw = struct.pack("<3xQBBxxI", 1, 2, 3, 4)
    assert read(raw, 3) == (3, 1, 4)


def test_fields_upon_each_other_are_of_no_layout():
    with pytest.raises(UnknownLayoutError):
        Fields((0, "Q"), (4, "I"))
