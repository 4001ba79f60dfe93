"""A disk that is full or may not be written to, at any write of any command: one line with the path, and nothing lost.

The fault is under everything that Python writes by: folders, files that are opened for writing, and renames.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import metastruct
from metastruct.commands import main
from metastruct.config.facts import CONF
from metastruct.config.schema import ConfigError
from metastruct.runs.refusals import in_words

DATA = CONF.parent / "examples" / "pendulums.csv"
CODES = {
    errno.ENOSPC: "no space left on device",
    errno.EDQUOT: "disk quota exceeded",
    errno.EROFS: "read-only file system",
    errno.EACCES: "permission denied",
}
WRITES = 100  # more than any of the commands makes
RESUMED = 5  # after every so many of them the command is given again
TEXTS = (".csv", ".md", ".json", ".tex", ".html", ".py")
VOLATILE = ("provenance.json", "runs.csv", "metrics.json", "report.html", "worth.csv")  # hold dates and seconds


class Disk:
    """Lets so many writes below a folder through, and refuses the next one, and all after it."""

    def __init__(self, folder: Path, room: int, code: int):
        self.folder, self.room, self.code, self.refused = str(folder), room, code, ""

    def check(self, place: Any) -> None:
        """One write more."""
        if not isinstance(place, str | os.PathLike) or not os.path.abspath(place).startswith(self.folder):
            return
        if self.room == 0:
            self.refused = self.refused or os.fspath(place)
            raise OSError(self.code, os.strerror(self.code), os.fspath(place))
        self.room -= 1

    @contextmanager
    def full(self) -> Iterator[None]:
        """Under all that Python writes by."""
        with pytest.MonkeyPatch.context() as patch:
            for owner, name, asks in (
                (os, "mkdir", lambda *args, **_: not os.path.isdir(args[0])),
                (os, "replace", lambda *_, **__: True),
                (os, "open", lambda *args, **_: bool(args[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR))),
                (builtins, "open", writing),
                (io, "open", writing),
            ):
                self._under(patch, owner, name, asks)
            yield

    def _under(self, patch: pytest.MonkeyPatch, owner: Any, name: str, asks: Callable[..., bool]) -> None:
        whole = getattr(owner, name)

        def refusing(*args: Any, **settings: Any) -> Any:
            if asks(*args, **settings):
                self.check(args[1] if name == "replace" else args[0])
            return whole(*args, **settings)

        patch.setattr(owner, name, refusing)


def writing(file: Any, mode: str = "r", *_: Any, **__: Any) -> bool:
    return bool({*mode} & {*"wxa+"})


def files_of(folder: Path) -> dict[str, bytes]:
    """What stays the same of a command's results."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in TEXTS and path.name not in VOLATILE]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if not path.name.startswith(".")}


