from __future__ import annotations

import copy
import hashlib
import importlib
import inspect
import io
import sys
from dataclasses import astuple

import numpy as np
import pytest
from omegaconf import OmegaConf

from metastruct.config.facts import facts_of, options
from metastruct.data import cache
from metastruct.data.cache import cached_simulation
from metastruct.running.assembly import build_source, build_system
from metastruct.running.keys import evaluation_key
from metastruct.running.validation import validate
from metastruct.runs.files import write_checked
from metastruct.systems.duffing import Duffing
from metastruct.systems.mass_spring import MassSpring
from metastruct.systems.starts.in_box import InBox

RANGES = {"m": [0.5, 2.0], "k": [0.5, 2.0], "q0": [-0.5, 0.5]}
SYSTEM = MassSpring(RANGES)
SETTINGS = {"tasks": 2, "trajectories": 2, "horizon": 1.0, "points": 5, "tolerance": 1e-8, "seed": 0}


@pytest.fixture
def simulations(monkeypatch) -> list[int]:
    """The splits that were simulated, in order."""
    done, simulate = [], cache.simulate

    def counted(system, split, **settings):
        done.append(split)
        return simulate(system, split, **settings)

    monkeypatch.setattr(cache, "simulate", counted)
    return done


def read(folder, system=SYSTEM, split="train", notes=None, origin=None, **settings):
    note = [].append if notes is None else notes.append
    return cached_simulation(folder, system, origin or {}, split, SETTINGS | settings, note)


def equal(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(astuple(one), astuple(other), strict=True))


def the_file(folder):
    (path,) = folder.glob("*.npz")
    return path


def test_a_second_read_does_not_simulate_and_returns_the_same(tmp_path, simulations):
    first, notes = read(tmp_path), []
    assert equal(first, read(tmp_path, notes=notes))
    assert simulations == [0]
    assert notes == []


def test_a_first_read_says_what_it_does(tmp_path):
    notes = []
    read(tmp_path, notes=notes)
    assert notes == ["simulating 2 train members of mass_spring"]


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "emptied": lambda path: path.write_bytes(b""),
    "altered": lambda path: path.write_bytes(path.read_bytes().replace(b"\x00", b"\x01", 1)),
    "without its sum": lambda path: path.with_name(path.name + ".sha256").unlink(),
    "with an empty sum": lambda path: path.with_name(path.name + ".sha256").write_text(""),
    "with a binary sum": lambda path: path.with_name(path.name + ".sha256").write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_noticed_and_made_again(tmp_path, simulations, damage):
    first, notes = read(tmp_path), []
    path = the_file(tmp_path)
    whole = path.read_bytes()
    damage(path)
    assert equal(first, read(tmp_path, notes=notes))
    assert simulations == [0, 0]
    assert any("damaged" in note and path.name in note for note in notes)
    assert path.read_bytes() == whole
    read(tmp_path)
    assert simulations == [0, 0]


