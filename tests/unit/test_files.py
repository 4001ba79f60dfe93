from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import subprocess
import sys

import pytest

from metastruct.runs import files
from metastruct.runs.files import (
    is_locked,
    locked,
    locked_if_free,
    read_checked,
    set_aside,
    sum_file,
    write_atomically,
    write_checked,
)
from metastruct.runs.refusals import Unwritten, in_words

HOLDER = """
import sys
from pathlib import Path
from metastruct.runs.files import locked
with locked(Path(sys.argv[1]), lambda: print("waiting", flush=True)):
    print("inside", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path):
    """Another process that takes the lock of tmp_path, says so, and holds it until its input ends."""
    started = []

    def start() -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("content", ["text of 5 \u03bb\n", b"\x00\xff bytes"])
def test_what_is_written_is_read_and_nothing_else_is_left(tmp_path, content):
    path = tmp_path / "new" / "file"
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(path.parent) == {"file"}
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("stage", ["fsync", "replace"])
def test_a_write_that_is_interrupted_leaves_the_old_content(tmp_path, monkeypatch, stage):
    path = tmp_path / "file"
    write_atomically(path, "old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, stage, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == {"file"}


def test_the_target_is_never_open_for_writing(tmp_path):
    # a reader that opened the old file goes on reading the old content
    path = tmp_path / "file"
    write_atomically(path, "old")
    with open(path) as reader:
        write_atomically(path, "new and longer")
        assert reader.read() == "old"
    assert path.read_text() == "new and longer"


def test_a_checked_file_is_read_back(tmp_path):
    path = tmp_path / "file"
    assert read_checked(path) is None
    write_checked(path, b"content")
    assert read_checked(path) == b"content"
    write_checked(path, b"other")
    assert read_checked(path) == b"other"


@pytest.mark.parametrize("damaged", [b"conten", b"Content", b"content ", b""])
def test_a_checked_file_that_was_changed_reads_as_missing(tmp_path, damaged):
    path = tmp_path / "file"
    write_checked(path, b"content")
    path.write_bytes(damaged)
    assert read_checked(path) is None


@pytest.mark.parametrize("damaged", [None, b"", b"\xff", b"0" * 64, b"\n"])
def test_a_checked_file_without_its_sum_reads_as_missing(tmp_path, damaged):
    path = tmp_path / "file"
    write_checked(path, b"content")
    sum_file(path).unlink() if damaged is None else sum_file(path).write_bytes(damaged)
    assert read_checked(path) is None


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_the_sum_is_what_sha256sum_checks(tmp_path):
    path = tmp_path / "file"
    write_checked(path, b"content")
    check = ["sha256sum", "--check", "--strict", sum_file(path).name]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 0
    path.write_bytes(b"Content")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode != 0


def test_a_second_process_waits_for_the_lock(tmp_path, other_process):
    with locked(tmp_path, pytest.fail):
        second = other_process()
        assert second.stdout.readline() == b"waiting\n"
        said_more, _, _ = select.select([second.stdout], [], [], 0.2)
        assert not said_more
    assert second.stdout.readline() == b"inside\n"


def test_kill_9_of_the_holder_frees_the_lock(tmp_path, other_process):
    holder, waited = other_process(), []
    assert holder.stdout.readline() == b"inside\n"

    def kill_the_holder() -> None:
        waited.append(holder.poll())
        holder.send_signal(signal.SIGKILL)

    with locked(tmp_path, kill_the_holder):
        assert waited == [None]  # it was alive and had the lock


def test_an_error_inside_frees_the_lock(tmp_path):
    with pytest.raises(ValueError, match="inside"), locked(tmp_path, pytest.fail):
        raise ValueError("inside")
    with locked(tmp_path, pytest.fail):
        assert names(tmp_path) == {".lock"}


def test_a_lock_that_another_holds_is_not_waited_for(tmp_path):
    with locked_if_free(tmp_path) as first:
        assert first
        assert is_locked(tmp_path)
        with locked_if_free(tmp_path) as second:
            assert not second
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_a_device_is_never_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="something that is no file is there"):
        write_atomically(tmp_path / "pipe", "x")
    assert not (tmp_path / "pipe").is_file()
    assert names(tmp_path) == {"pipe"}


def test_what_a_killed_process_left_is_swept_away_by_the_next_owner_of_the_lock(tmp_path):
    old, fresh, other = (tmp_path / name for name in (".a.csv.12-0123abcd", ".b.csv.13-0123abcd", ".hidden"))
    for path in (old, fresh, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))
    with locked(tmp_path, lambda: None):
        assert names(tmp_path) == {".lock", fresh.name, other.name}


def test_a_damaged_file_is_set_aside_and_never_over_another(tmp_path):
    path = tmp_path / "model.ckpt"
    for number in ("", "1", "2"):
        write_checked(path, number.encode())
        assert set_aside(path).name == f"model.ckpt.damaged{number}"
    assert names(tmp_path) == {"model.ckpt.damaged", "model.ckpt.damaged1", "model.ckpt.damaged2"}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, number):
    def none(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("metastruct.runs.files.fcntl.flock", none)
    with pytest.raises(OSError, match="no lock") as refused, locked(tmp_path, lambda: None):
        pass
    assert in_words(refused.value).endswith("; put outputs= on a file system that has locks")
    assert str(tmp_path) in in_words(refused.value)


def test_a_sum_that_cannot_be_written_leaves_nothing_that_looks_damaged(tmp_path, monkeypatch):
    whole = files._write

    def refuses(path, content):
        if path.suffix == ".sha256":
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, content)

    monkeypatch.setattr(files, "_write", refuses)
    with pytest.raises(Unwritten, match="No space left"):
        files.write_checked(tmp_path / "file", b"content")
    assert not [*tmp_path.iterdir()]
