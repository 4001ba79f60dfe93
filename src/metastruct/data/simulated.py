"""The data source that integrates a law: data=simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from metastruct.data.cache import SPLITS, cached_simulation
from metastruct.data.noise import observed, spread
from metastruct.data.simulate import Simulation
from metastruct.data.source import Source
from metastruct.systems.system import System


class Simulated(Source):
    """Training and test members of a family, simulated once and cached, observed with the noise that is asked for.

    Query trajectories of test tasks are never noisy: they are what a member is measured against.

    Args:
        system: the family.
        origin: every setting that made it and its starts.
        folder: of the cache.
        note: told about what takes time.
        seed: of members, starts and noise.
        train_tasks, test_tasks: members of each split, of each family.
        trajectories: of each member.
        support_trajectories: of a test member; the others are its query.
        horizon, points: instants from 0 to the horizon, equally spaced.
        tolerance: of the integration, relative and absolute.
        noise: standard deviation of the observations, as a fraction of each component's own.
    """

    def __init__(
        self,
        system: System,
        origin: Mapping[str, Any],
        folder: Path,
        note: Callable[[str], None],
        seed: int,
        train_tasks: int,
        test_tasks: int,
        trajectories: int,
        support_trajectories: int,
        horizon: float,
        points: int,
        tolerance: float,
        noise: float,
    ):
        shared = {
            "trajectories": trajectories,
            "horizon": horizon,
            "points": points,
            "tolerance": tolerance,
            "seed": seed,
        }

        def simulation(split: str, tasks: int) -> Simulation:
            return cached_simulation(folder, system, origin, split, shared | {"tasks": tasks * system.families}, note)

        train, test = simulation("train", train_tasks), simulation("test", test_tasks)
        spreads = spread(train)
        self._clean = train.members if noise else None
        super().__init__(
            name=system.name,
            state_names=system.state_names,
            train=observed(train, spreads, noise, seed, SPLITS["train"], trajectories).members,
            test=observed(test, spreads, noise, seed, SPLITS["test"], support_trajectories).members,
            support_trajectories=support_trajectories,
            law=system,
            parameter_names=system.parameter_names,
        )

    @classmethod
    def components(cls, system: System | None, **settings: Any) -> tuple[int, int]:
        assert system is not None
        return system.state_dim, 0

    def held_out(self, count: int) -> Source:
        """As of `Source`; what held-out members are measured against is never noisy."""
        if self._clean is None:
            return super().held_out(count)
        shots = self.support_trajectories
        pairs = zip(self.train[-count:], self._clean[-count:], strict=True)
        test = [
            replace(noisy, trajectories=noisy.trajectories[:shots] + exact.trajectories[shots:])
            for noisy, exact in pairs
        ]
        return self.split(self.train[:-count], test)
