"""What several test files share."""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one test a core: threads would wait for each other

import pytest
from companions import beside, configuration
from omegaconf import DictConfig, OmegaConf
from pairs import crossed, effect, separately

from metastruct.config import schema as config
from metastruct.config.facts import brings, described, settings_of
from metastruct.config.needs import chosen, unmet
from metastruct.config.schema import ConfigError, groups
from metastruct.running.assembly import component
from metastruct.running.validation import validate

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

    from metastruct.data.recordings import Recordings

config.register()  # a file alone must pass as all of them do: its yamls have values that only a resolver finds
SMALL = {"net.width": 6, "net.depth": 3, "modulation.code_dim": 3}


@pytest.fixture(scope="session")
def composed() -> Callable[..., DictConfig]:
    """Composes conf/train.yaml with the overrides of a command line."""
    return configuration


@pytest.fixture(scope="session")
def oscillators() -> Callable[..., Recordings]:
    """Observations of oscillators of several frequencies, so many tasks and so many points of each, in float64.

    Components beyond two are functions of the first.
    """
    import torch

    from metastruct.data.recordings import Recordings
    from metastruct.data.trajectory import Member, Trajectory

    def observed(tasks: int, points: int, size: int = 2) -> Recordings:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(tasks, points, 2, generator=generator, dtype=torch.float64)
        stiffness = torch.linspace(0.5, 2.0, tasks, dtype=torch.float64)[:, None]
        dxdt = torch.stack([x[..., 1], -stiffness * x[..., 0]], dim=-1)
        more = torch.sin(x[..., :1]).expand(-1, -1, size - 2)
        x, dxdt = torch.cat([x, more], -1).numpy(), torch.cat([dxdt, more.square()], -1).numpy()
        times = torch.arange(points, dtype=torch.float64).numpy()
        members = [Member((Trajectory(times, *each),)) for each in zip(x, dxdt, strict=True)]
        return Recordings(members, torch.float64)

    return observed


@dataclass(frozen=True)
class Arrangement:
    """A net, a dynamics and perhaps a bracket that go together, and a system that they can learn."""

    system: str
    net: str
    dynamics: str
    bracket: str | None = None

    def __str__(self) -> str:
        return "-".join(word for word in (self.net, self.dynamics, self.bracket) if word)

    @property
    def overrides(self) -> tuple[str, ...]:
        bracket = (f"bracket={self.bracket}",) if self.bracket else ()
        return f"system={self.system}", f"net={self.net}", f"dynamics={self.dynamics}", *bracket


@lru_cache
def arrangements() -> list[Arrangement]:
    """Every net, dynamics and bracket of conf/ that validation lets pass, each with the first system that does."""
    systems = {name: OmegaConf.create({"system": settings_of("system", name)}).system for name in groups()["system"]}
    laws = {name: component(system).provides for name, system in systems.items()}
    passing = []
    for dynamics, net in product(groups()["dynamics"], groups()["net"]):
        usual = brings("dynamics", dynamics).get("bracket")
        for bracket in [None] if usual is None else groups()["bracket"]:
            pieces = {"net": net, "dynamics": dynamics, "bracket": bracket}
            if goes_against_a_need(pieces):
                continue
            for system, law in laws.items():
                if goes_against_a_need(pieces | {"system": system}, law):
                    continue
                arrangement = Arrangement(system, net, dynamics, bracket)
                try:
                    validate(configuration(*arrangement.overrides))
                except ConfigError:
                    continue
                passing.append(arrangement)
                break
    return passing


def goes_against_a_need(options: dict[str, str | None], law: Mapping[str, object] | None = None) -> bool:
    """Do declared needs of these pieces rule them out, whatever the others are? Far quicker than to compose them.

    Args:
        law: what the system provides.
    """
    plain = {group: name and described(group, name) for group, name in options.items()}
    return any(need.group in options for need in unmet(chosen(plain, system=law or {})))


@lru_cache
def default_arrangement() -> Arrangement:
    """That of conf/train.yaml."""
    cfg = configuration()
    return next(a for a in arrangements() if (a.net, a.dynamics) == (cfg.net.name, cfg.dynamics.name))


