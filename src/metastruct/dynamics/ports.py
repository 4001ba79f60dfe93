"""What mechanical and port-Hamiltonian dynamics share: an energy, and parts that friction and inputs act through.

A part is a matrix whose numbers are those of a net of the state; one that is the same at all states has a small net
that sees a one instead, and is modulated as any other. What inputs give and friction takes is all that changes the
energy.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from metastruct.data.units import Units
from metastruct.dynamics.dynamics import Dynamics, MakeNet, Scales
from metastruct.dynamics.triangular import times
from metastruct.nets.mlp import MLP
from metastruct.nets.net import Linearised, Net
from metastruct.nets.site import Site, Updates, under

NO_NET = ("none", "known")  # forms of parts that no net gives
WIDTH, DEPTH = 8, 2  # of the net of a part that no state changes: a few numbers are no field


class Ports(Dynamics, ABC):
    """Dynamics whose energy changes by what goes through its ports.

    A sub-class sets `features` and `entries` before this constructor runs.

    Args:
        forms: of each part, such as {"friction": "none", "drive": "constant"}.
        shared: parts, or the energy, whose sites carry that word as their tag: they are shared by all tasks unless the
            modulation takes the tag.

    Raises:
        ValueError: what is shared is not there, or not once and in the order of the parts; or how inputs act depends on
            the state and there are none.
    """

    takes_inputs = balances = True
    scalar: str  # the net of the energy
    constant: Mapping[str, str]  # the form of each part that no state changes
    features: int  # what nets see of a state
    entries: dict[str, int]  # numbers of each part, but for that of inputs
    rows: int  # of the matrix that inputs act through
    input_scale: Tensor

    def __init__(self, net: MakeNet, scales: Scales, forms: Mapping[str, str], shared: Sequence[str]):
        self.entries = self.entries | {self.scalar: 1, "drive": self.rows * scales.inputs}
        forms = {self.scalar: "state"} | dict(forms)
        parts = [part for part, form in forms.items() if self.entries[part] and form not in NO_NET]
        if [*shared] != (ordered := [part for part in parts if part in shared]):
            raise ValueError(
                f"dynamics.shared must hold some of {', '.join(parts)}, once each and in this order, got {[*shared]}; "
                f"use {ordered}"
            )
        if not scales.inputs and forms["drive"] != self.constant["drive"]:
            raise ValueError(
                f"dynamics.drive={forms['drive']} has no meaning where no inputs drive the members; leave it out"
            )
        self.forms, self.shared = forms, tuple(shared)
        super().__init__(net, scales)
        self.conserves = forms["friction"] == "none" and not self.inputs
        if scales.input_mean is not None and scales.input_std is not None:  # where zero means none, no centre is taken
            self.register_buffer("input_scale", (scales.input_mean.square() + scales.input_std.square()).sqrt())

    @classmethod
    def commensurate(cls, units: Units, **settings: Any) -> Units:
        """No input stays no input."""
        return units if units.input_centre is None else replace(units, input_centre=0 * units.input_centre)

    def make_nets(self, net: MakeNet, state_dim: int) -> dict[str, Net]:
        nets = dict[str, Net]()
        for part, form in self.forms.items():
            if self.entries[part] and form not in NO_NET:
                if form == self.constant.get(part):
                    nets[part] = MLP(1, self.entries[part], False, WIDTH, DEPTH)
                else:
                    nets[part] = net(self.features, self.entries[part], part == self.scalar)
        return nets

    @property
    def sites(self) -> list[Site]:
        return [
            replace(site, tag=part) if (part := site.name.partition(".")[0]) in self.shared else site
            for site in super().sites
        ]

    def numbers(self, part: str, features: Tensor, updates: Updates) -> Linearised:
        """Of a part, `[..., tasks, points, entries]`; one point stands for all where it is constant."""
        if self.forms[part] == self.constant[part]:
            features = features.new_ones(*features.shape[:-2], 1, 1)
        return self.net_of(part).linearised(features, under(updates, part))

    def driven(self, features: Tensor, updates: Updates, inputs: Tensor | None) -> Tensor:
        """The matrix of the inputs times these, `[..., tasks, points, rows]`.

        Raises:
            ValueError: there are none.
        """
        matrix = self.numbers("drive", features, updates).value.unflatten(-1, (self.rows, self.inputs))
        return times(matrix, self.checked(inputs) / self.input_scale)

    def net_of(self, part: str) -> Net:
        """The net of a part."""
        net = self.nets[part]
        assert isinstance(net, Net)
        return net
