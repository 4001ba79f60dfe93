"""The weak residual of a window divided by the root of its covariance, once and for all, sample by sample.

    R = Phi (f(x~) + Df (x - x~)) + Phi' x,   S = Phi' + Phi Df
    C = S Sigma S^T + M = L L^T,   r = L^-1 R = A f(x~) + b

f is asked at smoothed states x~ and goes on along straight lines to the noisy ones, so R is linear in the errors of the
states whatever Df is: a poor one costs accuracy, and neither a bias nor the unit variance of r. Without Df the
low-noise directions are lost, those of slow drifts along a trajectory, which say most.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROUND_OFF = 1e-9  # share of the variances that keeps the covariance of overlapping test functions from being singular

SHARED = 0.5  # of the variance of a misfit; were it all, the differences of neighbours would be taken to be exact


@dataclass(frozen=True)
class Windows:
    """Samples of windows, and their test functions, at every so many of the samples, the nodes.

    Args:
        values, slopes: Phi `[..., tests, nodes]`, Phi' `[..., tests, samples]`.
        states, smooth, noise: x, x~ and sigma `[..., samples, state]`.
        valid: which test functions have all their samples `[..., tests]`; None where all have.
        every: samples from node to node.
    """

    values: Tensor
    slopes: Tensor
    states: Tensor
    smooth: Tensor
    noise: Tensor
    valid: Tensor | None
    every: int

    def whitened(self, df: Tensor, misfit: Tensor) -> Tensor:
        """A and b as `[..., nodes, (state + 1) * residuals]`, by what each node adds to each residual.

        Args:
            df: Df at the nodes `[..., nodes, state, state]`.
            misfit: variance of an error of the field, which test functions share in part where they overlap, `[state]`.
        """
        size, tests = df.shape[-1], self.values.shape[-2]
        identity = torch.eye(size, dtype=df.dtype, device=df.device)
        share = shared((self.values[..., None, None] * df[..., None, :, :, :]).flatten(-2), self.every)
        share = share.unflatten(-1, (size, size))  # Phi Df [..., tests, samples, state, state]
        roots = (self.slopes[..., None, None] * identity + share) * self.noise[..., None, :, None, :]
        roots = roots.movedim(-2, -3).flatten(-2).flatten(-3, -2)
        covariance = roots @ roots.mT + self._model_error(misfit)
        of_field = torch.einsum("...tn,cd->...tcnd", self.values, identity).flatten(-2).flatten(-3, -2)
        shifted = self.states - self.states[..., :1, :]  # Phi' takes constants to zero
        offset = torch.einsum("...tkce,...ke->...tc", share, self.states - self.smooth) + self.slopes @ shifted
        columns = torch.cat([of_field, offset.flatten(-2)[..., None]], -1)
        if self.valid is not None:
            valid = self.valid.repeat_interleave(size, -1)
            covariance = torch.where(valid[..., None] & valid[..., None, :], covariance, 0.0)
            covariance = covariance + torch.diag_embed((~valid).to(df.dtype))
            columns = torch.where(valid[..., None], columns, 0.0)
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        factor, _ = torch.linalg.cholesky_ex(covariance + torch.diag_embed(ROUND_OFF * diagonal))
        columns = torch.linalg.solve_triangular(factor, columns, upper=False)
        nodes = df.shape[-3]
        parts = columns.new_zeros(*columns.shape[:-2], nodes, size + 1, tests * size)
        parts[..., :-1, :] = columns[..., :-1].mT.unflatten(-2, (nodes, size))
        parts[..., -1, :] = columns[..., None, :, -1] / nodes
        rows: Tensor = parts.flatten(-2)
        return rows

    def _model_error(self, misfit: Tensor) -> Tensor:
        """M `[..., residuals, residuals]`."""
        mass, overlap = self.values.sum(-1), self.values @ self.values.mT
        norm = overlap.diagonal(dim1=-2, dim2=-1).sqrt().clamp_min(torch.finfo(mass.dtype).tiny)
        alike = SHARED * overlap * (mass / norm)[..., None] * (mass / norm)[..., None, :]
        alike = alike + torch.diag_embed((1 - SHARED) * mass.square())
        return (alike[..., :, None, :, None] * torch.diag(misfit)[:, None, :]).flatten(-4, -3).flatten(-2)


def shared(at_nodes: Tensor, every: int) -> Tensor:
    """Weights of nodes `[..., nodes, n]` shared out among the samples between them, along straight lines."""
    if every == 1:
        return at_nodes
    nodes = at_nodes.shape[-2]
    place = torch.arange((nodes - 1) * every + 1, dtype=at_nodes.dtype, device=at_nodes.device) / every
    number = torch.arange(nodes, dtype=at_nodes.dtype, device=at_nodes.device)
    return (1 - (place[:, None] - number).abs()).clamp_min(0) / every @ at_nodes
