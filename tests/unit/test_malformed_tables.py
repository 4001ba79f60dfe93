"""Every file that cannot be read as trajectories is refused in one line: file, line, column, what came, the fix."""

from __future__ import annotations

import io
import os
import pickle
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metastruct.data.family import Family
from metastruct.data.tables.malformed import Malformed
from metastruct.data.tables.reading import content_of

GOOD = """member,trajectory,t,q,p,mass
a,1,0.0,1.0,0.0,2
a,1,0.1,0.9,-0.1,2
a,1,0.2,0.7,-0.2,2
a,2,0.0,2.0,0.0,2
a,2,0.1,1.8,-0.2,2
b,1,0.0,1.0,0.5,3
b,1,0.1,1.1,0.4,3
"""
Change = Callable[[str], str | bytes]


def swapped(old: str, new: str) -> Change:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def line(number: int, new: str | None) -> Change:
    """Another line, or none."""

    def change(text: str) -> str:
        lines = text.splitlines()
        lines[number - 1 : number] = [] if new is None else [new]
        return "\n".join(lines) + "\n"

    return change


TEXTS: dict[str, tuple[Change, str]] = {
    "empty": (lambda text: "", "bad.csv: must hold a table, got an empty file; write one row"),
    "blank": (lambda text: " \n\n", "bad.csv: must have a header and rows, got an empty file"),
    "header only": (lambda text: text.splitlines()[0], "must have rows below its header, got none"),
    "no header": (
        lambda text: "".join(line.partition(",")[2] + "\n" for line in text.splitlines()[1:]),
        "line 1: must begin with the names of its columns, got the numbers",
    ),
    "no column of a state": (line(1, "member,trajectory,t,q,x,mass"), "must have the column p of the states; "),
    "a state in capitals": (line(1, "member,trajectory,t,Q,p,mass"), "must have the column q .* did you mean Q?"),
    "no time": (line(1, "member,trajectory,x,q,p,mass"), "must have the column t of the time"),
    "time under another name": (line(1, "member,trajectory,time,q,p,mass"), "must have the column t of the time"),
    "no label": (line(1, "member,trajectory,t,q,p,weight"), "must have the column mass of the labels"),
    "a column twice": (line(1, "member,trajectory,t,q,q,mass"), "line 1, column q: is there twice; keep one"),
    "a column without a name": (line(1, "member,trajectory,t,q,p,"), "line 1: must name every column, got no name for"),
    "derivatives of one state": (line(1, "member,trajectory,t,q,p,dq"), "must have a column dp beside dq"),
    "text": (swapped("0.9", "nought"), "line 3, column q: must be a number, got 'nought'; write a number"),
    "text in time": (swapped("0.2", "later"), "line 4, column t: must be a number, got 'later'"),
    "text in a label": (swapped("-0.1,2", "-0.1,heavy"), "line 3, column mass: must be a number, got 'heavy'"),
    "a dash": (swapped("0.9", "-"), "line 3, column q: must be a number, got '-'"),
    "infinity": (swapped("0.9", "inf"), "line 3, column q: must be finite, got inf"),
    "minus infinity": (swapped("0.9", "-Infinity"), "line 3, column q: must be finite, got -Infinity"),
    "overflow": (swapped("0.9", "1e999"), "line 3, column q: must be finite, got 1e999"),
    "underscores": (swapped("0.9", "1_0"), "line 3, column q: must be a number, got '1_0'"),
    "digits of another script": (swapped("0.9", "٣"), "line 3, column q: must be a number"),
    "more digits than float64": (swapped("0.9", "9007199254740993"), "line 3, column q: .* float64 holds"),
    "a decimal comma": (
        lambda text: text.replace(",", ";").replace(".", ","),
        "line 2, column t: .*'0,0'; write a decimal point",
    ),
    "a decimal comma between commas": (
        swapped("0.9", "0,9"),
        "line 3: must have 6 cells as the header, got 7; .*decimal points",
    ),
    "thousands": (swapped("0.9", '"1,000"'), "line 3, column q: must be a number, got '1,000'; write a decimal point"),
    "a percentage": (
        swapped("0.9", "90%"),
        "line 3, column q: .*'90%'; write the number alone, and its unit in data.units",
    ),
    "a unit": (swapped("0.9", "0.9 rad"), "line 3, column q: .* its unit in data.units"),
    "units below the header": (
        swapped("\na,1,0.0", "\n-,-,s,rad,kg,kg\na,1,0.0"),
        "line 2, column t: must be a number, got 's'",
    ),
    "a formula": (swapped("0.9", "=A1+1"), "line 3, column q: .* write the value of the formula"),
    "hexadecimal": (swapped("0.9", "0x1f"), "line 3, column q: must be a number, got '0x1f'"),
    "a complex number": (swapped("0.9", "1+2j"), "line 3, column q: must be a number"),
    "dates": (swapped("a,1,0.0", "a,1,2024-01-31"), "line 2, column t: .*'2024-01-31'; write instants as numbers"),
    "clock times": (swapped("a,1,0.0", "a,1,12:30:01"), "line 2, column t: .*; write instants as numbers"),
    "no instant": (swapped("a,1,0.1", "a,1,"), "line 3, column t: must be the instant of the row, got nothing"),
    "no member": (swapped("a,1,0.1", ",1,0.1"), "line 3, column member: must be a name, got an empty cell"),
    "no trajectory": (swapped("a,1,0.1", "a,,0.1"), "line 3, column trajectory: must be a name, got an empty cell"),
    "a short row": (line(3, "a,1,0.1,0.9"), "line 3: must have 6 cells as the header, got 4"),
    "a long row": (line(3, "a,1,0.1,0.9,-0.1,2,7"), "line 3: must have 6 cells as the header, got 7"),
    "an open quote": (swapped("0.9", '"0.9'), "line 3: cannot be split into cells"),
    "a quote inside": (swapped("0.9", '"0.9"x'), "line 3: cannot be split into cells"),
    "a comment in front": (
        lambda text: "# from the lab\n" + text,
        "line 1: must begin with the names .* got the comment",
    ),
    "a comment below": (swapped("\nb,1,0.0", "\n# next\nb,1,0.0"), "line 7: must have 6 cells as the header, got 1"),
    "spaces between columns": (lambda text: text.replace(",", " "), "line 1: must have a separator between columns"),
    "a repeated header": (lambda text: text + text, "line 9, column t: must be a number, got 't'"),
    "UTF-16": (lambda text: text.encode("utf-16"), "must be text in UTF-8, got UTF-16; save it as CSV UTF-8"),
    "UTF-16 without a mark": (lambda text: text.encode("utf-16-le"), "line 1: must be text, got a zero byte"),
    "Latin-1": (
        lambda text: text.replace("b,1,0.1", "bär,1,0.1").encode("latin-1"),
        "line 8: must be text in UTF-8, got the byte 0xe4",
    ),
    "a zero byte": (swapped("0.9", "0.9\0"), "line 3: must be text, got a zero byte"),
    "bytes": (lambda text: b"\x89\x01\x02\xff" * 30, "line 1: must be text in UTF-8"),
    "compressed": (lambda text: b"\x1f\x8b\x08" + text.encode(), "must not be compressed, got gzip; unpack it"),
    "Parquet as CSV": (lambda text: b"PAR1" + text.encode(), r"bytes as of .parquet; rename it to .parquet"),
    "a spreadsheet as CSV": (
        lambda text: b"PK\x03\x04" + text.encode(),
        r"must be what its name says, got bytes as of .npz",
    ),
    "an instant twice": (
        swapped("a,1,0.2", "a,1,0.1"),
        "line 4, column t: must be an instant of its own of member a, trajectory 1, got 0.1 .* line 3",
    ),
    "an instant twice, far away": (
        lambda text: text + "a,1,0.0,5,5,2\n",
        "line 9, column t: .* with other values than line 2; keep one, or give",
    ),
    "a label that varies": (
        swapped("-0.2,2", "-0.2,4"),
        "line 4, column mass: .* of member a, got 2 at line 2 and 4; a label that changes is",
    ),
    "a label that is missing": (
        lambda text: text.replace(",3\n", ",\n"),
        "line 7, column mass: must be a number in a row of member b",
    ),
    "a member in two scripts of its number": (
        lambda text: text.replace("a,", "1,").replace("b,", "1.0,"),
        "member: must tell names apart, got '1' and '1.0'",
    ),
    "members that differ in case": (
        lambda text: text.replace("b,", "A,"),
        "member: must tell names apart, got 'a' and 'A'",
    ),
    "trajectories 1 and 01": (
        lambda text: text.replace("a,2,", "a,01,"),
        "column trajectory: must tell names apart, got '1' and '01'",
    ),
    "a member with gaps only": (
        lambda text: text.replace("1.0,0.5,3", ",0.5,3").replace("1.1,0.4", "1.1,"),
        "must have a row without gaps of member b, got none",
    ),
    "decreasing time without trajectories": (
        lambda text: "t,q,p,mass\n0.0,1,2,1\n0.2,2,2,1\n0.1,3,2,1\n",
        "line 4, column t: must increase along .*, got 0.1 after 0.2; sort the rows, or tell .* trajectory",
    ),
    "a very long cell": (swapped("0.9", "9" * 200_000), "line 3: cannot be split into cells .field larger"),
    "a very long word": (swapped("0.9", "x" * 5000), "line 3, column q: must be a number, got 'x{30}.*[.]{3}'"),
}


