"""SSIM of the images that the components of a vector field make on a grid."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric

VARIES = 1e-12  # of the widest component: less is round-off


class SSIM(Metric):
    """Mean structural similarity of the components of the field on the evaluation grid; one for equal fields."""

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        return {"": field_ssim(adapted.learned_field, adapted.true_field)}


def field_ssim(learned: Array, true: Array) -> Array:
    """Mean structural similarity over the components and over all windows of their images, `[tasks]`.

    The definition is Wang et al. 2004 as torchmetrics computes it: Gaussian window of sigma 1.5, k1 = 0.01, k2 = 0.03;
    the data range is that of the true component, or that of the widest one for a component that does not vary. Windows
    at the border see the image mirrored there and count like the others, where Wang's lie inside of it alone.

    Args:
        learned, true: fields `[tasks, side, side, state]`.
    """
    spread = true.max(axis=(1, 2), keepdims=True) - true.min(axis=(1, 2), keepdims=True)
    widest = spread.max(axis=-1, keepdims=True)
    spread = np.where(spread > VARIES * widest, spread, np.where(widest > 0, widest, 1.0))

    def images(field: Array) -> torch.Tensor:  # [tasks * state, 1, side, side], data range one
        return torch.from_numpy(np.moveaxis(field / spread, -1, 1)).flatten(0, 1)[:, None]

    values = structural_similarity_index_measure(
        images(learned), images(true), data_range=1.0, gaussian_kernel=True, sigma=1.5, reduction="none"
    )
    assert isinstance(values, torch.Tensor)
    return values.reshape(len(true), -1).mean(1).numpy()
