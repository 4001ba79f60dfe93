"""Code -> updates: the frame that every modulation shares.

Theta(k) = Theta_base + f_hyper(z(k); phi). A modulation says, site by site, which numbers it needs per task (`parts`),
and turns them into an update (`update`). One hyper-network generates the numbers of all sites at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metastruct.modulation.hypernetwork import Hypernetwork
from metastruct.nets.site import Site, Update, Updates


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
        return int(torch.Size(self.shape).numel())

    def offsets(self) -> Tensor:
        if self.offset == "random":
            return torch.randn(self.size) * self.scale
        return torch.full((self.size,), float(self.offset))


class Modulation(nn.Module, ABC):
    """Generates the updates of the sites that carry one of `tags`.

    Args:
        sites: the sites of all nets of a dynamics.
        code_dim: size of a task's code z.
        tags: which sites to modulate: any of "input", "hidden", "output".
        hidden: width of the hyper-network's hidden layer, 0 for a linear one.
        scale: spread of what is generated, relative to the base weights, at initialisation.

    Raises:
        ValueError: no site carries one of the tags, or a size is not positive.
    """

    def __init__(self, sites: Sequence[Site], code_dim: int, tags: Sequence[str], hidden: int = 0, scale: float = 0.3):
        super().__init__()
        self.sites = [site for site in sites if site.tag in tags]
        if not self.sites:
            have = ", ".join(sorted({site.tag for site in sites}))
            raise ValueError(f"modulation.tags {list(tags)} match no site of the net; it has {have}")
        if code_dim < 1:
            raise ValueError(f"modulation.code_dim must be at least 1, got {code_dim}")
        self.code_dim, self.scale = code_dim, scale
        self.layout = [(site, name, part) for site in self.sites for name, part in self.parts(site).items()]
        scales = torch.cat([torch.full((part.size,), part.scale) for _, _, part in self.layout])
        offsets = torch.cat([part.offsets() for _, _, part in self.layout])
        self.hypernetwork = Hypernetwork(code_dim, scales, offsets, hidden)
        self.sizes = [part.size for _, _, part in self.layout]

    @abstractmethod
    def parts(self, site: Site) -> dict[str, Part]:
        """What is generated per task for this site."""

    @abstractmethod
    def update(self, site: Site, generated: dict[str, Tensor]) -> Update:
        """The update of one site from its generated parts, each `[..., tasks, *shape]`."""

    def forward(self, codes: Tensor) -> Updates:
        """codes `[..., tasks, code]` -> the update of each modulated site."""
        pieces = self.hypernetwork(codes).split(self.sizes, dim=-1)
        generated: dict[str, dict[str, Tensor]] = {site.name: {} for site in self.sites}
        for (site, name, part), piece in zip(self.layout, pieces, strict=True):
            generated[site.name][name] = piece.unflatten(-1, part.shape)
        return {site.name: self.update(site, generated[site.name]) for site in self.sites}

    def penalty(self) -> Tensor | float:
        """What the structure of the modulation adds to the training loss, per replica."""
        return 0.0

    def singular_values(self, codes: Tensor) -> dict[str, Tensor]:
        """The singular values of each site for codes `[tasks, code]`, `[tasks, r]`; empty where there are none."""
        return {}

    def diagnostics(self, codes: Tensor) -> dict[str, float]:
        """Numbers worth a curve during training."""
        return {}

    def shift_part(self, site: Site) -> Part:
        """The shift s that every modulation of the paper generates beside its own parts."""
        return Part((site.out_features,), self.scale)