@pytest.mark.parametrize(("change", "told"), TEXTS.values(), ids=TEXTS.keys())
def test_a_malformed_text_is_refused_in_one_line_with_its_place_and_the_fix(tmp_path, change, told):
    content = change(GOOD)
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(path, told)


def refused(path: Path, told: str) -> None:
    with pytest.raises(Malformed) as error:
        Family.from_files(path, ["q", "p"], labels=["mass"])
    message = str(error.value)
    assert re.search(told, message), message
    assert "\n" not in message
    assert ";" in message, "what to do"
    assert len(message) < 400


def test_the_text_that_the_others_are_made_of_is_read(tmp_path):
    (tmp_path / "good.csv").write_text(GOOD)
    family = Family.from_files(tmp_path / "good.csv", ["q", "p"], labels=["mass"])
    assert [len(member.trajectories) for member in family.members] == [2, 1]
    assert family.report == ()


# Binary formats


def columns(**other: Any) -> dict[str, Any]:
    lines = [line.split(",") for line in GOOD.splitlines()]
    table: dict[str, Any] = dict(zip(lines[0], map(list, zip(*lines[1:], strict=True)), strict=True))
    numbers = {name: np.array(table[name], dtype=float) for name in ("t", "q", "p", "mass")}
    words = {name: np.array(table[name]) for name in ("member", "trajectory")}
    return words | numbers | other


