"""Files of arrays: what is none reads as none, whatever is wrong with it."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from metastruct.runs import arrays
from metastruct.runs.arrays import read_arrays


def of_parts(parts: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


WHOLE = of_parts({"x.npy": saved(np.arange(3.0))}, zipfile.ZIP_DEFLATED)
BROKEN = {
    "nothing": b"",
    "no zip": b"x" * 100,
    "no parts": of_parts({}),
    "half": WHOLE[:-9],
    "a single array": saved(np.ones(2)),
    "a part that is no array": of_parts({"x.npy": b"hello"}),
    "a part beside arrays": of_parts({"readme.txt": b"hello"}),
    "a header that is no Python": of_parts({"x.npy": header("{'descr': \n")}),
    "a header that calls": of_parts({"x.npy": header("__import__('os').getpid()\n")}),
    "a header without a shape": of_parts({"x.npy": header("{'descr': '<f8', 'fortran_order': False}\n")}),
    "a shape without end": of_parts(
        {"x.npy": header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**40,)}\n")}
    ),
    "more numbers than there are": of_parts(
        {"x.npy": header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n")}
    ),
    "a negative shape": of_parts({"x.npy": header("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }\n")}),
    "a packing that nobody knows": WHOLE.replace(b"\x08\x00", b"\x63\x00"),
    "a lock": WHOLE.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
}


def test_arrays_are_read():
    assert read_arrays(WHOLE)["x"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_no_file_of_arrays_is_none(content):
    assert content != WHOLE
    assert read_arrays(content) is None


def test_nor_is_one_with_any_byte_changed_anything_worse_than_none():
    for place in range(len(WHOLE)):
        for value in (0, 1, 255):
            changed = WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :]
            read = read_arrays(changed)
            assert read is None or all(isinstance(array, np.ndarray) for array in read.values())


def test_a_file_that_would_fill_the_memory_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(arrays, "MOST", 10**6)
    small = of_parts({"x.npy": saved(np.zeros(10**6))}, zipfile.ZIP_DEFLATED)
    assert len(small) < 10**5
    monkeypatch.setattr(np, "load", None)  # which is not asked
    assert read_arrays(small) is None
