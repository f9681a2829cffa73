"""A codec that compresses images: encoder, quantiser, bit string, and the way back.

What differs between PCA, compressed sensing and every network is only the :class:`Model`; the room's interface, the scale factor
and the bits live here.
"""

from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from pydantic import Field, model_validator

from csisim.errors import CsisimError
from csisim.feedback.bits import bits_to_scale, integers_to_bits, pack, unpack
from csisim.feedback.code_quantisers import CodeQuantiser, from_bits, to_bits
from csisim.feedback.costs import Costs
from csisim.feedback.images import Domain, ImageLayout, Scaling, denormalise, normalise, scale_of
from csisim.feedback.report import SCALE_BITS, Report, check_csi
from csisim.registry import Component


class ImageCodecConfig(Component):
    """What all codecs of images can be told."""

    domain: Domain = Field(
        "delay_angle",
        description="images of taps and angles, one per receive chain; or beams: of receive and transmit chains, one per subcarrier",
    )
    delays: int | None = Field(None, ge=1, description="taps kept (delay_angle only), N_a; all when left out")
    reduction: int = Field(
        4, ge=1, description="the code has 1/reduction of the image's real numbers: the compression ratio is 1/reduction"
    )
    scale: Literal["report", "genie"] = Field(
        "report", description="book the 16 bits of every image's scale factor, or let a genie carry them"
    )

    @model_validator(mode="after")
    def _beams_have_no_taps(self) -> "ImageCodecConfig":
        if self.domain == "beams" and self.delays is not None:
            raise ValueError("delays: images of beams have no taps (leave it out, or domain: delay_angle)")
        return self

    def image_size(self, subcarriers: int, receive: int, transmit: int) -> tuple[int, int]:
        """Angles and delays of the images that CSI (..., subcarriers, receive, transmit) becomes."""
        layout = ImageLayout.of((1, 1, subcarriers, receive, transmit), np.dtype(complex), self.domain, self.delays)
        return layout.angles, layout.delays

    def code_length(self, angles: int, delays: int) -> int:
        """Real numbers in the code of an image.

        Raises
        ------
        CsisimError
            If the reduction does not divide the image's 2 x angles x delays real numbers.
        """
        numbers = 2 * angles * delays
        if numbers % self.reduction:
            raise CsisimError(
                f"{self.kind}: reduction {self.reduction} does not divide the {numbers} numbers of a {angles} x {delays} image"
            )
        return numbers // self.reduction

    def costs(self, angles: int, delays: int) -> Costs:
        """What the codec costs at either end, for images of this size."""
        raise NotImplementedError


class Model(Protocol):
    """Images into codes and back, and the quantiser between them."""

    @property
    def quantiser(self) -> CodeQuantiser:
        """Between codes and bits."""

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Codes (n, M) of normalised images (n, 2, angle, delay) float32."""

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Normalised images (n, 2, angle, delay) of codes (n, M)."""


class ImageState(NamedTuple):
    """How CSI becomes images; the codec has no memory."""

    layout: ImageLayout


class ImageReports:
    """Reports of a user's images: for each a scale factor (16-bit float) and bits that subclasses spell and read."""

    content: ClassVar[Literal["channel", "precoder"]] = "channel"

    def __init__(self, config: Any):
        self.config = config

    def spell(self, images: np.ndarray, layout: ImageLayout) -> tuple[np.ndarray, np.ndarray]:
        """Scale factors (n,) float16 and bits (n, ``bits_per_image``) of complex images (n, angle, delay)."""
        raise NotImplementedError

    def read(self, scale: np.ndarray, bits: np.ndarray, layout: ImageLayout) -> np.ndarray:
        """Complex images (n, angle, delay) of scale factors and bits."""
        raise NotImplementedError

    def bits_per_image(self, layout: ImageLayout) -> int:
        """Bits of an image, its scale factor apart."""
        raise NotImplementedError

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> ImageState:
        """What both ends know: the shape (D, K, S, R, T), the precision, and what the codec needs for such images."""
        layout = ImageLayout.of(shape, dtype, self.config.domain, self.config.delays)
        self.bits_per_image(layout)  # what is wrong with it is told here
        return ImageState(layout)

    def booked_bits(self, state: ImageState) -> int:
        """Bits that are booked for a user's report, whatever it says."""
        scale_bits = SCALE_BITS if self.config.scale == "report" else 0
        return state.layout.per_user * (scale_bits + self.bits_per_image(state.layout))

    def encode(self, csi: np.ndarray, state: ImageState) -> tuple[Report, ImageState]:
        """The report for ``csi`` (D, K, S, R, T).

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        layout = state.layout
        check_csi(csi, layout.shape)
        scale, bits = self.spell(layout.to_images(csi).reshape(-1, layout.angles, layout.delays), layout)
        string = np.concatenate([integers_to_bits(scale.view(np.uint16)[:, None], SCALE_BITS), bits], axis=1).reshape(*csi.shape[:2], -1)
        return Report(pack(string), self.booked_bits(state)), state

    def decode(self, report: Report, state: ImageState) -> tuple[np.ndarray, ImageState]:
        """The CSI (D, K, S, R, T) that the bits describe."""
        layout = state.layout
        per_image = SCALE_BITS + self.bits_per_image(layout)
        bits = unpack(report.payload, layout.per_user * per_image).reshape(-1, per_image)
        scale = bits_to_scale(bits[:, :SCALE_BITS])[:, 0]
        images = self.read(scale, bits[:, SCALE_BITS:], layout)
        return layout.to_csi(images.reshape(*report.payload.shape[:2], layout.per_user, layout.angles, layout.delays)), state


class ImageCodec(ImageReports):
    """Codec whose bits are a quantised code; subclasses say which :class:`Model` belongs to an image size."""

    def model(self, angles: int, delays: int) -> Model:
        """The model for images of this size; both ends have it."""
        raise NotImplementedError

    @property
    def scaling(self) -> Scaling:
        """How images are normalised."""
        return "unit"

    def bits_per_image(self, layout: ImageLayout) -> int:
        """Of the code; whatever is wrong with the model is told as well."""
        self.model(layout.angles, layout.delays)
        return int(self.config.quantiser.num_bits(self.config.code_length(layout.angles, layout.delays)))

    def spell(self, images: np.ndarray, layout: ImageLayout) -> tuple[np.ndarray, np.ndarray]:
        """The quantised code of the normalised image."""
        scale, model = scale_of(images, self.scaling), self.model(layout.angles, layout.delays)
        return scale, to_bits(model.quantiser, model.encode(normalise(images, scale, self.scaling)))

    def read(self, scale: np.ndarray, bits: np.ndarray, layout: ImageLayout) -> np.ndarray:
        """The decoded code at its scale."""
        model = self.model(layout.angles, layout.delays)
        return denormalise(model.decode(from_bits(model.quantiser, bits)), scale, self.scaling)
