"""TransNet (Cui 2022): attention between the rows of an image.

The public code attends *across the batch*: its attention layers expect the batch second and are given it first, so that a user's
report would depend on the other users'. ``attention: rows`` is the codec; ``attention: batch`` reproduces the public code, for
its checkpoints only. Either way both layers of a side share one set of weights, as in the public code.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from csisim.errors import CsisimError
from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import Image

LAYERS, HEADS, HIDDEN = 2, 2, 2048


class Layer(nn.Module):
    """Self-attention, in the decoder cross-attention to the code's image, and a feed-forward net, each with a norm after it."""

    def __init__(self, width: int, *, cross: bool, across_batch: bool) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, HEADS, batch_first=not across_batch)
        self.multihead_attn = nn.MultiheadAttention(width, HEADS, batch_first=not across_batch) if cross else None
        self.linear1 = nn.Linear(width, HIDDEN)
        self.linear2 = nn.Linear(HIDDEN, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width) if cross else None

    def forward(self, tokens: Tensor, memory: Tensor) -> Tensor:
        """Tokens (n, rows, width)."""
        tokens = self.norm1(tokens + self.self_attn(tokens, tokens, tokens)[0])
        if self.multihead_attn is not None:
            tokens = self.norm2(tokens + self.multihead_attn(tokens, memory, memory)[0])
        last = self.norm2 if self.norm3 is None else self.norm3
        refined: Tensor = last(tokens + self.linear2(self.linear1(tokens).relu()))
        return refined


class Encoder(nn.Module):
    """Two passes through one layer, and a fully connected layer."""

    def __init__(self, angles: int, delays: int, code_length: int, *, across_batch: bool) -> None:
        super().__init__()
        self.tokens = Image(angles, 1, 2 * delays)
        self.layer = Layer(2 * delays, cross=False, across_batch=across_batch)
        self.fc = nn.Linear(2 * angles * delays, code_length)

    def forward(self, image: Tensor) -> Tensor:
        """Codes (n, M)."""
        tokens = self.tokens(image)[:, :, 0]
        for _ in range(LAYERS):
            tokens = self.layer(tokens, tokens)
        code: Tensor = self.fc(tokens.flatten(1))
        return code


class Decoder(nn.Module):
    """A fully connected layer and two passes through one layer that looks back at its output."""

    def __init__(self, angles: int, delays: int, code_length: int, *, across_batch: bool) -> None:
        super().__init__()
        self.fc = nn.Linear(code_length, 2 * angles * delays)
        self.tokens = Image(angles, 1, 2 * delays)
        self.layer = Layer(2 * delays, cross=True, across_batch=across_batch)
        self.norm = nn.LayerNorm(2 * delays)
        self.image = Image(2, angles, delays)

    def forward(self, code: Tensor) -> Tensor:
        """Images; no sigmoid ends them."""
        memory = tokens = self.tokens(self.fc(code))[:, :, 0]
        for _ in range(LAYERS):
            tokens = self.layer(tokens, memory)
        image: Tensor = self.image(self.norm(tokens))
        return image


class TransNet(Autoencoder):
    """Two-layer transformer encoder and decoder over rows, without positions."""

    def __init__(self, angles: int, delays: int, code_length: int, *, across_batch: bool) -> None:
        super().__init__()
        self.encoder = Encoder(angles, delays, code_length, across_batch=across_batch)
        self.decoder = Decoder(angles, delays, code_length, across_batch=across_batch)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)


class TransNetConfig(NetConfig):
    """TransNet (Cui 2022), its attention between rows."""

    kind: Literal["transnet"] = "transnet"
    attention: Literal["rows", "batch"] = Field(
        "rows", description="batch: across the batch as in the public code, only to evaluate its checkpoints; refused in a scenario"
    )

    def network(self, angles: int, delays: int) -> TransNet:
        """The network, untrained."""
        return TransNet(angles, delays, self.code_length(angles, delays), across_batch=self.attention == "batch")


class TransNetCodec(NeuralCodec):
    """TransNet as a codec."""

    Config = TransNetConfig

    def __init__(self, config: TransNetConfig):
        if config.attention == "batch":
            raise CsisimError("transnet: attention across the batch would mix the users' reports; it is for published checkpoints only")
        super().__init__(config)
