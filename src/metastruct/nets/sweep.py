"""The gradient of a scalar MLP with respect to its input, and the backward pass through it, as explicit sweeps.

With M_l the updated matrix and t_l the updated offset of layer l, h_0 = x and a the activation:

    up      z_l = M_l h_{l-1} + t_l,  h_l = a(z_l)                                     l = 1..L
    down    g_l = a'(z_l) y_l,  y_{l-1} = M_l^T g_l,  y_L = output weights             l = L..1;  y_0 = d net/dx

and for a cotangent Y_0 of y_0, capitals being cotangents:

    up      G_l = M_l Y_{l-1},  Y_l = a'(z_l) G_l                                      l = 1..L
    down    Z_l = a''(z_l) y_l G_l + a'(z_l) H_l,  H_{l-1} = M_l^T Z_l,  H_L = 0       l = L..1
    M_l receives g_l Y_{l-1}^T + Z_l h_{l-1}^T, t_l receives the sum of Z_l over points

So the backward pass uses each layer as the forward pass does. Against a nested autograd pass it halves a training step,
for it keeps no graph and overwrites what it no longer needs. It is differentiable once; a second derivative takes the
composite form (`gradient_composite`), the same formulas under autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from metastruct.nets.activation import Activation
from metastruct.nets.product import by_task, spread
from metastruct.nets.site import Update


@dataclass
class Layer:
    """One updated affine map: W `[..., out, in]`, b `[..., out]` or None, and the update that changes it."""

    weight: Tensor
    bias: Tensor | None
    update: Update

    def tensors(self) -> tuple[Tensor | None, ...]:
        return self.weight, self.bias, self.update.shift, *self.update.factors

    def up(self, h: Tensor) -> tuple[Tensor, Any]:
        """M h + b + s, and what the update keeps of h."""
        bias, shift = self.bias, self.update.shift
        offset = None
        if shift is not None:
            offset = spread(shift if bias is None else shift + bias[..., None, :], h.shape[-2])
        elif bias is not None:
            offset = bias[..., None, :].expand(*h.shape[:-1], bias.shape[-1]).clone()
        return self.update.linear(h, self.weight, offset)

    def down(self, g: Tensor) -> tuple[Tensor, Any]:
        """M^T g, and what the update keeps of g."""
        return self.update.transpose(g, self.weight)


def gradient_composite(x: Tensor, top: Tensor, layers: Sequence[Layer], activation: Activation) -> Tensor:
    """d net/dx as rows `[..., tasks * points, in]`; `top` holds the output weights as rows, or one row for all."""
    h, slopes = x, []
    for layer in layers:
        kept = activation.keep(layer.up(h)[0])
        h = kept[0]
        slopes.append(activation.slope(kept))
    y = top
    for layer, slope in zip(reversed(layers), reversed(slopes), strict=True):
        y = layer.down(slope * y)[0]
    return y


def gradient(x: Tensor, top: Tensor, layers: Sequence[Layer], activation: Activation) -> Tensor:
    """As `gradient_composite`, differentiable once and about twice as fast."""
    if not torch.is_grad_enabled():
        return gradient_composite(x, top, layers, activation)
    tensors = [tensor for layer in layers for tensor in layer.tensors()]
    result: Tensor = _Sweep.apply(layers, activation, x, top, *tensors)
    return result


class _Sweep(torch.autograd.Function):
    """The layers come twice: as objects that know what to do, and as tensors that autograd sees."""

    @staticmethod
    def forward(
        ctx: Any, layers: Sequence[Layer], activation: Activation, x: Tensor, top: Tensor, *_: Tensor | None
    ) -> Tensor:
        h, inputs, kept, slopes = x, [], [], []
        for layer in layers:
            z, keep = layer.up(h)
            inputs.append((h, keep))
            kept.append(activation.keep(z))
            slopes.append(activation.slope(kept[-1]))
            h = kept[-1][0]
        y, gs, bends = top, [], []
        for layer, slope in zip(reversed(layers), reversed(slopes), strict=True):
            g = slope * y
            bends.append(activation.curvature(slope, kept.pop()).mul_(y))
            y, keep = layer.down(g)
            gs.append((g, keep))
        ctx.layers, ctx.top_shape = layers, top.shape
        ctx.swept = inputs, slopes, gs[::-1], bends[::-1]
        return y

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("this gradient is differentiable once, and create_graph asks for more; set net.twice")
        layers, (inputs, slopes, gs, bends) = ctx.layers, ctx.swept
        needs_x, needs_top, *needs = ctx.needs_input_grad[2:]

        pairs, by_zs = [], []
        for layer, slope, g, bend in zip(layers, slopes, gs, bends, strict=True):
            by_g, projected = layer.update.linear(cotangent, layer.weight)
            pairs.append((g, (cotangent, projected)))
            by_zs.append(bend * by_g)
            cotangent = by_g.mul_(slope)
        by_top = cotangent.sum_to_size(ctx.top_shape) if needs_top else None

        results: list[Tensor | None] = []
        by_h = None
        for layer, pair, by_z, h, slope in reversed([*zip(layers, pairs, by_zs, inputs, slopes, strict=True)]):
            if by_h is not None:
                by_z.addcmul_(by_h, slope)
            by_h, projected = layer.down(by_z)
            size = len(layer.tensors())
            needs, (needs_weight, needs_bias, needs_shift, *needs_factors) = needs[:-size], needs[-size:]
            weight, *factors = layer.update.pullback([pair, ((by_z, projected), h)], (needs_weight, *needs_factors))
            shift = by_task(by_z, layer.update.shift.shape[-2]).sum(-2) if needs_shift else None
            bias = (by_z if shift is None else shift).sum(-2) if needs_bias else None
            results[:0] = [weight, bias, shift, *factors]
        return None, None, by_h if needs_x else None, by_top, *results
