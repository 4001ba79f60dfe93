"""What cannot be shown ends no work: pipes that close, full disks behind them, letters that a terminal lacks."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from metastruct.commands import main
from metastruct.config.folders import at_home
from metastruct.running.output import Patient, patient
from metastruct.runs.files import write_atomically

COMMAND = (
    "from metastruct.running.output import patient\nwith patient():\n    print('{}' * 9, flush=True)\n    print(2)\n"
)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "command",
    ["{} | true", "{} > /dev/full", "{} >&-", "PYTHONIOENCODING=ascii {} > /dev/null", "MPLBACKEND=nix {} > /dev/null"],
)
def test_a_process_ends_well_whoever_reads_it(command, tmp_path):
    (tmp_path / "it.py").write_text(COMMAND.format("\u2026") + "import matplotlib\nopen('done', 'w')\n")
    line = command.format(f"{sys.executable} it.py") + "; exit ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "done").exists()


def test_without_patience_it_does_not(tmp_path):
    line = f"{sys.executable} -c 'print(1, flush=True)' > /dev/full"
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=False).returncode != 0


class Full(io.StringIO):
    """Takes nothing."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_stream_takes_what_it_can_and_is_what_it_was(monkeypatch):
    assert Patient(Full()).write("abc") == 3
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    with patient():
        assert not sys.stdout.isatty()
        print("abc")
    assert sys.stdout is stream
    assert stream.getvalue() == "abc\n"


def test_a_mistake_is_one_whoever_reads_the_output(capsys):
    with pytest.raises(SystemExit) as end:
        main(["inspect", "nowhere"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: nowhere")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("outputs=~/runs", "outputs=/home/me/runs"),
        ("~/runs", "/home/me/runs"),
        ("--output=~", "--output=/home/me"),
        ("~trainer", "~trainer"),
        ("a~/b", "a~/b"),
        ("net.width=~3", "net.width=~3"),
    ],
)
def test_a_tilde_is_the_home_folder(word, expected, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert at_home(word) == expected


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_files_are_for_those_whom_the_user_lets_read(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
