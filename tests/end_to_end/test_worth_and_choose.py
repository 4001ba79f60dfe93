"""Is it worth it, and which settings: both commands on a small family, and their mistakes in one line."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from test_measured import EXAMPLE, WORDS

from metastruct.commands import main
from metastruct.config.schema import ConfigError
from metastruct.running.experiment import run
from metastruct.sweeps.studies import choice_figure
from metastruct.sweeps.studies.choosing import Choice, best_of, varied

LAW = """
import numpy as np
def pendulum(x, mu):
    return np.stack([x[..., 1] / mu[0] ** 2, -9.81 * mu[0] * np.sin(x[..., 0])], -1)
"""


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worth")
    return run(tiny(folder / "outputs", *WORDS, f"data.path={EXAMPLE}", "data.units={t: s, q: rad}")).path


@pytest.mark.torture
def test_a_law_that_is_known_is_the_best_of_all_on_exact_data(trained, tmp_path, capsys):
    (tmp_path / "law.py").write_text(LAW)
    words = ["--law", f"{tmp_path}/law.py:pendulum", "--start", "0.9", "--output", str(tmp_path / "w.csv")]
    main(["worth", str(trained), *words, "--without", "sindy,alone"])
    table = pd.read_csv(tmp_path / "w.csv")
    typical = table.groupby("way").whole.median()
    assert {*typical.index} == {
        "MetaStruct, hamiltonian",
        "MetaStruct, unstructured",
        "the law, its parameters fitted",
    }
    assert typical["the law, its parameters fitted"] < 1e-3 < typical["MetaStruct, hamiltonian"]
    assert table.member.nunique() == 2
    told = capsys.readouterr().out
    assert "every member in" in told
    assert "next: metastruct show" not in told


@pytest.mark.few(1)
@pytest.mark.skipif(find_spec("pysindy") is None, reason="pysindy comes with the extra examples")
def test_what_has_no_numbers_says_why(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("metastruct.evaluation.rivals.sindy.FEWEST", 1000)
    main(["worth", str(trained), "--without", "alone,structureless", "--output", str(tmp_path / "w.csv")])
    assert "- weak SINDy: weak SINDy needs a trajectory of at least 1000 samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["worth"], ""),
        (["worth", "nowhere"], "nowhere must be the folder of a finished run"),
        (["worth", "RUN", "--without", "law"], "--without takes sindy, structureless, alone, got 'law'"),
        (["worth", "RUN", "--law", "x.py:f"], "--law and --start go together"),
        (["worth", "RUN", "--law", "x.py", "--start", "1"], "a law is written as FILE.py:FUNCTION"),
        (["worth", "RUN", "--law", "x.py:f", "--start", "1"], "x.py must be a file with the function f(x, mu)"),
        (["choose", f"data.path={EXAMPLE}"], "choose needs a setting with several values"),
        (["choose", "rank=1,2", "--folds", "1"], "--folds must be a whole number of at least 2"),
        (["choose", "rank=1,2"], "data=files needs data.path"),
        (["choose", "rnk=1,2", f"data.path={EXAMPLE}"], "rnk is not a setting"),
    ],
)
def test_a_mistake_is_told_in_one_line(trained, capsys, words, told):
    if not told:
        main(words)
        assert "metastruct worth RUN" in capsys.readouterr().out
        return
    with pytest.raises(SystemExit) as ended:
        main([str(trained) if word == "RUN" else word for word in words])
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert error.count("\n") == 1
    assert told in error


@pytest.mark.torture
def test_settings_are_compared_on_every_member_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ["optimizer=adam", "trainer.steps=5", "net.width=6", "integrator.step_size=0.1", "trainer.accelerator=cpu"]
    vary = ["data.train_members=2,5", "modulation.code_dim=1,2"]
    main(["choose", *(w for w in WORDS if w != "data=files"), f"data.path={EXAMPLE}", *small, *vary, "--folds", "2"])
    table = pd.read_csv("choice/errors.csv")
    assert len(table) == 4 * 10
    assert (table.groupby(["data.train_members", "modulation.code_dim"]).member.nunique() == 10).all()
    assert (tmp_path / "choice/errors.png").stat().st_size > 1000
    told = capsys.readouterr().out
    assert "best: data.train_members=" in told
    assert "fold 2 of 2" in told
    assert told.count("forecast_error ") == 8  # of each training in a line, not in a table with what to do next
    assert "next: metastruct show" not in told


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("data.states=[q,p],[q]", ["[q,p]", "[q]"]),
        ("tag='a,b',c", ["'a,b'", "c"]),
        ("rank=range(1,4)", ["1", "2", "3"]),
    ],
)
def test_settings_vary_as_those_of_a_sweep_do(word, values):
    fixed, several = varied(["data.states=[q,p]", "tag='a,b'", word])
    assert fixed == ["data.states=[q,p]", "tag='a,b'"]
    assert several == {word.partition("=")[0]: values}


def test_what_members_cannot_tell_apart_is_as_good_as_the_best():
    hard = np.exp(np.random.default_rng(0).normal(size=12))  # what makes a member hard is common to all choices
    scatter = np.exp(0.02 * np.random.default_rng(1).normal(size=(3, 12)))
    errors = [factor * hard * noise for factor, noise in zip((1.0, 1.005, 1.1), scatter, strict=True)]
    every = [Choice({"rank": str(k)}, dict(enumerate(values))) for k, values in enumerate(errors)]  # type: ignore[arg-type]
    best, alike = best_of(every)
    assert best in every[:2]
    assert {choice.settings["rank"] for choice in alike} == {"0", "1"}
    lost = Choice({"rank": "3"}, dict.fromkeys(range(12), float("nan")))  # type: ignore[arg-type]
    assert best_of([lost, every[2]])[0] is every[2]
    with pytest.raises(ConfigError, match="no combination can be trained: why"):
        best_of([Choice({}, {}, problem="why")])


def test_words_are_not_joined_by_a_line_and_numbers_are(monkeypatch, tmp_path):
    figures: list = []
    monkeypatch.setattr(choice_figure, "save", lambda figure, *paths: figures.append(figure))
    for values in (("hamiltonian", "unstructured"), ("1", "2")):
        choice_figure.draw([({"a": value}, np.array([0.1, 0.2])) for value in values], tmp_path / "x.png")
    assert [figure.axes[0].lines[-1].get_linestyle() for figure in figures] == ["None", "-"]
