"""Where the members of a family come from: what a run asks of data, whatever they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from metastruct.data.observations import Observations, Recordings, support
from metastruct.data.trajectory import Array, Member, queries
from metastruct.systems.system import System


class Source:
    """Members to learn from and new members to adapt to.

    Args:
        name: of the family, for people.
        state_names: of the components.
        train, test: members of either kind.
        support_trajectories: of a test member, that it is adapted to; what it is measured against are the others.
        law: what the members obey, where it is known; else nothing can ask for the true field or the true energy.
        input_names: of the signals that drive the members.
        parameter_names: of what tells members apart, where that is known.

    Raises:
        ValueError: a split is empty, or a member does not have the components that are named.
    """

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
    ):
        self.name, self.parameter_names = name, tuple(parameter_names)
        self.state_names, self.input_names = tuple(state_names), tuple(input_names)
        self.train, self.test, self.law = tuple(train), tuple(test), law
        self.support_trajectories = support_trajectories
        for split, members in (("train", self.train), ("test", self.test)):
            if not members:
                raise ValueError(f"a source needs {split} members, got none")
            for number, member in enumerate(members):
                if not member.trajectories:
                    raise ValueError(f"{split} member {number} must have a trajectory, got none")
                for trajectory in member.trajectories:
                    inputs = 0 if trajectory.inputs is None else trajectory.inputs.shape[-1]
                    if (trajectory.states.shape[-1], inputs) != (len(self.state_names), len(self.input_names)):
                        raise ValueError(
                            f"{split} member {number} must have {len(self.state_names)} states and "
                            f"{len(self.input_names)} inputs, got {trajectory.states.shape[-1]} and {inputs}"
                        )

    def recordings(self) -> Recordings:
        """Everything that is seen of the training members."""
        return Recordings(self.train, torch.float32)

    def support(self, shots: int, seed: int, reads: Sequence[str], window: int = 1) -> Observations:
        """Of each test member at most so many observations of its support trajectories, in float64."""
        members = [member.part(slice(self.support_trajectories)) for member in self.test]
        return support(members, shots, seed, reads, window)

    def query(self) -> tuple[Array, Array]:
        """Times and states of what test members are measured against, as `queries` gives them."""
        return queries([member.part(slice(self.support_trajectories, None)) for member in self.test])

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
        return [f"member {number}" for number in range(len(mu))] if self.law is None else self.law.described(mu)

    @property
    def plane(self) -> tuple[int, int]:
        """The two components that a portrait shows."""
        return (0, min(1, len(self.state_names) - 1)) if self.law is None else self.law.grid_axes

    def held_out(self, count: int) -> Source:
        """The source with its last training members in the place of the test members."""
        return Source(
            self.name,
            self.state_names,
            self.train[:-count],
            self.train[-count:],
            self.support_trajectories,
            self.law,
            self.input_names,
            self.parameter_names,
        )