@pytest.mark.parametrize(
    "other",
    [
        *({"tasks": 3}, {"trajectories": 3}, {"horizon": 2.0}, {"points": 6}, {"tolerance": 1e-9}, {"seed": 1}),
        *({"split": "test"}, {"system": MassSpring(RANGES | {"m": [0.5, 3.0]})}),
        {"system": Duffing({"alpha": [-1, 1], "beta": [1, 2]})},
        {"system": SYSTEM.started_by(InBox([[-1, 1], [-1, 1]]))},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_settings_are_another_file(tmp_path, simulations, other):
    first = read(tmp_path)
    assert not equal(first, read(tmp_path, **other))
    assert len(simulations) == 2
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert equal(first, read(tmp_path))
    assert len(simulations) == 2


def test_another_setting_of_a_start_law_is_another_file(tmp_path, simulations):
    boxes = [[-1, 1], [-1, 1]], [[-1, 1], [-1, 1 + 1e-15]]
    first, second = (read(tmp_path, system=SYSTEM.started_by(InBox(box))) for box in boxes)
    assert not equal(first, second)
    assert equal(first, read(tmp_path, system=SYSTEM.started_by(InBox(boxes[0]))))
    assert simulations == [0, 0]


class Heavy(MassSpring):
    """A user's family with a setting beside the ranges of its parameters."""

    def __init__(self, parameters, gravity: float):
        super().__init__(parameters)
        self.gravity = gravity

    def vector_field(self, x, mu):
        return super().vector_field(x, mu) - self.gravity * np.array([0.0, 1.0])


def test_another_setting_of_a_constructor_is_another_file(tmp_path, simulations):
    first, second = (read(tmp_path, Heavy(RANGES, g), origin={"gravity": g}) for g in (1.0, 9.0))
    assert not equal(first, second)
    assert simulations == [0, 0]


FEW = ("train_tasks=2", "test_tasks=1", "trajectories=3", "support_trajectories=1", "points=5", "horizon=0.5")
FEW_OF_DATA = tuple(f"data.{word}" for word in FEW)
CASES = [("system", option) for option in options("system")] + [
    ("data", option)
    for option in options("data")
    if "system" in facts_of("data", option).needs  # that simulate
]


@pytest.mark.few(1)
@pytest.mark.parametrize(("group", "option"), CASES)
def test_every_setting_of_every_system_and_of_the_data_at_two_values_is_two_keys_and_other_data(
    composed, tmp_path, group, option
):
    few = *(f"data.{word}" for word in FEW), "shots=2", "optimizer=adam"
    cfg = composed(f"{group}={option}", *few, f"outputs={tmp_path}")
    before = outcome(cfg)
    assert outcome(copy.deepcopy(cfg)) == before  # so that a difference means something
    settings = OmegaConf.to_container(cfg[group], resolve=True)
    paths = [path for path in leaves(settings) if not {"_target_", "name", "domains"} & {*path}]
    assert len(paths) >= 2
    if group == "system":  # a setting that its yaml did not have could not be chosen, and would be tested nowhere
        assert {*inspect.signature(type(build_system(cfg))).parameters} <= {*settings}
    for path in (path for path in paths if at(settings, path) is not None):
        other = copy.deepcopy(cfg)
        other[group] = changed(settings, path)
        validate(other)
        assert all(one != another for one, another in zip(before, outcome(other), strict=True)), path


def test_what_is_handed_out_of_a_simulation_is_another_key(composed, tmp_path):
    words = ("data.derivatives=spline", "data.observed=states", "data.observed=states data.derivatives=finite")
    cfgs = [composed(*FEW_OF_DATA, *more.split(), f"outputs={tmp_path}") for more in ("", *words)]
    assert len({evaluation_key(OmegaConf.to_container(cfg, resolve=True)) for cfg in cfgs}) == len(cfgs)


def at(settings, path):
    for key in path:
        settings = settings[key]
    return settings


def outcome(cfg) -> tuple[str, str]:
    """The key of a configuration, and all that its source has observed."""
    source = build_source(cfg, print)
    seen = hashlib.sha256(f"{source.support_trajectories} {len(source.train)}".encode())
    for trajectory in (one for member in (*source.train, *source.test) for one in member.trajectories):
        for array in (trajectory.times, trajectory.states, trajectory.derivatives):
            seen.update(np.array(array, order="C").tobytes())
    return evaluation_key(OmegaConf.to_container(cfg, resolve=True)), seen.hexdigest()


def leaves(node, path=()) -> list[tuple]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [leaf for key, value in pairs for leaf in leaves(value, (*path, key))] or [path]


def changed(settings, path):
    """With another number in this place: a whole one is one more, and of a range the low end falls, the high end rises.

    A number of the integration is ten times as large, for its digits to be seen.
    """
    other = copy.deepcopy(settings)
    *above, last = path
    node = other
    for key in above:
        node = node[key]
    if isinstance(node, list):
        node[last] += (0.05 if last else -0.05) * max(abs(node[last]), 0.1)
    else:
        node[last] = node[last] + 1 if isinstance(node[last], int) else 10 * node[last] or 0.1
    return other


@pytest.mark.parametrize("what", ["shape", "times", "nan", "names", "integers"])
def test_a_file_of_something_else_whose_sum_is_right_is_made_again(tmp_path, simulations, what):
    first = read(tmp_path)
    path = the_file(tmp_path)
    arrays = {name: getattr(first, name).copy() for name in cache.FIELDS}
    if what == "shape":
        arrays["states"] = arrays["states"][:1]
    elif what == "times":
        arrays["times"] = 2 * arrays["times"]
    elif what == "nan":
        arrays["derivatives"][0] = np.nan
    elif what == "names":
        arrays = {"states": arrays["states"]}
    else:
        arrays["parameters"] = arrays["parameters"].astype(int)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_checked(path, buffer.getvalue())
    notes: list[str] = []
    assert equal(first, read(tmp_path, notes=notes))
    assert any("simulated again" in note for note in notes)
    assert simulations == [0, 0]


@pytest.mark.parametrize("module", ["mass_spring", "system", "starts.under_cap", "starts.start", "simulate"])
def test_an_edit_of_the_law_or_of_how_starts_are_drawn_is_another_file(tmp_path, simulations, monkeypatch, module):
    read(tmp_path)
    source = cache.inspect.getsource
    edited = lambda of: source(of) + ("# edited" if of.__name__.endswith("." + module) else "")  # noqa: E731
    monkeypatch.setattr(cache.inspect, "getsource", edited)
    read(tmp_path)
    assert simulations == [0, 0]


def test_an_edit_of_what_the_law_imports_is_another_source(tmp_path, monkeypatch):
    package = tmp_path / "strange_laws"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "law": "from metastruct.systems.mass_spring import MassSpring\nfrom strange_laws import force\n"
        "from .numbers import GRAVITY\nclass Law(MassSpring):\n    pull = force.pull\n",
        "force": "def pull():\n    from strange_laws.deep import DEPTH\n    return DEPTH\n",
        "numbers": "GRAVITY = 1.0\n",
        "deep": "DEPTH = 1\n",
        "beside": "NOTHING = 1\n",
    }.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    law = importlib.import_module("strange_laws.law").Law
    before = cache.source_of([law])
    assert cache.source_of([law]) == before
    for name, changes in {"force": True, "numbers": True, "deep": True, "beside": False}.items():
        path = package / f"{name}.py"
        text = path.read_text()
        path.write_text(text.replace("1", "9") + "# edited\n")
        assert (cache.source_of([law]) != before) == changes, name
        path.write_text(text)
    for name in ("strange_laws", *(f"strange_laws.{path.stem}" for path in package.glob("*.py"))):
        sys.modules.pop(name, None)


def test_the_folder_holds_whole_files_only(tmp_path):
    read(tmp_path)
    name = the_file(tmp_path).name
    assert {path.name for path in tmp_path.iterdir()} == {".lock", name, name + ".sha256"}
    assert name.startswith("mass_spring-train-")


def test_a_simulation_that_fails_leaves_nothing_and_frees_the_folder(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("gave up")

    with monkeypatch.context() as patch:
        patch.setattr(cache, "simulate", fails)
        with pytest.raises(RuntimeError, match="gave up"):
            read(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}
    assert read(tmp_path).states.shape == (2, 2, 5, 2)


def test_a_process_killed_between_the_two_files_leaves_what_reads_as_missing(tmp_path, simulations, monkeypatch):
    from metastruct.runs import files

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "sum_file", killed)
        with pytest.raises(KeyboardInterrupt):
            read(tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 1
    read(tmp_path)
    read(tmp_path)
    assert simulations == [0, 0]
