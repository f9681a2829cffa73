"""MS4L2O (Liu 2023) on compressed CSI: a random projection, and a learned optimiser with a scaled soft threshold."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from csisim.feedback.images import Scaling
from csisim.feedback.nets.base import NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import Image
from csisim.feedback.nets.cs_csinet import Projection
from csisim.feedback.nets.l2o import Projected, UpdateRule, soft_threshold


class Decoder(nn.Module):
    """The update rule for the lasso min 1/2 ||s - A x||^2 + lambda ||x||_1."""

    def __init__(self, angles: int, delays: int, penalty: float, iterations: int, trained_iterations: int) -> None:
        super().__init__()
        self.rule = UpdateRule(iterations, trained_iterations)
        self.penalty = penalty
        self.image = Image(2, angles, delays)

    def forward(self, code: Tensor, matrix: Tensor) -> Tensor:
        """Images."""
        image: Tensor = self.image(self.solve(code, matrix))
        return image

    def solve(self, code: Tensor, matrix: Tensor, start: Tensor | None = None) -> Tensor:
        """x (n, N); its proximal step scales the penalty by every coordinate's step, so a solution stays (Ma 2024, Theorem 1)."""
        return self.rule(code, matrix, lambda u, step, _: soft_threshold(u, self.penalty * step), start)


class Ms4l2o(Projected):
    """Random projection at the user, learned optimiser at the base station."""

    encoder: Projection

    def __init__(self, angles: int, delays: int, code_length: int, penalty: float, iterations: int, trained_iterations: int) -> None:
        super().__init__()
        self.encoder = Projection(2 * angles * delays, code_length)
        self.decoder = Decoder(angles, delays, penalty, iterations, trained_iterations)


class Ms4l2oConfig(NetConfig):
    """MS4L2O (Liu 2023) on a random projection."""

    kind: Literal["ms4l2o"] = "ms4l2o"
    scaling: Scaling = Field("unit", description="unit power, as a sparse vector must be centred at zero; published has the 0.5 offset")
    penalty: float = Field(0.1, gt=0, description="weight lambda of the l1 norm")
    iterations: int = Field(10, ge=1, description="iterations at the base station")
    trained_iterations: int = Field(10, ge=1, description="iterations that the weights were trained with")

    run_time: ClassVar[frozenset[str]] = NetConfig.run_time | {"iterations"}

    def network(self, angles: int, delays: int) -> Ms4l2o:
        """The network, untrained."""
        length = self.code_length(angles, delays)
        return Ms4l2o(angles, delays, length, self.penalty, self.iterations, self.trained_iterations)


class Ms4l2oCodec(NeuralCodec):
    """MS4L2O as a codec."""

    Config = Ms4l2oConfig