def different(variants: dict[str, dict[str, object]]) -> Iterator[ParameterSet]:
    """Every modulation in every arrangement and variant of its settings; what changes nothing is not tested twice.

    Every modulation and variant in the default arrangement, and the default modulation in the first variant in every
    arrangement; the others are torture.
    """
    first, *_ = variants
    default = configuration().modulation.name
    seen = set()
    for modulation in groups()["modulation"]:
        usual = [default_arrangement(), *(arrangements() if modulation == default else ())]
        for case in crossed(arrangements(), default_arrangement(), [*variants], first):
            arrangement, variant = case.values[0]
            place = modulation, str(arrangement)
            what = *place, effect(modulation, arrangement.net, arrangement.dynamics, variants[variant])
            if what not in seen:
                seen.add(what)
                marks = case.marks if arrangement in usual else [pytest.mark.torture]
                yield pytest.param(modulation, arrangement, variant, marks=marks)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked `few(n)` so many cases, spread over all, are tried always; the others are torture."""
    tests = defaultdict[tuple[str, str], list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker("few") and not item.get_closest_marker("torture"):
            tests[item.location[0], item.originalname].append(item)  # type: ignore[attr-defined]
    for cases in tests.values():
        number = min(cases[0].get_closest_marker("few").args[0], len(cases))  # type: ignore[union-attr]
        kept = (
            {place * (len(cases) - 1) // (number - 1) for place in range(number)} if number > 1 else {len(cases) // 2}
        )
        for place in {*range(len(cases))} - kept:
            cases[place].add_marker(pytest.mark.torture)


def pytest_collection_finish() -> None:
    """What was made up to here stays to the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def every_arrangement() -> list[Arrangement]:
    return arrangements()


@pytest.fixture(scope="session")
def accepted() -> Callable[[str, str], tuple[str, ...]]:
    """Overrides of an option of conf/ that validation lets pass."""
    return beside


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`arrangement` and `any_<group>` stand for everything that conf/ holds of them."""
    if {"arrangement", "variant"} <= {*metafunc.fixturenames}:
        cases = [*different(metafunc.module.VARIANTS)]
        metafunc.parametrize(("any_modulation", "arrangement", "variant"), cases, ids=str, scope="module")
    elif {"arrangement", "modulation"} <= {*metafunc.fixturenames}:
        pairs = crossed(arrangements(), default_arrangement(), groups()["modulation"], configuration().modulation.name)
        metafunc.parametrize(("arrangement", "modulation"), separately(pairs), ids=str, scope="module")
    elif "arrangement" in metafunc.fixturenames:
        metafunc.parametrize("arrangement", arrangements(), ids=str, scope="module")
    for group in (
        "modulation",
        "net",
        "bracket",
        "dynamics",
        "learner",
        "objective",
        "optimizer",
        "adaptation",
        "experiment",
    ):
        if f"any_{group}" in metafunc.fixturenames and "variant" not in metafunc.fixturenames:
            metafunc.parametrize(f"any_{group}", groups()[group], scope="module")


@pytest.fixture(scope="session")
def small() -> Callable[..., DictConfig]:
    """A configuration with nets of a few units; settings that a yaml does not know are left out."""

    def shrunk(*overrides: str, **settings: object) -> DictConfig:
        cfg = configuration(*overrides)
        for key, value in (SMALL | {name.replace("__", "."): value for name, value in settings.items()}).items():
            if OmegaConf.select(cfg, key) is not None:
                OmegaConf.update(cfg, key, value)
        return cfg

    return shrunk


@pytest.fixture(scope="session")
def random_model(small) -> Callable[..., object]:
    """A modulated model of a configuration in float64, with random constants of the data and random weights.

    The weights of the nets are multiplied by `gain`: a narrow net is nearly flat as it is initialised.
    """

    def build(cfg: DictConfig, seed: int = 0, state_dim: int | None = None, gain: float = 1.0) -> object:
        import torch

        from metastruct.dynamics.dynamics import Scales
        from metastruct.running.assembly import build_model, component

        torch.manual_seed(seed)
        size = state_dim or component(cfg.system).state_dim
        scales = Scales(*(draw(size, dtype=torch.float64) for draw in (torch.randn, torch.rand, torch.rand)))
        scales.state_std.add_(0.5)
        scales.derivative_std.add_(0.5)
        model = build_model(cfg, scales).double()
        with torch.no_grad():
            for parameter in model.dynamics.parameters():
                parameter.mul_(gain)
        return model

    return build
