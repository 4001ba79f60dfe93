"""A yaml or a class of a user's own that is no piece is told in one line, whoever asks for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from metastruct.commands import main
from metastruct.config.added import base_of, check_class
from metastruct.config.facts import options
from metastruct.config.folders import VARIABLE, add_conf
from metastruct.config.mistakes import ConfigError
from metastruct.dynamics.known.known import Known
from metastruct.nets.net import Net

MODULES = {
    "plain": "class Plain:\n    pass\ndef function():\n    pass\n",
    "unreadable": "def (",
    "raising": "raise RuntimeError('boom')",
    "leaving": "import sys\nsys.exit(0)",
    "lacking": "import nothing_there",
}
MLP = "_target_: metastruct.nets.mlp.MLP\nwidth: 8\ndepth: 3\nactivation: silu\n"
WRONG = {
    "_target_: no_such_package.Lost\nname: mine": "no_such_package.Lost cannot be imported: No module named",
    "_target_: plain.Nothing\nname: mine": "plain.Nothing cannot be imported: module 'plain' has no attribute",
    "_target_: plain\nname: mine": "plain cannot be imported",
    "_target_: unreadable.Net\nname: mine": "unreadable.Net cannot be imported: SyntaxError: invalid syntax",
    "_target_: raising.Net\nname: mine": "raising.Net cannot be imported: RuntimeError: boom; mend its module",
    "_target_: leaving.Net\nname: mine": "leaving.Net cannot be imported: SystemExit: 0; mend its module",
    "_target_: lacking.Net\nname: mine": "lacking.Net cannot be imported: No module named 'nothing_there'",
    "_target_: plain.Plain\nname: mine": "names plain.Plain, which is no Net; derive it from metastruct.nets.net.Net",
    "_target_: plain.function\nname: mine": "names plain.function, which is no Net",
    "_target_: metastruct.integrators.rk4.RK4\nname: mine": "names metastruct.integrators.rk4.RK4, which is no Net",
    "_target_: metastruct.nets.net.Net\nname: mine": "names metastruct.nets.net.Net, which lacks forward",
    f"{MLP}name: mine\nheads: 4": "names metastruct.nets.mlp.MLP, which takes no heads; leave it out",
    "_target_: 5\nname: mine": "mine.yaml must say _target_: package.module.Class, got 5",
    "name: mine": "mine.yaml must say _target_: package.module.Class, got None",
    f"{MLP}name: other": "mine.yaml must say name: mine, got 'other'; write it so, or rename the file",
    MLP: "mine.yaml must say name: mine, got None",
    "": "mine.yaml must say name: mine, got None",
    "a word": "mine.yaml must say name: mine, got None",
    "- a\n- b": "mine.yaml must be a yaml of settings such as width: 64, got a list",
    "5": "mine.yaml must be a yaml of settings; Invalid loaded object type: int",
    "width: [": "mine.yaml must be a yaml of settings; while parsing",
    "# \xe9": "mine.yaml must be a yaml of settings; 'utf-8' codec can't decode byte",
    f"{MLP}name: mine\nfacts: 5": "mine.yaml must have facts such as label: mine, got 5",
    f"{MLP}name: mine\nfacts: {{colr: red}}": "mine.yaml has the fact colr, which is not known",
}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Writes conf/net/mine.yaml; modules beside it can be imported, and nothing is left of them."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "conf" / "net").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)

    def written(text: str, group: str = "net") -> Path:
        (tmp_path / "conf" / group).mkdir(exist_ok=True)
        (tmp_path / "conf" / group / "mine.yaml").write_text(text, encoding="latin-1")
        return tmp_path / "conf"

    yield written
    for name in MODULES:
        sys.modules.pop(name, None)
    assert [*(tmp_path / "empty").iterdir()] == []


def said(words: list[str], capfd) -> str:
    """The one line that a command says."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    printed = capfd.readouterr()
    assert (ended.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
    return printed.err


@pytest.mark.few(2)
@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_piece_is_told_by_check(mine, text, capfd):
    assert WRONG[text] in said(["check", "net=mine", "--config-dir", str(mine(text))], capfd)


@pytest.mark.few(1)
@pytest.mark.parametrize("text", [*WRONG][::8])
def test_training_and_sweeps_tell_the_same(mine, text, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["metastruct"])
    assert WRONG[text] in said(["train", "net=mine", "--config-dir", str(mine(text))], capfd)


def test_a_broken_yaml_is_told_to_a_sweep_and_beside_the_piece_that_is_asked_for(mine, capfd):
    folder = str(mine("width: ["))
    for words in (["reproduce", "table=main", "--dry-run"], ["check", "net=mlp"]):
        assert "mine.yaml must be a yaml of settings" in said([*words, "--config-dir", folder], capfd)


def test_a_metric_that_cannot_be_imported_is_told_before_anything_is_trained(mine, capfd, monkeypatch):
    facts = "label: a, short: a, order: 1, scale: 1, digits: 2, form: f, perfect: 0, rolled_out: false"
    text = f"_target_: no_such.Lost\nname: mine\nfacts: {{{facts}, headline: never, kept: false}}"
    monkeypatch.setattr(sys, "argv", ["metastruct"])
    words = ["train", "evaluation.metrics=[mine]", "--config-dir", str(mine(text, "metric"))]
    assert "no_such.Lost cannot be imported" in said(words, capfd)


def test_a_folder_that_is_named_like_a_yaml_is_no_piece(mine):
    folder = mine(f"{MLP}name: mine")
    (folder / "net" / "folder.yaml").mkdir()
    add_conf(folder)
    assert "folder" not in options("net")


def test_a_piece_is_a_piece(mine):
    add_conf(mine(f"{MLP}name: mine"))
    check_class("net", "mine")
    assert base_of("net") is Net
    with pytest.raises(ConfigError):
        check_class("net", "other")


def test_the_pieces_of_the_example_are_what_their_groups_ask_for(mine, monkeypatch):
    example = Path(__file__).parents[2] / "examples" / "own_pieces"
    monkeypatch.syspath_prepend(str(example))
    add_conf(example / "conf")
    pieces = [(path.parent.name, path.stem) for path in (example / "conf").glob("*/*.yaml")]
    assert ("known", "motor") in pieces
    for piece in pieces:
        check_class(*piece)
    assert base_of("known") is Known, "of a group of one piece it is not the class of that piece"
