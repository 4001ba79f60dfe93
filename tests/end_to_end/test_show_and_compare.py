"""Runs that are shown again and laid side by side, and objects that show themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest

import metastruct
from metastruct.commands import main
from metastruct.config.facts import CONF
from metastruct.running.experiment import run


@pytest.fixture(scope="module")
def other(tiny, tmp_path_factory) -> Path:
    """A run of another modulation."""
    return run(tiny(tmp_path_factory.mktemp("other") / "outputs", "modulation=shift")).path


def test_a_run_is_shown_as_it_ended_and_its_figures_are_opened(first_run, capsys, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not opened.append(address))  # type: ignore[func-returns-value]
    folder = first_run[0]
    main(["show", str(folder.path)])
    told = capsys.readouterr().out
    assert "field error" in told
    assert f"figures in {folder.figures}" in told
    assert opened == []
    main(["show", str(folder.path), "--open"])
    assert [Path(address).name for address in opened] == sorted(path.name for path in folder.figures.glob("*.png"))


def test_runs_side_by_side_show_what_differs_and_what_was_measured(first_run, other, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    main(["compare", str(first_run[0].path), str(other)])
    told = capsys.readouterr().out.splitlines()
    rows = {line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:4]] for line in told if "│" in line}
    assert rows["modulation"] == ["svd", "shift"]
    assert "system" not in rows
    error = first_run[0].finished()["field_error"]
    assert rows["field error (%)"][0] == f"{100 * error['mean']:.2f} ± {100 * error['std']:.2f}"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["show", "nowhere"], "nowhere must be the folder of a finished run, got one without its results"),
        (["show", "a", "b"], "metastruct show takes RUN, got a b"),
        (["show", "a", "--opne"], "--opne is not known; did you mean --open"),
        (["compare", "nowhere"], "metastruct compare takes RUN and RUN, got nowhere"),
        (["compare", "nowhere", "there"], "nowhere must be the folder of a finished run"),
        (["show", "RUN", "--open"], "--open needs a program that shows pictures, got none"),
    ],
)
def test_a_mistake_is_one_line(first_run, words, error, capsys, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    with pytest.raises(SystemExit) as ended:
        main([str(first_run[0].path) if word == "RUN" else word for word in words])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {error}")


def test_models_members_and_families_show_themselves(first_run):
    model = metastruct.load(first_run[0].path)
    states, dxdt = np.random.default_rng(0).normal(size=(2, 12, 2))
    member = model.adapt_many([(states, dxdt)])[0]
    member.flags = ("nobody of this family",)
    family = metastruct.Family.from_files(CONF.parent / "examples" / "pendulums.csv", ["q", "p"], units={"q": "rad"})
    for shown, words in (
        (model, ("pendulum", "hamiltonian", "svd", "a code of 2", str(first_run[0].path))),
        (member, ("pendulum", "±", "look at this", "nobody of")),
        (family, ("10 members", "rod 0", "and 5 more")),
    ):
        for word in words:
            assert word in repr(shown)
            assert word in shown._repr_html_()
        assert len(repr(shown).splitlines()) < 12


def test_members_and_families_are_drawn(first_run, tiny):
    import matplotlib.pyplot as plt

    member = metastruct.load(first_run[0].path).adapt_many([np.ones((2, 3, 2))])[0]
    family = metastruct.Family.from_files(CONF.parent / "examples" / "pendulums.csv", ["q", "p"], units={"q": "rad"})
    plain, along = member.plot(), member.plot([[1.0, 0.0], [0.5, 0.0]], [0.0, 0.1, 0.2])
    assert len(along.lines) == len(plain.lines) + 2
    np.testing.assert_allclose(along.lines[0].get_xydata(), member.rollout([1.0, 0.0], [0.0, 0.1, 0.2]))
    assert family.plot().get_xlabel() == "q (rad)"
    one = metastruct.Family.from_arrays([[([0.0, 1.0], [[1.0], [2.0]])]])
    assert one.plot(family.plot()).get_xlabel() == "t"
    plt.close("all")
    with pytest.raises(ValueError, match="plot needs x0 and times together"):
        member.plot([1.0, 0.0])


@pytest.mark.few(1)
@pytest.mark.parametrize("system", ["lorenz", "driven_pendulum"])
def test_members_without_an_energy_and_driven_ones_are_drawn(tiny, tmp_path, system):
    import matplotlib.pyplot as plt

    model = metastruct.load(run(tiny(tmp_path, f"system={system}", "trainer.steps=2")).path)
    size, inputs = model.state_dim, len(model.layout.inputs)
    driving = {"inputs": np.zeros((4, inputs)), "times": np.arange(4.0)} if inputs else {}
    states = np.random.default_rng(0).normal(size=(4, size))
    member = model.adapt_many([{"states": states, "dxdt": states, **driving}])[0]
    along = {"inputs": np.ones((3, inputs))} if inputs else {}
    axes = member.plot(np.zeros(size), [0.0, 0.1, 0.2], **along)
    assert (axes.get_xlabel(), axes.get_ylabel()) == model.layout.states[:2]
    plt.close("all")


@pytest.mark.torture
def test_nothing_of_matplotlib_is_imported_before_something_is_drawn_and_a_notebook_keeps_its_backend():
    check = (
        "import sys, metastruct\nmetastruct.fit\nprint('matplotlib' in sys.modules)\n"
        "import metastruct.evaluation.figures.run\nimport matplotlib\nprint(matplotlib.get_backend())"
    )
    asked = os.environ | {"MPLBACKEND": "svg"}
    done = subprocess.run([sys.executable, "-c", check], env=asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "svg"]
    del asked["MPLBACKEND"]
    done = subprocess.run([sys.executable, "-c", check], env=asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "agg"]
