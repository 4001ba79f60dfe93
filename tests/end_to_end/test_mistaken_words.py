"""Words that mean nothing to a command: one line with what was expected, what came and what to do; nothing written."""

from __future__ import annotations

import errno
import os

import pytest

from metastruct.commands import main, numbers, parsed, subcommands, whole
from metastruct.config.facts import CONF
from metastruct.runs.files import make_folder, write_atomically
from metastruct.runs.refusals import Unwritten, in_words, status_of

DATA = CONF.parent / "examples" / "pendulums.csv"
START = "forecast m.safetensors --from 0.1,0.1"
MISTAKES = {
    "inspect nofile": "nofile: must be there, got no such file or folder; check how it is written",
    "inspect DATA DATA": "metastruct inspect takes PATH, got DATA DATA; its --help shows them",
    "inspect DATA --figures x.png": "--figures is not known; did you mean --figure?",
    "inspect DATA --figure": "--figure needs a value such as --figure picture.png, got none",
    "inspect DATA --figure=": "--figure needs a value such as --figure picture.png, got none",
    "inspect DATA --figure folder": "--figure must be a file, got folder, which is none; name another",
    "inspect DATA --figure x.xyz": "--figure must be the name of a picture such as picture.png, got x.xyz",
    "inspect DATA --figure afile/x.png": "--figure must be a place in a folder, got afile/x.png, and afile is none",
    "inspect ring.csv": "ring.csv: must lead to a file, got a loop of links; remove the links",
    "inspect DATA --figure ring.csv": "--figure must not lead to nowhere, got ring.csv, and ring.csv is such a link",
    "inspect DATA --figure ring.csv/x.png": "--figure must not lead to nowhere, got ring.csv/x.png, and ring.csv is",
    "inspect DATA --figure gone/x.png": "--figure must not lead to nowhere, got gone/x.png, and gone is such a link",
    "adapt folder DATA --output ring.csv": "--output must not lead to nowhere, got ring.csv, and ring.csv is",
    "adapt folder DATA --output gone": "--output must not lead to nowhere, got gone, and gone is such a link",
    "worth folder --output ring.csv": "--output must not lead to nowhere, got ring.csv, and ring.csv is such a link",
    "train outputs=gone": "outputs must not lead to nowhere, got gone, and gone is such a link; name another",
    "train outputs=ring.csv/o": "outputs must not lead to nowhere, got ring.csv/o, and ring.csv is such a link",
    "reproduce outputs=ring.csv": "outputs must not lead to nowhere, got ring.csv, and ring.csv is such a link",
    "inspect DATA --figure a.png --figure b.png": "--figure must be there once, got it twice; leave one out",
    "inspect DATA --figure there.png": "there.png is there already; name another place with --figure, or replace it",
    "inspect DATA states=[]": "states must be written as states=[q,p], got '[]'",
    "inspect DATA states=[null]": "states must be written as states=[q,p], got '[null]'",
    "inspect DATA states=[[q]]": "states must be written as states=[q,p], got '[[q]]'",
    "inspect DATA states=": "states needs a value such as states=[q,p], got none",
    "inspect DATA units={q:5}": "units must be written as units={t: s, q: rad}, got '{q:5}'",
    "inspect DATA units={}": "units must be written as units={t: s, q: rad}, got '{}'",
    "inspect DATA time=[t]": "time must be written as time=t, got '[t]'",
    "adapt one": "metastruct adapt takes RUN and NEW, got one; its --help shows them",
    "adapt folder NEW -o x": "-o is not known; there is --output, --outliers, --work, --adaptation, --steps, force",
    "adapt folder NEW --force": "--force is not known; did you mean force?",
    "adapt afile NEW": "afile must be the folder of a finished run, got no folder",
    "adapt nix NEW": "nix must be the folder of a finished run, got no folder",
    "adapt folder DATA --output afile": "--output must be a folder, got afile, which is none; name another",
    "adapt folder DATA --output full": "full/forecast.csv is there already; name another place with --output",
    "adapt folder DATA --output half": "half/members.safetensors is there already; name another place with --output",
    "adapt folder DATA --output a --output b": "--output must be there once, got it twice",
    START: "forecast needs --until such as --until 30, got none",
    f"{START} --until 1 --output there.csv": "there.png is there already; name another place with --output",
    f"{START} --until nan": "--until must be a finite number, got 'nan'",
    f"{START} --until inf": "--until must be a finite number, got 'inf'",
    f"{START} --until 1,2": "--until must be a finite number, got '1,2'",
    f"{START} --until 0": "--until must be after the start at 0, got 0",
    f"{START} --until 3 --begin -inf": "--begin must be a finite number, got '-inf'",
    f"{START} --until 3 --every nan": "--every must be a finite number, got 'nan'",
    f"{START} --until 3 --every -1": "--every must be above 0 and give from 2 to 1,000,000 instants, got -1",
    f"{START} --until 3 --every 4": "--every must be above 0 and give from 2 to 1,000,000 instants, got 4",
    f"{START} --until 3 --work 0": "--work must be a finite number of at least 1, got '0'",
    f"{START} --until 3 --work 1e9": "--work must be at most 1,000,000, got 1e+09",
    f"{START} --until 3 --work": "--work needs a value such as --work 2, got none",
    "adapt folder DATA --work nan": "--work must be a finite number of at least 1, got 'nan'",
    f"{START} --until 3 --output x.png": "--output must be the name of a table such as forecast.csv, got x.png",
    f"{START} --until 3 --output folder": "--output must be a file, got folder, which is none",
    f"{START} --until 3 --output there.png/x": "--output must be a place in a folder, got there.png/x, and there.png",
    "forecast m.safetensors --from nan,1 --until 3": "--from must be finite numbers separated by commas, got 'nan,1'",
    "forecast nix --from 0,1 --until 3": "nix must be a file that metastruct adapt or member.save wrote, got none",
    "worth nix": "nix must be the folder of a finished run, got none",
    "worth folder --without ,": "--without takes sindy, structureless, alone, got ''",
    "worth folder --law afile:f": "--law and --start go together, got one of them; give both, or none",
    "worth folder --law afile:f --start nan": "--start must be finite numbers separated by commas, got 'nan'",
    "worth folder --law afile:f --start 1": "afile cannot be run: NameError",
    "worth folder --law leave.py:f --start 1": "leave.py cannot be run: SystemExit: 0",
    "worth folder --output folder": "--output must be a file, got folder, which is none",
    "worth folder --output there.png": "there.png is there already; name another place with --output",
    "choose rank=1,2 --folds nan": "--folds must be a finite number, got 'nan'",
    "choose rank=1,2 --folds 2.5": "--folds must be a whole number of at least 2, got 2.5",
    "choose rank=1,2 --output afile": "--output must be a folder, got afile, which is none",
    "choose rank=1,2 --output chosen": "chosen/errors.csv is there already; name another place with --output",
    "choose rank": "metastruct choose takes flags alone, got rank; its --help shows them",
    "choose rank=1,2 data.folds=3": "data.folds is set by choose itself, with --folds; leave it out",
    "reproduce table=main table=shots": "table must be there once, got it twice; leave one out",
    "reproduce outputs=": "outputs must be the name of a folder, got ''",
    "reproduce outputs=afile": "outputs must be a folder, got afile, which is none; name another",
    "reproduce reference=afile/x": "reference must be a place in a folder, got afile/x, and afile is none",
    "reproduce with=": "with must be followed by a word for train.py such as with=shots=20, got ''",
    "report nix": "FOLDER must be one with results of metastruct reproduce, got nix, which is no folder",
    "report folder": "FOLDER must be one with results of metastruct reproduce, got folder, which holds no table",
    "report a b": "metastruct report takes FOLDER, got a b; its --help shows them",
    "report --x": "--x is not known; there are no flags",
    "benchmark --jsn": "--jsn is not known; did you mean --json?",
    "benchmark --json=5": "--json takes no value, got '5'; write --json alone",
    "benchmark x": "metastruct benchmark takes flags alone, got x; its --help shows them",
    "benchmark --only nix": "--only must be part of the name of a figure, got 'nix'; leave it out for all",
}


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """What a command that is refused says in a folder of odd things, where nothing is written."""
    monkeypatch.chdir(tmp_path)
    for name in ("folder", "full", "half", "chosen"):
        (tmp_path / name).mkdir()
    files = {"afile": "hello", "there.png": "", "full/forecast.csv": "", "chosen/errors.csv": "", "m.safetensors": ""}
    files |= {"half/members.safetensors": ""}
    for name, text in (files | {"leave.py": "import sys; sys.exit(0)"}).items():
        (tmp_path / name).write_text(text)
    for name, place in {"ring.csv": "ring.csv", "gone": "nowhere"}.items():
        (tmp_path / name).symlink_to(place)
    before = {*tmp_path.rglob("*")}

    def call(words: list[str]) -> str:
        with pytest.raises(SystemExit) as end:
            main(words)
        printed = capsys.readouterr()
        assert (end.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
        return printed.err.replace(str(DATA), "DATA")

    yield call
    assert {*tmp_path.rglob("*")} == before


@pytest.mark.few(26)
@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(said, words):
    assert said([str(DATA) if word == "DATA" else word for word in words.split()]).startswith(
        f"error: {MISTAKES[words]}"
    )


@pytest.mark.parametrize("name", subcommands())
def test_an_empty_word_is_no_word(said, name):
    assert said([name, "x", ""]).startswith(f"error: metastruct {name} takes no empty words, got one")


def test_a_file_whose_name_has_an_equals_sign_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parsed(["a=b", "force=true"], "x", {"force": "true", "a": "b"}, ())[1] == {"a": "b", "force": "true"}
    (tmp_path / "a=b").touch()
    assert parsed(["a=b", "force=true"], "x", {"force": "true", "a": "b"}, ("A",)) == (["a=b"], {"force": "true"})


def test_a_minus_begins_a_value_and_no_flag():
    assert parsed(["--from", "-0.3,1"], "x", {"--from": "1,2"}, ())[1] == {"--from": "-0.3,1"}
    assert numbers("--from", "-0.3,1") == [-0.3, 1.0]


def test_what_is_interrupted_says_so(monkeypatch, capsys):
    def interrupted(words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("metastruct.commands.inspect.main", interrupted)
    with pytest.raises(SystemExit) as end:
        main(["inspect", "x"])
    assert end.value.code == 130
    assert capsys.readouterr().err == "interrupted; the same command goes on, or begins again\n"


def test_what_the_system_refuses_is_told_of_the_file_that_was_meant(tmp_path):
    (tmp_path / "afile").touch()
    with pytest.raises(OSError, match="afile") as refused:
        write_atomically(tmp_path / "afile" / "x", "")
    assert in_words(refused.value) == f"{tmp_path}/afile/x cannot be used: file exists; name another place"
    assert in_words(OSError("odd\nwords")) == "odd words"
    nameless = OSError(errno.ENOSPC, "No space left on device")
    assert in_words(nameless) == (
        "the system refuses: no space left on device; make room, and the same command goes on"
    )
    full = OSError(28, "No space left on device", "x")
    assert in_words(full) == "x cannot be used: no space left on device; make room, and the same command goes on"


def test_a_folder_to_run_in_that_is_gone_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SystemExit) as end:
        main(["train"])
    monkeypatch.chdir(tmp_path)
    assert end.value.code == 2
    assert capsys.readouterr().err == ("error: the folder that this runs in is not there any more; change to another\n")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_results_are_all_written_or_none_but_for_what_was_there(tmp_path, error):
    old, first, second = (tmp_path / name for name in ("old", "first", "second"))
    old.write_text("before")

    def fails() -> None:
        with whole(old, first, second):
            old.write_text("now")
            first.write_text("now")
            raise error

    with pytest.raises(type(error)):
        fails()
    assert {path.name for path in tmp_path.iterdir()} == {"old"}
    with whole(old, first):
        first.write_text("now")
    assert first.read_text() == "now"


@pytest.mark.parametrize(
    ("code", "status"), [("ENOSPC", 1), ("EDQUOT", 1), ("EROFS", 1), ("EFBIG", 1), ("ENOENT", 2), ("EACCES", 2)]
)
def test_the_machine_fails_with_another_code_than_a_word(tmp_path, monkeypatch, capsys, code, status):
    number = getattr(errno, code)

    def refuses(words):
        raise OSError(number, os.strerror(number), "place")

    monkeypatch.setattr("metastruct.commands.show.main", refuses)
    with pytest.raises(SystemExit) as end:
        main(["show", "place"])
    assert end.value.code == status
    assert capsys.readouterr().err.startswith("error: place cannot be used: ")


def test_what_could_not_be_written_is_the_fault_of_the_machine(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(Unwritten) as refused:
        write_atomically(tmp_path / "file" / "inside", "text")
    assert status_of(refused.value) == 1
    with pytest.raises(Unwritten, match="file"):
        make_folder(tmp_path / "file" / "inside")
