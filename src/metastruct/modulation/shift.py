"""Shift modulation: act(W h + b + s)."""

from __future__ import annotations

from torch import Tensor

from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.site import ShiftUpdate, Site, Update


class Shift(Modulation):
    """One shift of the pre-activations per task, the cheapest modulation (Shift of the paper; Dupont et al. 2022)."""

    def parts(self, site: Site) -> dict[str, Part]:
        return {}

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        return ShiftUpdate(shift)
