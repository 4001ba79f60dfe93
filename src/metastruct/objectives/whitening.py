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

    def whitened(self, df: Tensor, misfit: Tensor, shares: bool = False) -> Tensor:
        """A and b as `[..., nodes, (state + 1) * residuals]`, by what each node adds to each residual; then c.

        Args:
            df: Df at the nodes `[..., nodes, state, state]`.
            misfit: variance of an error of the field, which test functions share in part where they overlap, `[state]`.
            shares: add rows of c, the share of the noise in the variance of each residual.
        """
        size, tests, nodes = df.shape[-1], self.values.shape[-2], self.values.shape[-1]
        share = df.mT[..., None, :] * self.values.mT[..., None, :, None]  # [..., nodes, e, tests, c]: Phi Df
        share = shared(share.flatten(-3), self.every).unflatten(-1, (size, tests, size))
        errors = (self.states - self.smooth).flatten(-2)[..., None, :]
        shifted = self.states - self.states[..., :1, :]  # Phi' takes constants to zero
        offset = (errors @ share.flatten(-2).flatten(-3, -2))[..., 0, :] + (self.slopes @ shifted).flatten(-2)
        share.diagonal(dim1=-3, dim2=-1).add_(self.slopes.mT[..., None])
        roots = share.mul_(self.noise[..., None, None]).flatten(-2).flatten(-3, -2)  # [..., samples * e, residuals]
        noise, error = roots.mT @ roots, self._model_error(misfit)
        valid = None if self.valid is None else self.valid.repeat_interleave(size, -1)
        if valid is not None:
            pairs = valid[..., None] & valid[..., None, :]
            noise, error = torch.where(pairs, noise, 0.0), torch.where(pairs, error, 0.0)
            offset = torch.where(valid, offset, 0.0)
            error = error + torch.diag_embed((~valid).to(df.dtype))
        covariance = noise + error
        factor, _ = torch.linalg.cholesky_ex(
            covariance + torch.diag_embed(ROUND_OFF * covariance.diagonal(dim1=-2, dim2=-1))
        )
        root = torch.linalg.solve_triangular(
            factor, torch.eye(tests * size, dtype=df.dtype, device=df.device), upper=False
        )
        if valid is not None:
            root = root * valid[..., None].to(root.dtype)
        rows = [((root @ noise) * root).sum(-1)] if shares else []
        of_field = self.values.mT @ root.mT.unflatten(-2, (tests, size)).flatten(-2)
        rest = torch.stack([(root @ offset[..., None])[..., 0], *rows], -2) / nodes
        rest = rest[..., None, :, :].expand(*rest.shape[:-2], nodes, -1, -1)
        return torch.cat([of_field.unflatten(-1, (size, -1)), rest], -2).flatten(-2)

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
    at_nodes = at_nodes / every
    share = torch.arange(every, dtype=at_nodes.dtype, device=at_nodes.device)[:, None] / every
    before, after = at_nodes[..., :-1, None, :], at_nodes[..., 1:, None, :]
    between = torch.addcmul(before, after - before, share).flatten(-3, -2)
    return torch.cat([between, at_nodes[..., -1:, :]], -2)


def inputs_at_nodes(inputs: Tensor, every: int, held: bool) -> Tensor:
    """Of inputs `[..., samples, input]` of windows those at the nodes.

    A node stands for a stretch of samples, and has the mean over it: a field that is affine in its inputs has the
    same integral then, to second order in the stretch, also where inputs that are held jump.

    Args:
        every: samples from node to node.
        held: do inputs stay as they are between samples?
    """
    if every == 1 and not held:
        return inputs
    last = inputs.shape[-2] - 1
    after = torch.cat([inputs[..., 1:, :], inputs[..., -1:, :]], -2)
    mean = inputs if held else (inputs + after) / 2  # from a sample to the next
    total = torch.cat([0 * mean[..., :1, :], mean[..., :-1, :].cumsum(-2)], -2)  # up to each sample
    nodes = torch.arange(0, last + 1, every, device=inputs.device, dtype=inputs.dtype)
    ends = [(nodes + side * every / 2).clamp(0, last) for side in (-1, 1)]
    begin, end = (total[..., at.long(), :] + (at - at.floor())[:, None] * mean[..., at.long(), :] for at in ends)
    at_nodes: Tensor = (end - begin) / (ends[1] - ends[0])[:, None]
    return at_nodes
