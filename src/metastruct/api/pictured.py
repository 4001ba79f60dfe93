"""How models and adapted members show themselves: a short table, and a picture. matplotlib comes when one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from metastruct.api.portable import Portable
from metastruct.data.outside import Array, Inputs
from metastruct.runs.shown import Rows, Shown

if TYPE_CHECKING:
    from metastruct.api.member import Member
    from metastruct.api.model import Model

SIDE = 60  # points of the plane, each way
REACH = 2.5  # standard deviations of the training's states, each way
PATH = {"color": "#d1495b", "lw": 1.2}


def of_model(model: Model) -> tuple[str, Rows]:
    """Title and rows of a model: what it is made of and how it was trained."""
    run, trained = model.run, model.trained
    states = ", ".join(model.layout.titled(name) for name in model.layout.states)
    step, loss = model.history[-1] if model.history else (0, float("nan"))
    rows = [
        ("dynamics", f"{run.dynamics} of {states}"),
        ("modulation", f"{run.method}, a code of {trained.codes.shape[-1]}"),
        ("training", f"{len(trained.codes)} members, {step} steps, loss {loss:.3g}, {trained.seconds:.0f} s"),
    ]
    return f"Model of {model.name}", rows if model.folder is None else [*rows, ("folder", str(model.folder))]


class Pictured(Portable, Shown):
    """An adapted member that shows itself."""

    @property
    def _member(self) -> Member:
        return cast("Member", self)

    def shown(self) -> tuple[str, Rows]:
        """Its code and how well it fits."""
        member = self._member
        std = [None] * len(member.code) if member.covariance is None else member.covariance.diagonal() ** 0.5
        code = (f"{z:.3g}" + ("" if s is None else f" ± {s:.2g}") for z, s in zip(member.code, std, strict=True))
        rows = [
            ("code", ", ".join(code)),
            ("loss", f"{member.losses[-1]:.3g}"),
        ]
        if member.converged is not None:
            rows.append(("converged", "yes" if member.converged else "no"))
        if member.p_value is not None:
            rows.append(("p value", f"{member.p_value:.2g}"))
        return f"Member of {member.model.name}", [*rows, *(("look at this", flag) for flag in member.flags)]

    def plot(
        self,
        x0: ArrayLike | None = None,
        times: ArrayLike | None = None,
        axes: Any = None,
        *,
        inputs: Inputs | None = None,
        held: bool | None = None,
    ) -> Any:
        """Draw the plane of the first two components of the state, about the states of the training.

        Levels of the learned energy; where there is none, lines of the flow, of a driven member without its drive.
        Other components are at the mean of the training. Returns the axes of matplotlib.

        Args:
            x0, times: states `[..., state]` and increasing times `[times]` of paths to draw, as of `rollout`.
            axes: of matplotlib, to draw into; None makes some.
            inputs, held: as of `rollout`.

        Raises:
            ValueError: the state has one component, or x0 or times stands alone; else as of `rollout`.
        """
        layout = self.model.layout
        if len(layout.states) < 2:
            raise ValueError(f"plot needs two components of the state at least, got {layout.states[0]} alone")
        if (x0 is None) != (times is None):
            raise ValueError("plot needs x0 and times together, got one of them; give both, or none")
        import matplotlib.pyplot as plt

        axes = plt.subplots(layout="constrained")[1] if axes is None else axes
        member, (first, second, states) = self._member, plane(self._member)
        try:
            axes.contour(first, second, member.energy(states), levels=12, colors="0.7", linewidths=0.7)
        except TypeError:  # it has none
            flow = member.vector_field(states, inputs=np.zeros(len(layout.inputs)) if layout.inputs else None)
            axes.streamplot(first, second, flow[..., 0], flow[..., 1], color="0.6", linewidth=0.7, arrowsize=0.7)
        if x0 is not None and times is not None:
            paths = member.rollout(x0, times, inputs, held)
            for path in paths.reshape(-1, *paths.shape[-2:]):
                axes.plot(path[:, 0], path[:, 1], **PATH)
        for name, label in zip(layout.states[:2], (axes.set_xlabel, axes.set_ylabel), strict=True):
            label(layout.titled(name))
        return axes


def plane(member: Member) -> tuple[Array, Array, Array]:
    """Both axes `[SIDE]` and the states `[SIDE, SIDE, state]` of the first two components; others at their mean."""
    scales = member.model.trained.model.dynamics
    mean, reach = scales.state_mean.numpy(), REACH * scales.state_std.numpy()
    first, second = (np.linspace(mean[n] - reach[n], mean[n] + reach[n], SIDE) for n in (0, 1))
    states = np.broadcast_to(mean, (SIDE, SIDE, len(mean))).copy()
    states[..., 0], states[..., 1] = np.meshgrid(first, second)
    return first, second, states
