"""The data source that integrates a law: data=simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metastruct.data.outline import Outline
from metastruct.data.source import Source
from metastruct.data.trajectory import Array, Member

if TYPE_CHECKING:
    from metastruct.data.simulate import Simulation
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
        observed: "states": as measured members are seen, without derivatives; None: everything.
        derivatives: how they are estimated from the states, "spline", "savgol" or "finite"; None: as they are given.
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
        observed: str | None = None,
        derivatives: str | None = None,
    ):
        from metastruct.data.cache import SPLITS, cached_simulation
        from metastruct.data.derivatives import with_derivatives
        from metastruct.data.noise import noisy, spread

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
        derived = observed is None
        clean = seen(train.members, 0.0, spreads, trajectories, derived or derivatives is not None)
        self._clean = clean if noise else None
        splits = [
            seen(noisy(each, spreads, noise, seed, SPLITS[name], count).members, noise, spreads, count, derived)
            for name, each, count in (("train", train, trajectories), ("test", test, support_trajectories))
        ]
        super().__init__(
            name=system.name,
            state_names=system.state_names,
            train=with_derivatives(splits[0], derivatives),
            test=with_derivatives(splits[1], derivatives),
            support_trajectories=support_trajectories,
            law=system,
            input_names=system.input_names,
            held_inputs=system.held_inputs,
            parameter_names=system.parameter_names,
        )

    @classmethod
    def outline(cls, system: System | None, **settings: Any) -> Outline:
        if system is None:
            raise ValueError("data=simulated needs a system whose law is integrated, got none; choose system=")
        trajectories, support, points = (settings[key] for key in ("trajectories", "support_trajectories", "points"))
        if not 1 <= support < trajectories:
            raise ValueError(
                f"data.support_trajectories must be from 1 to data.trajectories - 1 = {trajectories - 1}, so that "
                f"query trajectories remain, got {support}"
            )
        tasks = system.families * (settings["train_tasks"] + settings["test_tasks"])
        return Outline(
            states=system.state_dim,
            inputs=len(system.input_names),
            derivatives=settings.get("observed") is None or settings.get("derivatives") is not None,
            trajectories=trajectories,
            longest=points,
            duration=settings["horizon"],
            support=support * points,
            training=system.families * settings["train_tasks"],
            tasks=tasks,
            numbers=tasks * trajectories * points * (system.state_dim + len(system.input_names)),
            settings={
                "support": "the support set's data.support_trajectories * data.points",
                "numbers": "data.train_tasks, data.test_tasks, data.trajectories or data.points",
                "duration": "data.horizon",
            },
        )

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


def seen(
    members: Sequence[Member], noise: float, spreads: tuple[Array, Array], count: int, derived: bool
) -> tuple[Member, ...]:
    """The members with what is known of their noise, in the first trajectories of each; without derivatives or with."""
    return tuple(
        replace(
            member,
            trajectories=tuple(
                replace(
                    one,
                    noise=noise * spreads[0] * (number < count),
                    derivatives=one.derivatives if derived else None,
                    derivative_noise=noise * spreads[1] * (number < count),
                )
                for number, one in enumerate(member.trajectories)
            ),
        )
        for member in members
    )