def as_npz(**other: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **columns(**other))
    return buffer.getvalue()


def as_parquet(**other: Any) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(arrow.table(columns(**other)), buffer)
    return buffer.getvalue()


def as_hdf5(change: Callable[[Any], Any] = lambda root: None, **other: Any) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as root:
        for name, values in columns(**other).items():
            root[name] = values.astype("S") if values.dtype.kind == "U" else values
        change(root)
    return buffer.getvalue()


def zipped(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


class Trap:
    """Leaves a trace where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def external(root: Any) -> None:
    import h5py

    del root["q"]
    root["q"] = h5py.ExternalLink("/etc/passwd", "/q")


def virtual(root: Any) -> None:
    import h5py

    del root["q"]
    layout = h5py.VirtualLayout(shape=(7,), dtype=float)
    layout[:] = h5py.VirtualSource("/etc/other.h5", "q", shape=(7,))
    root.create_virtual_dataset("q", layout)


def outside(root: Any) -> None:
    del root["q"]
    root.create_dataset("q", shape=(7,), dtype=float, external=[("/etc/passwd", 0, 56)])


def soft(root: Any) -> None:
    import h5py

    del root["q"]
    root["q"] = h5py.SoftLink("/p")


def nested(root: Any) -> None:
    root.create_group("q2")["x"] = 1
    root.move("q", "inner/q")


def lists() -> Any:
    import pyarrow as arrow

    return arrow.array([[1.0]] * 7)


def dates() -> Any:
    import pyarrow as arrow

    return arrow.array(np.arange(7).astype("datetime64[s]"))


def decimals() -> Any:
    from decimal import Decimal

    import pyarrow as arrow

    return arrow.array([Decimal("1.5")] * 7)


SHORT = np.zeros(3)
BINARIES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "parquet, truncated": (
        "bad.parquet",
        lambda: as_parquet()[:-40],
        "must be a whole Parquet file, got a damaged one",
    ),
    "parquet, its head only": ("bad.parquet", lambda: b"PAR1", "must be a whole Parquet file, got a damaged one"),
    "parquet, altered": (
        "bad.parquet",
        lambda: b"PAR1" + bytes(200) + as_parquet()[204:-300] + bytes(300),
        "Parquet file, got a damaged",
    ),
    "parquet, text": (
        "bad.parquet",
        lambda: GOOD.encode(),
        "must begin as files that end in .parquet do, got b'member,t'",
    ),
    "parquet, dates": (
        "bad.parquet",
        lambda: as_parquet(t=dates()),
        "column t: .* got dates; write instants as numbers",
    ),
    "parquet, lists": (
        "bad.parquet",
        lambda: as_parquet(q=lists()),
        "column q: must be one number or word a row, got the type list",
    ),
    "parquet, decimals": (
        "bad.parquet",
        lambda: as_parquet(q=decimals()),
        "column q: must be one number .* got the type decimal",
    ),
    "parquet, truth values": ("bad.parquet", lambda: as_parquet(q=np.zeros(7, bool)), "column q: .* got the type bool"),
    "parquet, words": (
        "bad.parquet",
        lambda: as_parquet(q=np.array(["1", "2", "x", "4", "5", "6", "7"])),
        "row 3, column q: must be a number, got 'x'",
    ),
    "parquet, infinity": (
        "bad.parquet",
        lambda: as_parquet(q=np.array([0, 1, np.inf, 3, 4, 5, 6])),
        "row 3, column q: must be finite",
    ),
    "parquet, integers of more digits": (
        "bad.parquet",
        lambda: as_parquet(q=np.full(7, 2**53 + 1)),
        "row 1, column q: .* float64 holds",
    ),
    "hdf5, truncated": ("bad.h5", lambda: as_hdf5()[:900], "must be a whole HDF5 file, got a damaged one"),
    "hdf5, its head only": ("bad.h5", lambda: b"\x89HDF\r\n\x1a\n", "must be a whole HDF5 file"),
    "hdf5, text": ("bad.h5", lambda: GOOD.encode(), "must begin as files that end in .h5 do"),
    "hdf5, nested": ("bad.h5", lambda: as_hdf5(nested), "must be a column, got a group of 1; keep every column"),
    "hdf5, empty": (
        "bad.h5",
        lambda: as_hdf5(lambda root: [root.pop(name) for name in [*root]]),
        "must have columns, got none",
    ),
    "hdf5, a link to another file": ("bad.h5", lambda: as_hdf5(external), "column q: must hold its data, got a link"),
    "hdf5, a soft link": ("bad.h5", lambda: as_hdf5(soft), "column q: must hold its data, got a link"),
    "hdf5, a virtual dataset": (
        "bad.h5",
        lambda: as_hdf5(virtual),
        "column q: must hold its data, got those of another file",
    ),
    "hdf5, a dataset of another file": (
        "bad.h5",
        lambda: as_hdf5(outside),
        "column q: must hold its data, got those of another file",
    ),
    "hdf5, two axes": (
        "bad.h5",
        lambda: as_hdf5(q=np.zeros((7, 2))),
        "column q: must be one number or word a row, got 2 axes",
    ),
    "hdf5, records": (
        "bad.h5",
        lambda: as_hdf5(q=np.zeros(7, [("a", float), ("b", float)])),
        "column q: .* got records of a, b",
    ),
    "hdf5, another length": ("bad.h5", lambda: as_hdf5(q=SHORT), "must have the .* rows of column .*, got"),
    "npz, truncated": ("bad.npz", lambda: as_npz()[:-30], "must be a whole NPZ file, got a damaged one"),
    "npz, altered": ("bad.npz", lambda: as_npz().replace(b"NUMPY", b"NUMPX", 1), "must be an array, got"),
    "npz, text": ("bad.npz", lambda: GOOD.encode(), "must begin as files that end in .npz do"),
    "npz, one array": ("bad.npz", lambda: npy(np.zeros(3)), "must begin as files that end in .npz do"),
    "npz, a pickle in an array": (
        "bad.npz",
        lambda: as_npz(q=np.array([Trap()] * 7, dtype=object)),
        "column q: must be numbers or words, got pickled objects",
    ),
    "npz, a bare pickle": ("bad.npz", lambda: zipped(("q.npy", pickle.dumps(Trap()))), "column q: must be .* got"),
    "npz, a pickle of a name of its own": (
        "bad.npz",
        lambda: zipped(("q.pkl", pickle.dumps(Trap()))),
        "must hold arrays alone, got q.pkl",
    ),
    "npz, another thing": (
        "bad.npz",
        lambda: zipped(("xl/workbook.xml", b"<x/>")),
        "must hold arrays alone, got xl/workbook.xml",
    ),
    "npz, an array twice": (
        "bad.npz",
        lambda: zipped(("q.npy", npy(SHORT)), ("q.npy", npy(SHORT))),
        "column q: is there twice",
    ),
    "npz, two axes": (
        "bad.npz",
        lambda: as_npz(q=np.zeros((7, 2))),
        r"column q: must be one number or word a row, got the shape \[7, 2\]",
    ),
    "npz, no axes": ("bad.npz", lambda: as_npz(q=np.array(1.0)), r"column q: .* got the shape \[\]"),
    "npz, records": ("bad.npz", lambda: as_npz(q=np.zeros(7, [("a", float)])), "column q: .* got records"),
    "npz, another length": (
        "bad.npz",
        lambda: as_npz(q=SHORT),
        "column q: must have the 7 rows of column member, got 3",
    ),
    "npz, complex": (
        "bad.npz",
        lambda: as_npz(q=np.zeros(7, complex)),
        "column q: must be numbers, got complex numbers",
    ),
    "npz, dates": (
        "bad.npz",
        lambda: as_npz(t=np.arange(7).astype("datetime64[s]")),
        "column t: must be numbers, got dates",
    ),
    "npz, time spans": (
        "bad.npz",
        lambda: as_npz(t=np.arange(7).astype("timedelta64[s]")),
        "column t: must be numbers, got time spans",
    ),
    "npz, truth values": (
        "bad.npz",
        lambda: as_npz(q=np.zeros(7, bool)),
        "column q: must be numbers, got truth values",
    ),
    "another suffix": ("bad.xlsx", lambda: as_npz(), "must end in one of .*, got '.xlsx'; write it as one of these"),
    "a compressed name": ("bad.csv.gz", lambda: b"\x1f\x8b", "must end in one of .*, got '.gz'"),
    "no suffix": ("bad", lambda: GOOD.encode(), "must end in one of .*, got none"),
}


@pytest.mark.parametrize(("name", "content", "told"), BINARIES.values(), ids=BINARIES.keys())
def test_a_malformed_binary_is_refused_and_nothing_in_it_is_executed(tmp_path, monkeypatch, name, content, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content())
    refused(tmp_path / name, told)
    assert not (tmp_path / "unpickled").exists()


def test_the_trap_of_these_tests_would_spring(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with np.load(io.BytesIO(as_npz(q=np.array([Trap()] * 7, dtype=object))), allow_pickle=True) as arrays:
        arrays["q"]
    assert (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("make", [as_npz, as_parquet, as_hdf5])
def test_the_binaries_that_the_others_are_made_of_are_read(tmp_path, make):
    (tmp_path / "good.csv").write_text(GOOD)
    path = tmp_path / {as_npz: "x.npz", as_parquet: "x.parquet", as_hdf5: "x.h5"}[make]
    path.write_bytes(make())
    one, other = (Family.from_files(p, ["q", "p"], labels=["mass"]) for p in (path, tmp_path / "good.csv"))
    assert one.as_npz() == other.as_npz()


# Paths


def loop(path: Path) -> Path:
    (path / "one.csv").symlink_to(path / "two.csv")
    (path / "two.csv").symlink_to(path / "one.csv")
    return path / "one.csv"


def folder(**files: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        for name, text in files.items():
            (path / name.replace("__", ".")).write_text(text)
        return path

    return make


def pipe(path: Path) -> Path:
    os.mkfifo(path / "pipe.csv")
    return path / "pipe.csv"


def looping(path: Path) -> Path:
    folder(good__csv=GOOD)(path)
    return loop(path).parent


ONE = "t,q,p,mass\n0,1,2,1\n1,2,2,1\n"
PATHS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no such path": (
        lambda path: path / "nix.csv",
        "must be there, got no such file or folder; check how",
    ),
    "below a file": (lambda path: folder(a__csv=ONE)(path) / "a.csv" / "b.csv", "got a file in the place of a folder"),
    "a folder without files": (folder(), "must hold files that end in .*, got none; write one file a member"),
    "a folder of other files": (folder(notes__md="x"), "must hold files that end in .*, got notes.md"),
    "a loop of links": (loop, "must lead to a file, got a loop of links; remove the links"),
    "a loop of links in a folder": (looping, "one.csv: must lead to a file, got a loop of links"),
    "a pipe": (pipe, "must be a file or a folder, got mode"),
    "one member in two files": (folder(a__csv=GOOD, b__csv=GOOD), "b.csv: must hold other members, got a as a.csv"),
    "two files of one stem": (folder(a__csv=ONE, a__txt=ONE), "a.txt: must hold other members, got a as a.csv"),
    "files of other columns": (
        folder(a__csv=ONE, b__csv=ONE.replace("p", "v")),
        "b.csv: must have the column p of the states",
    ),
    "derivatives in one file": (
        folder(a__csv=ONE, b__csv="t,q,p,mass,dq,dp\n0,1,2,1,0,0\n"),
        "b.csv: must have the same columns as a.csv",
    ),
    "one bad file of many": (
        folder(a__csv=ONE, b__csv=ONE.replace("2,2", "2,x")),
        "b.csv, line 3, column p: must be a number",
    ),
}


@pytest.mark.parametrize(("make", "told"), PATHS.values(), ids=PATHS.keys())
def test_a_path_without_trajectories_is_refused(tmp_path, make, told):
    refused(make(tmp_path), told)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = folder(a__csv=ONE)(tmp_path) / "a.csv"
    path.chmod(0)
    refused(path, "must be readable, got no permission")


def test_a_file_that_no_memory_holds_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.csv"
    with open(path, "wb") as file:
        file.truncate(2**42)
    refused(path, "must fit into memory, got 4,096.0 GiB")


@pytest.mark.parametrize(("name", "make"), [("bomb.parquet", as_parquet), ("bomb.h5", as_hdf5)])
def test_a_table_that_unpacks_to_more_than_memory_is_refused(tmp_path, monkeypatch, name, make):
    module = {"bomb.parquet": "parquet", "bomb.h5": "hdf5"}[name]
    monkeypatch.setattr(f"metastruct.data.tables.formats.{module}.LONGEST", 3)
    (tmp_path / name).write_bytes(make())
    refused(tmp_path / name, "must have at most 3 rows, got 7; split the file")


def test_a_dataset_that_claims_more_rows_than_memory_holds_is_refused(tmp_path):
    def huge(root: Any) -> None:
        del root["q"]
        root.create_dataset("q", shape=(2**40,), dtype=float, chunks=(1024,))

    (tmp_path / "bomb.h5").write_bytes(as_hdf5(huge))
    refused(tmp_path / "bomb.h5", "column q: must have at most 134,217,728 rows, got 1,099,511,627,776")


@pytest.mark.parametrize("missing", ["pyarrow", "h5py"])
def test_a_format_whose_library_is_missing_says_what_to_install(tmp_path, monkeypatch, missing):
    name, make = {"pyarrow": ("x.parquet", as_parquet), "h5py": ("x.h5", as_hdf5)}[missing]
    (tmp_path / name).write_bytes(make())
    monkeypatch.setitem(sys.modules, missing, None)
    refused(tmp_path / name, rf"needs {missing} to be read, which is not installed; pip install .metastruct.data")


def test_an_npz_that_unpacks_to_more_than_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("metastruct.data.tables.formats.npz.LARGEST", 100)
    (tmp_path / "bomb.npz").write_bytes(as_npz())
    refused(tmp_path / "bomb.npz", "must hold at most 100 bytes, got")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = folder(a__csv=ONE)(tmp_path) / "a.csv"
    before = content_of(path)
    path.write_text(ONE + "2,2,2,1\n")
    with pytest.raises(Malformed, match="must stay as it is while it is read"):
        Family.from_files(path, ["q", "p"], content=before)
    assert content_of(path) != before


def test_there_are_at_least_sixty_kinds():
    assert len(TEXTS) + len(BINARIES) + len(PATHS) >= 100
