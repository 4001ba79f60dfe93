"""The modulated model: a dynamics and a modulation of its sites, driven by codes."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from metastruct.data.observations import Observations
from metastruct.dynamics.dynamics import Dynamics, MakeNet, Scales
from metastruct.modulation.encoder import Encoder
from metastruct.modulation.modulation import Modulation


class ModulatedModel(nn.Module):
    """f(x; z) = dynamics with the updates that the modulation makes of the codes z.

    Args:
        dynamics: makes the dynamics from (net, scales).
        modulation: makes the modulation from the dynamics' sites.
        net: makes a net from (in_features, out_features, potential).
        scales: constants of the training data.
        encoder: makes what gives codes from observations, from the sizes of states, inputs and codes; None where
            nothing does.
    """

    def __init__(
        self,
        dynamics: Callable[[MakeNet, Scales], Dynamics],
        modulation: Callable[..., Modulation],
        net: MakeNet,
        scales: Scales,
        encoder: Callable[..., Encoder] | None = None,
    ):
        super().__init__()
        self.dynamics = dynamics(net, scales)
        self.modulation = modulation(self.dynamics.sites)
        inputs = 0 if scales.input_mean is None else len(scales.input_mean)
        sizes = {"states": len(scales.state_mean), "inputs": inputs, "code_dim": self.modulation.code_dim}
        self.encoder = None if encoder is None else encoder(**sizes)
        self.drawn: frozenset[str] = frozenset()  # other buffers of which each of several seeds has its own values

    @property
    def code_dim(self) -> int:
        """Numbers of a code."""
        return self.modulation.code_dim

    @property
    def precision(self) -> torch.dtype:
        """In which the field is computed."""
        return self.dynamics.state_mean.dtype

    def vector_field(self, x: Tensor, codes: Tensor | None, inputs: Tensor | None = None) -> Tensor:
        """dx/dt `[..., tasks, points, state]` for codes `[..., tasks, code]`; without codes that of the base net.

        Inputs `[..., tasks, points, input]` drive it where there are any.
        """
        return self.dynamics.vector_field(x, {} if codes is None else self.modulation(codes), inputs)

    @property
    def reads(self) -> tuple[str, ...]:
        """The parts of observations that codes are made of, beside states, dx/dt and inputs."""
        return () if self.encoder is None else self.encoder.reads

    def encoded(self, observations: Observations) -> Tensor:
        """Codes `[..., tasks, code]` of what is observed of each task, dx/dt among it."""
        dynamics, inputs, dxdt = self.dynamics, observations.inputs, observations.derivatives
        assert self.encoder is not None
        assert dxdt is not None
        x, slopes = dynamics.standardise(observations.states), dxdt / dynamics.derivative_std
        driving = None if inputs is None else (inputs - dynamics.input_mean) / dynamics.input_std
        codes: Tensor = self.encoder(x, slopes, driving, observations.parameters, observations.mask)
        return codes

    def settle(self, parameters: Tensor) -> None:
        """Let the encoder look at the parameters of the training tasks `[tasks, parameters]`."""
        if self.encoder is not None:
            self.encoder.settle(parameters)

    def energy(self, x: Tensor, codes: Tensor) -> Tensor:
        """The learned energy `[..., tasks, points]`."""
        return self.dynamics.energy(x, self.modulation(codes))

    def entropy(self, x: Tensor, codes: Tensor) -> Tensor:
        """The learned entropy `[..., tasks, points]`."""
        return self.dynamics.entropy(x, self.modulation(codes))

    def initialised(self) -> dict[str, Tensor]:
        """What the seed decides, by name: parameters, and the numbers in buffers of nets and of the modulation.

        Other buffers are of the data, or of the form of a piece, unless seeds that are trained together drew them.
        """
        state, homes = self.state_dict(keep_vars=True), ("dynamics.nets.", "modulation.")
        seeded = {name for name, t in state.items() if t.is_floating_point() and name.startswith(homes)} | self.drawn
        return {name: t for name, t in state.items() if isinstance(t, nn.Parameter) or name in seeded}

    def parameter_counts(self) -> dict[str, int]:
        """Numbers of the base (nets and shared bases), of the hyper-network and the encoder, and of a code."""
        generating = (self.modulation.hypernetwork, *([] if self.encoder is None else [self.encoder]))
        hypernetwork = sum(p.numel() for part in generating for p in part.parameters())
        total = sum(p.numel() for p in self.parameters())
        return {"base": total - hypernetwork, "hypernetwork": hypernetwork, "code": self.code_dim}


class Single(ModulatedModel):
    """A model whose field is computed in single precision, in half of the time; numbers come and go as they are.

    Args:
        model: whose weights are copied; all but the field is its own.
    """

    def __init__(self, model: ModulatedModel):
        nn.Module.__init__(self)
        self.dynamics, self.modulation, self.drawn = model.dynamics, model.modulation, model.drawn
        self.encoder = model.encoder
        self.single = copy.deepcopy(model).float()

    @property
    def precision(self) -> torch.dtype:
        return torch.float32

    def vector_field(self, x: Tensor, codes: Tensor | None, inputs: Tensor | None = None) -> Tensor:
        x32, codes32, inputs32 = (None if part is None else part.float() for part in (x, codes, inputs))
        assert x32 is not None
        return self.single.vector_field(x32, codes32, inputs32).to(x)
