"""What time, disks and people do to files: told in a line, set aside and made again; nothing finished is lost."""

from __future__ import annotations

import errno
import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from metastruct.running.command_line import one_line
from metastruct.running.experiment import run
from metastruct.runs import files
from metastruct.runs.files import sum_file
from metastruct.runs.folder import RunFolder
from metastruct.runs.tables import read_records

Damage = Callable[[bytes], bytes]


def foreign(content: bytes) -> bytes:
    """Something of the same format that another program left."""
    buffer = io.BytesIO()
    if content[:2] == b"PK":
        try:
            torch.load(io.BytesIO(content), weights_only=True)
            torch.save({"another": torch.ones(2)}, buffer)
        except Exception:
            np.savez(buffer, another=np.ones(2))
        return buffer.getvalue()
    return b"{}\n"


DAMAGE: dict[str, Damage] = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"abc\n",
    "of another version": lambda content: b'{"records": 26, "version": 1}\n',
    "foreign with the right sum": foreign,
}
FILES = {  # by where they lie in an outputs folder
    "metrics": "pendulum-*/metrics.json",
    "records": "pendulum-*/records.csv",
    "configuration": "pendulum-*/config.yaml",
    "model of the run": "pendulum-*/model.ckpt",
    "its sum": "pendulum-*/model.ckpt.sha256",
    "evaluation": "pendulum-*/evaluation.npz",
    "model of the training": "training/*/model.ckpt",
    "sum of that": "training/*/model.ckpt.sha256",
    "training data": "data/*-train-*.npz",
    "test data": "data/*-test-*.npz",
    "sum of the test data": "data/*-test-*.npz.sha256",
}
UNSEEN = ("model of the run", "foreign with the right sum")  # by a command that only shows results; load tells it


def values(folder: RunFolder) -> list[tuple[str, ...]]:
    rows = read_records([folder.records])
    return [tuple(row[name] for name in ("task", "metric", "component", "value")) for row in rows]


@pytest.mark.few(3)
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_set_aside_and_made_again(tiny, first_run, tmp_path, capsys, name, damage):
    outputs = tmp_path / "outputs"
    shutil.copytree(first_run[1], outputs)
    (path,) = outputs.glob(FILES[name])
    content = DAMAGE[damage](path.read_bytes())
    path.write_bytes(content)
    if damage.endswith("right sum") and sum_file(path).exists():
        sum_file(path).write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")
    if not FILES[name].startswith("pendulum"):  # which nobody looks at while the run is there
        shutil.rmtree(outputs / first_run[0].path.name)
    if FILES[name].startswith("data"):
        shutil.rmtree(outputs / "training")
    again = run(tiny(outputs))
    said = " ".join(capsys.readouterr().out.split())
    assert values(again) == values(first_run[0])
    if (name, damage) != UNSEEN:
        owner = path.with_name(path.name.removesuffix(".sha256"))
        assert owner.name in said
        assert "set aside as" in said
        assert [*owner.parent.glob(f"{owner.name}.damaged*")]
        assert owner.exists()


def test_what_is_whole_is_not_made_again(tiny, first_run, tmp_path, capsys):
    shutil.copytree(first_run[1], tmp_path / "outputs")
    run(tiny(tmp_path / "outputs"))
    assert "finished before" in capsys.readouterr().out
    assert not [*tmp_path.rglob("*.damaged*")]


class Disk:
    """Takes so many writes, then half of one."""

    def __init__(self, room: int):
        self.room, self.whole = room, files._write

    def write(self, path: Path, content: bytes | str) -> None:
        if self.room == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.1-0123abcd").write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= 1
        self.whole(path, content)


@pytest.mark.few(1)
@pytest.mark.parametrize("room", range(15))
def test_a_disk_that_is_full_at_any_write_is_named_and_the_run_goes_on(tiny, first_run, tmp_path, monkeypatch, room):
    words = ("trainer.checkpoint_seconds=0",)
    with monkeypatch.context() as patch:
        patch.setattr(files, "_write", Disk(room).write)
        with pytest.raises(OSError, match="No space left") as refused:
            run(tiny(tmp_path / "outputs", *words))
    told = one_line(refused.value)
    assert str(tmp_path / "outputs") in told
    assert told.endswith("make room, and the same command goes on")
    assert not [*tmp_path.rglob("metrics.json")]
    assert values(run(tiny(tmp_path / "outputs", *words))) == values(first_run[0])
