"""Where the members of a family come from: what a run asks of data, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from metastruct.data.outline import Outline
from metastruct.data.trajectory import Array, Member, Queries

if TYPE_CHECKING:  # validation asks a source for its outline, and answers at once
    from metastruct.data.observations import Observations
    from metastruct.data.recordings import Recordings
    from metastruct.data.shots import Request
    from metastruct.systems.system import System


class Source:
    """Members to learn from and new members to adapt to.

    Args:
        name: of the family, for people.
        state_names: of the components.
        train, test: members of either kind; without any of the second, nothing can be measured.
        support_trajectories: of a test member, that it is adapted to; what it is measured against are the others.
        law: what the members obey, where it is known; else nothing can ask for the true field or the true energy.
        input_names: of the signals that drive the members.
        parameter_names: of what tells members apart, where that is known.
        held_inputs: does an input stay as it is from one instant to the next? Else it goes along a straight line.

    Attributes:
        report: what was done to what was read, one line each.

    Raises:
        ValueError: there is nothing to train on, members differ in what is known of them, or one does not have the
            components that are named.
    """

    report: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        state_names: Sequence[str],
        train: Sequence[Member],
        test: Sequence[Member],
        support_trajectories: int,
        law: System | None = None,
        input_names: Sequence[str] = (),
        parameter_names: Sequence[str] = (),
        held_inputs: bool = False,
    ):
        self.held_inputs = held_inputs
        self.name, self.parameter_names = name, tuple(parameter_names)
        self.state_names, self.input_names = tuple(state_names), tuple(input_names)
        self.train, self.test, self.law = tuple(train), tuple(test), law
        self.support_trajectories = support_trajectories
        if law is not None and self.input_names != law.input_names:
            expected, names = (", ".join(names) or "none" for names in (law.input_names, self.input_names))
            raise ValueError(f"the law of {law.name} takes the inputs {expected}, got {names}; leave the law out")
        if support_trajectories < 1:
            raise ValueError(f"support_trajectories must be at least 1, got {support_trajectories}")
        if not self.train:
            raise ValueError("a source needs train members, got none")
        for split, members, fewest in (("train", self.train, 1), ("test", self.test, support_trajectories + 1)):
            for number, member in enumerate(members):
                self._check(f"{split} member {number}", member, fewest)

    def _check(self, owner: str, member: Member, fewest: int) -> None:
        if len(member.trajectories) < fewest:
            query = f": {self.support_trajectories} of support and the query" if fewest > 1 else ""
            raise ValueError(f"{owner} must have at least {fewest} trajectories{query}, got {len(member.trajectories)}")
        labels = 0 if member.parameters is None else len(member.parameters)
        if labels != len(self.parameter_names):
            raise ValueError(
                f"{owner} must have the {len(self.parameter_names)} parameters that are named, got {labels}"
            )
        named = {"states": len(self.state_names), "inputs": len(self.input_names)}
        slopes = "derivatives"
        named[slopes] = named["states"] if slopes in self.parts else 0
        for name, size in named.items():
            if (width := member.widths.get(name, 0)) != size:
                raise ValueError(f"{owner} must have {size} {name}, as the others, got {width}")

    @classmethod
    def outline(cls, system: System | None, **settings: Any) -> Outline:
        """What these settings of a yaml say of the members: here, as many states and inputs as they name.

        Args:
            system: that was chosen, if any.

        Raises:
            ValueError: they name no states, or settings do not go together.
        """
        states, inputs = settings.get("states"), settings.get("inputs") or []
        if not isinstance(states, list | tuple) or not states or not isinstance(inputs, list | tuple):
            raise ValueError(
                f"data={settings.get('name')} must name its states in a list such as states: [q, p], and its inputs, "
                f"if any, got {states} and {inputs}"
            )
        return Outline(len(states), len(inputs))

    @property
    def parts(self) -> tuple[str, ...]:
        """What is seen of all members, names of the parts of a trajectory."""
        return tuple(self.train[0].trajectories[0].widths)

    @property
    def spread(self) -> Array:
        """Standard deviation of each component of the training states `[state]`; one where it never moves."""
        spread: Array = np.concatenate([one.states for member in self.train for one in member.trajectories]).std(axis=0)
        return np.where(spread > 0, spread, 1.0)

    @property
    def provides(self) -> dict[str, bool]:
        """What pieces may need of it, by the words of their yamls."""
        return {
            "measured": self.law is None,
            "observed_field": self.law is None and "derivatives" in self.parts,
            "noisy": any(one.noisy for member in self.train for one in member.trajectories),
        }

    def check_windows(self, length: int) -> None:
        """Has each member a trajectory as long as a window, a test member one of support?

        Raises:
            ValueError: names the first that has none.
        """
        for split, choice in (("train", slice(None)), ("test", slice(self.support_trajectories))):
            for number, member in enumerate(getattr(self, split)):
                longest = max(map(len, member.trajectories[choice]))
                if longest < length:
                    of_support = " of support" if split == "test" else ""
                    raise ValueError(
                        f"the objective reads windows of {length} samples, and the longest trajectory{of_support} of "
                        f"{split} member {number} has {longest}"
                    )

    def take(
        self,
        read: Callable[[Sequence[Member]], tuple[tuple[Member, ...], tuple[str, ...]]],
        note: Callable[[str], None],
    ) -> None:
        """Read the members as a dynamics takes them; its lines join the report.

        Raises:
            ValueError: as of `read`.
        """
        members, lines = read((*self.train, *self.test))
        self.train, self.test = members[: len(self.train)], members[len(self.train) :]
        self.report = (*self.report, *lines)
        for line in lines:
            note(line)

    def recordings(self) -> Recordings:
        """Everything that is seen of the training members."""
        import torch

        from metastruct.data.recordings import Recordings

        return Recordings(self.train, torch.float32, self.law is not None, self.held_inputs)

    def support(self, shots: int, seed: int, request: Request) -> Observations:
        """Of each test member at most so many observations of its support trajectories, in float64."""
        from metastruct.data.shots import support

        members = [member.part(slice(self.support_trajectories)) for member in self.test]
        return support(members, shots, seed, request)

    def query(self) -> Queries:
        """What test members are measured against."""
        return Queries.of([member.part(slice(self.support_trajectories, None)) for member in self.test])

    def parameters(self, split: str) -> Array:
        """mu `[tasks, parameters]` of the "train" or the "test" members; no columns where nobody knows it."""
        members: tuple[Member, ...] = getattr(self, split)
        return np.stack([np.empty(0) if member.parameters is None else member.parameters for member in members])

    def domains(self, split: str) -> list[str]:
        """The family of each member of a split."""
        mu = self.parameters(split)
        return [self.name] * len(mu) if self.law is None else self.law.domain_names(mu)

    def described(self, split: str) -> list[str]:
        """What is known of each member of a split, for people."""
        mu = self.parameters(split)
        if self.law is not None:
            return self.law.described(mu)
        return [member.name or f"member {number}" for number, member in enumerate(getattr(self, split))]

    @property
    def plane(self) -> tuple[int, int]:
        """The two components that a portrait shows."""
        return (0, min(1, len(self.state_names) - 1)) if self.law is None else self.law.grid_axes

    def held_out(self, count: int) -> Source:
        """The source with its last training members in the place of the test members."""
        return self.split(self.train[:-count], self.train[-count:])

    def split(self, train: Sequence[Member], test: Sequence[Member]) -> Source:
        """The source with other members."""
        names = self.input_names, self.parameter_names, self.held_inputs
        return Source(self.name, self.state_names, train, test, self.support_trajectories, self.law, *names)