@pytest.fixture(scope="module")
def place(tiny_words, tmp_path_factory) -> Path:
    """A folder with a finished run of a file, that file, and the records of a table."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copy(DATA, folder / "new.csv")
    shutil.copytree(CONF.parent / "outputs/reference/ranks", folder / "record" / "ranks")
    words = [word for word in tiny_words if not word.startswith(("data.", "optimizer="))]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(["train", *words, "data=files", f"data.path={folder / 'new.csv'}", "data.states=[q,p]",
              "data.test_fraction=0.3", "optimizer=soap", "outputs=o"])  # fmt: skip
    (metrics,) = (folder / "o").glob("*/metrics.json")
    metrics.parent.rename(folder / "run")
    shutil.rmtree(folder / "o")
    return folder


@pytest.fixture(scope="module")
def undisturbed(place, tiny_words, tmp_path_factory) -> Callable[[str], dict[str, bytes]]:
    """The results of a command on a disk with room."""

    @cache
    def results(what: str) -> dict[str, bytes]:
        folder = tmp_path_factory.mktemp("undisturbed") / "here"
        shutil.copytree(place, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert ended(what, tiny_words) == (0, "")
        return files_of(folder)

    return results


def saved(name: str) -> Callable[[], object]:
    """A call of Python that writes."""
    model = metastruct.load("run")
    family = metastruct.Family.from_files("new.csv", ["q", "p"])
    member = model.adapt_many(model.observations(family))[0]
    return {
        "member.save": lambda: member.save("member.safetensors"),
        "member.export": lambda: member.export("field.py"),
        "metastruct.fit": lambda: metastruct.fit(family, steps=5, outputs="o", progress=False),
    }[name]


SWEEP = "train sweep"
COMMANDS = {
    "adapt": "adapt run new.csv --output adapted",
    "inspect": "inspect new.csv --figure picture.png",
    "worth": "worth run --without sindy,structureless,alone --output worth.csv",
    "report": "report record",
    "train": "train TINY outputs=o trainer.checkpoint_seconds=0",
    "train with figures": "train TINY outputs=o evaluation.figures=true",
    "train seeds": "train TINY outputs=o replicas=2",
    SWEEP: "train TINY outputs=o -m seed=0,1",
}
CALLS = ("member.save", "member.export", "metastruct.fit")
SOON = {("inspect", errno.ENOSPC), ("member.save", errno.EROFS)}
CASES = [
    pytest.param(what, code, marks=[] if (what, code) in SOON else pytest.mark.torture, id=f"{what}-{CODES[code]}")
    for what in (*COMMANDS, *CALLS)
    for code in CODES
]


def ended(what: str, tiny_words: tuple[str, ...]) -> tuple[int, str]:
    """Exit code of a command, 1 of a call that raised, and its one line, or nothing where it went well."""
    if what in CALLS:
        call = saved(what)
        try:
            call()
        except OSError as error:
            return 1, in_words(error)
        except ConfigError as error:  # before anything is made
            return 2, str(error)
        return 0, ""
    words = [part for word in COMMANDS[what].split() for part in (tiny_words if word == "TINY" else [word])]
    told, code = io.StringIO(), 0
    with redirect_stderr(told):
        try:
            main(words)
        except SystemExit as end:
            code = int(end.code or 0)
    lines = [line for line in told.getvalue().splitlines() if line.startswith(("error: ", "Traceback"))]
    if what == SWEEP and code:  # a line for each job that failed, and one that counts them
        assert len(lines) == 1 + int(re.fullmatch(r"error: (\d) jobs? failed: .*", lines.pop())[1]), told.getvalue()
        lines = lines[:1]
    assert len(lines) == (code != 0), told.getvalue()
    return code, "".join(lines)


def names(told: str, refused: str) -> bool:
    """Does a line hold the path that was refused? Its temporary name is no user's, nor is a trial beside the place."""
    hidden = re.fullmatch(r"\.(.+)\.\d+-[0-9a-f]{8}", Path(refused).name)
    name = hidden[1] if hidden else Path(refused).name
    return name in told or Path(refused).resolve() == Path.cwd()


@pytest.mark.parametrize(("what", "code"), CASES)
def test_what_cannot_be_written_is_told_in_one_line_and_the_same_command_goes_on(
    place, undisturbed, tiny_words, tmp_path, monkeypatch, what, code
):
    expected = undisturbed(what)
    for room in range(0, WRITES, 1 if code == errno.ENOSPC or what not in COMMANDS else 6):
        here = tmp_path / f"here{room}"
        shutil.copytree(place, here)
        monkeypatch.chdir(here)
        disk = Disk(here, room, code)
        with disk.full():
            status, told = ended(what, tiny_words)
        if not disk.refused:
            assert room > 1, "nothing was written"
            return
        if "must be a place that can be written to" in told:  # before anything is made
            assert status == (1 if what == SWEEP else 2), told
            assert code in (errno.EROFS, errno.EACCES)
        else:
            assert status == 1
            assert CODES[code] in told
            assert names(told, disk.refused), (disk.refused, told)
        if room % RESUMED == 0:
            assert ended(what, tiny_words) == (0, "")
            assert files_of(here) == expected, disk.refused
            assert not [*here.rglob("*.damaged*")]
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(here)
    raise AssertionError("more writes than were expected; raise WRITES")


def test_a_disk_that_is_never_full_refuses_nothing(tmp_path):
    disk = Disk(tmp_path, 100, errno.ENOSPC)
    with disk.full():
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text("text")
    assert (disk.room, disk.refused) == (98, "")
    with Disk(tmp_path, 0, errno.ENOSPC).full(), pytest.raises(OSError, match="No space left"):
        (tmp_path / "file").write_text("text")
