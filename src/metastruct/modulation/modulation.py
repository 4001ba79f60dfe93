"""Code -> updates: the frame that every modulation shares.

Theta(k) = Theta_base + f_hyper(z(k); phi). A modulation says, site by site, which numbers it needs per task (`parts`),
and turns them into an update (`update`). Shifts are common to all. One hyper-network generates everything at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metastruct.modulation.hypernetwork import Hypernetwork
from metastruct.nets.site import ShiftUpdate, Site, Update, Updates

SHIFT = "shift"


@dataclass(frozen=True)
class Part:
    """One tensor that is generated per task and site.

    Args:
        shape: its shape for one task.
        scale: spread of its entries under a code of spread one, at initialisation.
        offset: its value at a zero code: a number, or "random" for normal entries of spread `scale`.
    """

    shape: tuple[int, ...]
    scale: float
    offset: float | str = 0.0

    @property
    def size(self) -> int:
        """Its numbers."""
        return int(torch.Size(self.shape).numel())

    def offsets(self) -> Tensor:
        """Its values at a zero code, `[size]`."""
        if self.offset == "random":
            return torch.randn(self.size) * self.scale
        return torch.full((self.size,), float(self.offset))


class Modulation(nn.Module, ABC):
    """Generates the updates of the sites that carry one of the tags.

    Args:
        sites: the sites of all nets of a dynamics.
        code_dim: size of a task's code z.
        tags: whose matrices to modulate: any of "input", "hidden", "output".
        shift_tags: whose offsets to modulate; a site without a bias gets no shift.
        hidden: width of the hyper-network's hidden layer, 0 for a linear one.
        scale: spread of what is generated, relative to the base weights, at initialisation.

    Raises:
        ValueError: no site carries one of the tags, or a size is not positive.
    """

    hypernetwork: nn.Module

    def __init__(
        self,
        sites: Sequence[Site],
        code_dim: int,
        tags: Sequence[str],
        shift_tags: Sequence[str],
        hidden: int = 0,
        scale: float = 0.3,
    ):
        super().__init__()
        if code_dim < 1:
            raise ValueError(f"modulation.code_dim must be at least 1, got {code_dim}")
        self.code_dim, self.scale = code_dim, scale
        self.matrix_sites = [site for site in sites if site.tag in tags]
        layout = [(site, name, part) for site in self.matrix_sites for name, part in self.parts(site).items()]
        layout += [
            (site, SHIFT, Part((site.out_features,), scale)) for site in sites if site.tag in shift_tags and site.bias
        ]
        if not layout:
            have = ", ".join(sorted({site.tag for site in sites}))
            raise ValueError(
                f"modulation.tags {list(tags)} modulate no site of the net, which has {have}; name some of them in "
                "modulation.tags or modulation.shift_tags"
            )
        self.layout = layout
        self.sites = [site for site in sites if any(site == other for other, _, _ in layout)]
        self.sizes = [part.size for _, _, part in layout]
        scales = torch.cat([torch.full((part.size,), part.scale) for _, _, part in layout])
        offsets = torch.cat([part.offsets() for _, _, part in layout])
        self.hypernetwork = self.make_hypernetwork(scales, offsets, hidden)

    def make_hypernetwork(self, scales: Tensor, offsets: Tensor, hidden: int) -> nn.Module:
        """The map from codes to everything that `layout` lists; called before the sub-class is complete.

        Args:
            scales, offsets: of each number that is generated, `[numbers]`.
        """
        return Hypernetwork(self.code_dim, scales, offsets, hidden)

    @abstractmethod
    def parts(self, site: Site) -> dict[str, Part]:
        """What is generated per task for the matrix of this site; called before the sub-class is complete."""

    @abstractmethod
    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        """The update of a site whose matrix is modulated, from its generated parts, each `[..., tasks, *shape]`."""

    def forward(self, codes: Tensor) -> Updates:
        """codes `[..., tasks, code]` -> the update of each modulated site."""
        pieces = self.hypernetwork(codes).split(self.sizes, dim=-1)
        generated: dict[str, dict[str, Tensor]] = {site.name: {} for site in self.sites}
        for (site, name, part), piece in zip(self.layout, pieces, strict=True):
            generated[site.name][name] = piece.unflatten(-1, part.shape) if len(part.shape) > 1 else piece
        updates: Updates = {}
        for site in self.sites:
            parts = generated[site.name]
            shift = parts.pop(SHIFT, None)
            updates[site.name] = self.update(site, parts, shift) if parts else ShiftUpdate(shift)
        return updates

    def penalty(self) -> Tensor | float:
        """What the structure of the modulation adds to the training loss, per replica."""
        return 0.0

    def singular_values(self, codes: Tensor) -> dict[str, Tensor]:
        """The singular values of each site for codes `[tasks, code]`, `[tasks, r]`; empty where there are none."""
        return {}

    def diagnostics(self, codes: Tensor) -> dict[str, float]:
        """Numbers worth a curve during training, from codes `[tasks, code]`."""
        return {}
