"""From nets to a vector field.

A dynamics owns its nets and the constants that standardise what goes in and out of them. States and derivatives are in
the system's own units on the outside, `[..., tasks, points, state]`, and of spread one inside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from metastruct.config.facts import providing
from metastruct.data.pairs import disordered
from metastruct.data.trajectory import Member
from metastruct.data.turns import wrapped
from metastruct.data.units import Units
from metastruct.dynamics.scales import Scales as Scales
from metastruct.integrators.flow import Flow
from metastruct.integrators.signal import Signal
from metastruct.nets.net import MakeNet, Net
from metastruct.nets.site import Site
from metastruct.nets.site import Updates as Updates
from metastruct.recording.recorded import Recorded


class Dynamics(nn.Module, ABC):
    """dx/dt = f(x) built from nets whose sites a modulation may change.

    Args:
        net: makes a net from (in_features, out_features, potential).
        scales: the constants of the training data.
    """

    state_mean: Tensor
    state_std: Tensor
    derivative_std: Tensor
    input_mean: Tensor  # where inputs drive it
    input_std: Tensor
    nets: nn.ModuleDict
    time_scale: float = 1.0  # in which the steps of integrators are counted
    takes_inputs: bool = False  # may u(t) drive it?
    inputs: int = 0  # that drive it
    balances: bool = False  # has it an energy and powers that change it?
    conserves: bool = False  # has it an energy that its flow keeps?
    turning: tuple[int, ...] = ()  # components that are angles, of which a turn changes nothing
    kinematic: int = 0  # first components whose rate no weight changes, such as dq/dt = v
    dissipates: bool = False  # has it an entropy that its flow never lowers?

    def __init__(self, net: MakeNet, scales: Scales):
        super().__init__()
        self.time_scale, self.inputs = scales.time, scales.inputs
        self.register_buffer("state_mean", scales.state_mean.clone())
        self.register_buffer("state_std", scales.state_std.clone())
        self.register_buffer("derivative_std", scales.derivative_std.clone())
        if scales.input_mean is not None and scales.input_std is not None:
            if not self.takes_inputs:
                raise ValueError(
                    f"{type(self).__name__} dynamics takes no inputs, got {len(scales.input_mean)}; "
                    f"leave them out or use {providing('dynamics', 'inputs')}"
                )
            self.register_buffer("input_mean", scales.input_mean.clone())
            self.register_buffer("input_std", scales.input_std.clone())
        self.nets = nn.ModuleDict(self.make_nets(net, len(scales.state_mean)))

    @property
    def scales(self) -> Scales:
        """The constants that it was made with, of those that a model keeps."""
        names = ("state_mean", "state_std", "derivative_std", "input_mean", "input_std")
        return Scales(**{name: getattr(self, name, None) for name in names}, time=self.time_scale)  # type: ignore[arg-type]

    @classmethod
    def commensurate(cls, units: Units, **settings: Any) -> Units:
        """The units nearest to these in which the law has the same form.

        Args:
            settings: of the dynamics.
        """
        return units

    @classmethod
    def read(
        cls, members: Sequence[Member], names: Sequence[str], strict: bool = False, **settings: Any
    ) -> tuple[tuple[Member, ...], tuple[str, ...]]:
        """Measured members as the law takes them, and lines on what was done or contradicts it.

        Args:
            names: of the states.
            strict: is what no model of this kind can explain an error?
            settings: of the dynamics.

        Raises:
            ValueError: `strict`, and something is.
        """
        disorder = disordered(members, names) if cls.paired(**settings) else None
        jumps = {name: wrapped(members, column) for column, name in enumerate(names)}
        advice = f"unwrap it, or learn (q, v) by {providing('dynamics', 'velocities')} dynamics.angles=[...]"
        lines = [
            f"{name} jumps by {turn}, as angles do that are wrapped, and no law explains that; {advice}"
            for name, turn in jumps.items()
            if turn is not None
        ]
        return tuple(members), (*lines, *([disorder] if disorder else []))

    @classmethod
    def paired(cls, **settings: Any) -> bool:
        """Are its states pairs, all positions and then the momentum of each, with these settings?"""
        return False

    @abstractmethod
    def make_nets(self, net: MakeNet, state_dim: int) -> dict[str, Net]:
        """The nets by name; their sites are named `name.site`."""

    @abstractmethod
    def vector_field(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> Tensor:
        """dx/dt at the states x, `[..., tasks, points, state]`, driven by inputs `[..., tasks, points, input]`."""

    def energy(self, x: Tensor, updates: Updates) -> Tensor:
        """The learned energy, `[..., tasks, points]`, up to a constant.

        Raises:
            TypeError: this dynamics has none.
        """
        raise self._lacks("has no energy", "energy")

    def entropy(self, x: Tensor, updates: Updates) -> Tensor:
        """The learned entropy, `[..., tasks, points]`, up to a constant.

        Raises:
            TypeError: this dynamics has none.
        """
        raise self._lacks("has no entropy", "entropy")

    def powers(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What friction takes and what inputs give, both `[..., tasks, points]`: dE/dt is the second less the first.

        Raises:
            TypeError: this dynamics has no such balance.
        """
        raise self._lacks("has no balance of power", "balance")

    def degeneracies(self, x: Tensor, updates: Updates) -> dict[str, Tensor]:
        """How far identities that hold by construction are from zero, relative, each `[..., tasks, points]`."""
        return {}

    @property
    def energy_slopes(self) -> Tensor:
        """Spread of dE/dx over the training data `[state]`, where it follows from the spread of the derivatives.

        Raises:
            TypeError: it does not.
        """
        raise self._lacks("does not fix its energy", "energy_slopes")

    def _lacks(self, lack: str, word: str) -> TypeError:
        return TypeError(f"dynamics={type(self).__name__.lower()} {lack}; use {providing('dynamics', word)}")

    def flow(self, updates: Updates, inputs: Signal | None = None, recorded: bool = False) -> Flow:
        """What an integrator needs of these tasks: the field, and the energy where it is kept.

        Args:
            inputs: u(t), whose values broadcast against `[tasks, points, input]`.
            recorded: is the field asked so often, at as many states and without derivatives, that recording it pays?
        """

        def field(x: Tensor, u: Tensor | None = None) -> Tensor:
            return self.vector_field(x, updates, None if u is None else u.expand(*x.shape[:-1], -1))

        replayed = Recorded(lambda *states: (field(*states),))

        def power(x: Tensor, u: Tensor | None = None) -> Tensor:
            dissipated, supplied = self.powers(x, updates, None if u is None else u.expand(*x.shape[:-1], -1))
            return supplied - dissipated

        keeps = self.conserves and inputs is None
        return Flow(
            (lambda *states: replayed(*states)[0]) if recorded else field,
            partial(self.energy, updates=updates) if keeps or self.balances else None,
            inputs,
            self.time_scale,
            None if keeps or not self.balances else power,
        )

    @property
    def sites(self) -> list[Site]:
        """Those of all of its nets, each with the name of its net in front."""
        return [site.prefixed(name) for name, net in self.nets.items() for site in net.sites]  # type: ignore[union-attr]

    def parameters_of(self, site: Site) -> tuple[Tensor, Tensor | None]:
        """W and b of a site; b is None where it has none."""
        owner, _, name = site.name.rpartition(".")
        net: Any = self.nets.get_submodule(owner)
        return net.weights[name], net.biases[name] if site.bias else None

    def checked(self, inputs: Tensor | None) -> Tensor:
        """The inputs, as they are `[..., tasks, points, input]`.

        Raises:
            ValueError: there are none.
        """
        if inputs is None:
            raise ValueError(f"this model is driven by {self.inputs} inputs, got none; give them beside the states")
        return inputs

    def standardise(self, x: Tensor) -> Tensor:
        """States `[..., state]` less their mean, over their spread."""
        return (x - self.state_mean) / self.state_std
