"""The code is the weight change: what MAML, ANIL and Reptile adapt, seen through the seam of the modulations.

    Theta(k) = Theta_base + z(k),  z = (dW_1, s_1, dW_2, s_2, ...) laid end to end

Gradient descent on z from zero is gradient descent on the weights from Theta_base, so a learner of codes becomes one of
initialisations; restricted to the output layer it is ANIL.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from metastruct.modulation.full_weight import FullUpdate
from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.site import Site, Update


class Weights(Modulation):
    """Identity hyper-network: act((W + dW) h + b + s) with dW and s read from the code itself.

    The size of a code follows from the sites. A zero code is the base net. `rates` `[tensors]` holds the learning rate
    of every dW and s under gradient descent, in the order of the code; a learner that has such rates leaves them here.

    Args:
        sites: the sites of all nets of a dynamics.
        tags: whose matrices change.
        shift_tags: whose offsets change; a site without a bias has none.
    """

    rates: Tensor
    spans: Tensor

    def __init__(self, sites: Sequence[Site], tags: Sequence[str], shift_tags: Sequence[str]):
        super().__init__(sites, 1, tags, shift_tags)
        self.hypernetwork = nn.Identity()
        self.code_dim = sum(self.sizes)
        self.register_buffer("rates", torch.ones(len(self.sizes)))
        spans = torch.arange(len(self.sizes)).repeat_interleave(torch.tensor(self.sizes), output_size=sum(self.sizes))
        self.register_buffer("spans", spans, persistent=False)

    def parts(self, site: Site) -> dict[str, Part]:
        return {"change": Part((site.out_features, site.in_features), 1.0)}

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        return FullUpdate(generated["change"], shift)

    def spread(self, rates: Tensor) -> Tensor:
        """One number a tensor, `[..., tensors]`, repeated for each entry of a code, `[..., code]`."""
        return rates[..., self.spans]

    def by_tensor(self, codes: Tensor) -> list[tuple[Site, str, Tensor]]:
        """Codes `[..., tasks, code]` as what they change: the site, "change" or "shift", and `[..., tasks, *shape]`."""
        ends = torch.tensor([0, *self.sizes]).cumsum(0).tolist()
        return [
            (site, name, codes[..., start:end].unflatten(-1, part.shape))
            for (site, name, part), (start, end) in zip(self.layout, pairwise(ends), strict=True)
        ]
