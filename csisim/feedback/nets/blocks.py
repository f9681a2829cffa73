"""Layers that several networks are made of."""

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor, nn

LEAK = 0.3  # slope of every leaky ReLU in the CsiNet family


class ConvNorm(nn.Sequential):
    """Convolution without bias that keeps the image's size, and batch norm; folded into one convolution for inference."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], groups: int = 1, dilation: int = 1, *, bias: bool = False
    ) -> None:
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (dilation * (rows - 1) // 2, dilation * (columns - 1) // 2)
        conv = nn.Conv2d(inputs, outputs, (rows, columns), padding=padding, groups=groups, dilation=dilation, bias=bias)
        super().__init__(OrderedDict(conv=conv, bn=nn.BatchNorm2d(outputs)))


class Separable(nn.Sequential):
    """A convolution along one axis through ``channels`` and one along the other, nothing between them; both keep the image's size.

    Together they are a single small convolution, however many channels are between them. Training uses that one, and so does
    inference where it is cheaper (:func:`settle`); a network that is only evaluated goes layer by layer, as its costs are counted.
    """

    def __init__(self, inputs: int, channels: int, outputs: int, kernel: tuple[int, int], dilation: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, channels, kernel, padding=_sides(kernel, dilation), dilation=dilation, bias=False),
            nn.Conv2d(channels, outputs, kernel[::-1], padding=_sides(kernel[::-1], dilation), dilation=dilation, bias=False),
        )
        self.dilation, self.padding = dilation, (dilation * (max(kernel) // 2),) * 2

    def kernel(self) -> Tensor:
        """(outputs, inputs, h, w) of the single convolution."""
        first, second = self.parameters()
        summed: Tensor = (second[:, :, None] * first).sum(dim=1)
        return summed

    def forward(self, image: Tensor) -> Tensor:
        """(n, outputs, h, w) of (n, inputs, h, w)."""
        if not self.training:
            layered: Tensor = super().forward(image)
            return layered
        return nn.functional.conv2d(image, self.kernel(), padding=self.padding, dilation=self.dilation)

    @property
    def costs_less_merged(self) -> bool:
        """Whether the single convolution has fewer weights, and so multiplications per image element, than the two."""
        return self.kernel().numel() < sum(weight.numel() for weight in self.parameters())

    def merged(self) -> nn.Conv2d:
        """The single convolution."""
        kernel = self.kernel().detach()
        outputs, inputs, *size = kernel.shape
        conv = nn.Conv2d(inputs, outputs, size, padding=self.padding, dilation=self.dilation, bias=False)  # type: ignore[arg-type]
        conv.load_state_dict({"weight": kernel})
        return conv


def _sides(kernel: tuple[int, int], dilation: int) -> tuple[int, int]:
    """Padding that keeps the image's size."""
    return dilation * (kernel[0] // 2), dilation * (kernel[1] // 2)


class WidthNorm(nn.BatchNorm2d):
    """Batch norm over the last axis, as Keras 2.0 trained the published CsiNet: ``axis=-1`` on channels-first images."""

    def forward(self, image: Tensor) -> Tensor:
        """Normalise every column of (n, c, h, w) over all else."""
        return super().forward(image.transpose(1, 3)).transpose(1, 3)


class Image(nn.Module):
    """Codes or flat images (n, channels * angles * delays) as images."""

    def __init__(self, channels: int, angles: int, delays: int) -> None:
        super().__init__()
        self.shape = channels, angles, delays

    def forward(self, flat: Tensor) -> Tensor:
        """(n, channels, angles, delays)."""
        return flat.reshape(-1, *self.shape)


class BinaryLinear(nn.Linear):
    r"""Fully connected layer with weights :math:`\alpha\,\mathrm{sign}(W)`, :math:`\alpha` the mean magnitude of W (Lu 2021, section IV-B).

    The latent W stays in single precision; its gradient passes straight through where \|W\| <= 1.
    """

    def forward(self, image: Tensor) -> Tensor:
        """(n, outputs) of (n, inputs)."""
        return nn.functional.linear(image, self.binary_weight(), self.bias)

    def binary_weight(self) -> Tensor:
        """The weights in force, of one magnitude."""
        clipped = self.weight.clamp(-1, 1)
        sign = torch.where(self.weight >= 0, 1.0, -1.0)
        return (sign * self.weight.abs().mean()).detach() + (clipped - clipped.detach())


def linear(inputs: int, outputs: int, *, binary: bool = False) -> nn.Linear:
    """A fully connected layer, binarised on request."""
    return BinaryLinear(inputs, outputs) if binary else nn.Linear(inputs, outputs)


def pass_through(conv: nn.Conv2d, norm: nn.BatchNorm2d, images: Tensor) -> None:
    """Make a convolution of as many outputs as inputs and its batch norm leave such images as they are, in training and after it."""
    with torch.no_grad():
        nn.init.dirac_(conv.weight)
        variance, mean = torch.var_mean(images, dim=(0, 2, 3), correction=0)
        for place, value in ((norm.running_mean, mean), (norm.running_var, variance), (norm.bias, mean)):
            place.copy_(value)  # type: ignore[union-attr]
        norm.weight.copy_((variance + norm.eps).sqrt())


def put_rows(project: nn.Linear, expand: nn.Linear, rows: np.ndarray) -> None:
    """Make two fully connected layers the projection on orthonormal rows (M, N) and the way back."""
    with torch.no_grad():
        project.weight.copy_(torch.from_numpy(np.ascontiguousarray(rows)))
        expand.weight.copy_(project.weight.T)
        for layer in (project, expand):
            nn.init.zeros_(layer.bias)


def leaky() -> nn.LeakyReLU:
    """The family's activation."""
    return nn.LeakyReLU(LEAK)


def settle(network: nn.Module) -> None:
    """Make an evaluated network faster, in place: fold batch norms and separable convolutions into single ones, fix binarised weights."""
    for module in list(network.modules()):
        if isinstance(module, ConvNorm) and isinstance(module.conv, nn.Conv2d) and isinstance(module.bn, nn.BatchNorm2d):
            module.conv = nn.utils.fusion.fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()
        for name, child in module.named_children():
            if isinstance(child, Separable) and child.costs_less_merged:
                setattr(module, name, child.merged())
            elif isinstance(child, BinaryLinear):
                fixed = nn.Linear(child.in_features, child.out_features)
                fixed.load_state_dict({"weight": child.binary_weight(), "bias": child.bias})
                setattr(module, name, fixed)
