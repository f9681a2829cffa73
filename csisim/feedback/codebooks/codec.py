"""What the codebooks have in common as codecs: their panel, their CQI, and how their bits travel."""

from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.feedback.bits import bits_to_integers, integers_to_bits, pack, unpack
from csisim.feedback.codebooks.fields import Writer
from csisim.feedback.codebooks.panel import Panel, subband_directions
from csisim.feedback.report import Report, check_csi
from csisim.registry import Component

CQI_BITS = 4
#: power gain per port in dB that a CQI of 0 names, and the step to the next
CQI_LOWEST_DB, CQI_STEP_DB = -20.0, 3.0


class CodebookConfig(Component):
    """The panel and the size of a report; ports are the RF chains, ordered polarisation, row, column.

    Behind ``analog: ports`` that is the order of ``cross_polarised`` arrays. A single-polarised line serves too, as two halves that
    stand for the polarisations; the standard does not know that panel, but its co-phases join them.
    """

    kind: str
    n1: int | None = Field(None, ge=1, description="columns N1 of the panel; null: as many as the RF chains make, num_rf / (2 n2)")
    n2: int = Field(1, ge=1, description="rows N2 of the panel")
    rank: Literal[1, 2] = Field(1, description="layers reported, as many as a user has streams")
    subbands: int | None = Field(None, ge=1, description="precoders reported over the band, N3; null: one per subcarrier")
    cqi: bool = Field(True, description="report the wideband gain of the layers in 4 bits (3 dB steps); regularised inversion needs it")


class Codebook(Protocol):
    """A codebook for a batch of B directions at once."""

    @property
    def panel(self) -> Panel:
        """The ports."""

    @property
    def subbands(self) -> int:
        """Precoders over the band, N3."""

    @property
    def num_bits(self) -> int:
        """Length of the longest report."""

    def select(self, directions: np.ndarray) -> Any:
        """The user's choice of indices (PMI) for directions (B, N3, P, rank)."""

    def precoder(self, pmi: Any) -> np.ndarray:
        """Precoders (B, N3, P, rank) of unit norm."""

    def write(self, pmi: Any) -> Writer:
        """The bit strings of the indices, with their lengths."""

    def read(self, bits: np.ndarray) -> Any:
        """The indices in bit strings (B, num_bits)."""


class CodebookState(NamedTuple):
    """Shape (D, K, S, R, T) and precision of the CSI, and the codebook; nothing is remembered from report to report."""

    shape: tuple[int, ...]
    dtype: np.dtype
    codebook: Codebook


class CodebookCodec:
    """A codebook as a codec: a user reports the dominant eigenvectors of its channel, subband by subband.

    A user's bit string is the CQI (if there is one) and the PMI. The length of the PMI depends on what was chosen; the bits before
    say how many follow, and what is booked is what there is. A wrong bit makes another precoder, never an error.
    """

    content: ClassVar[Literal["channel", "precoder"]] = "precoder"

    def __init__(self, config: Any):
        self.config = config

    def codebook(self, panel: Panel, subbands: int) -> Codebook:
        """The codebook on this panel, with ``subbands`` precoders over the band."""
        raise NotImplementedError

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> CodebookState:
        """What both ends know.

        Raises
        ------
        CsisimError
            If the ports are not the panel's, the subbands do not divide the subcarriers, or a subband cannot carry the rank.
        """
        *_, subcarriers, receive, ports = shape
        config = self.config
        panel, subbands = Panel(config.n1 or ports // (2 * config.n2), config.n2), config.subbands or subcarriers
        if ports != panel.ports:
            raise CsisimError(f"{config.kind}: a panel of 2 x {panel.n1} x {panel.n2} = {panel.ports} ports behind {ports} RF chains")
        if subcarriers % subbands:
            raise CsisimError(f"{config.kind}: {subbands} subbands do not divide {subcarriers} subcarriers")
        if subcarriers // subbands * receive < config.rank:
            raise CsisimError(f"{config.kind}: {receive} receive chains cannot carry {config.rank} layers (rank <= num_rx_rf)")
        return CodebookState(tuple(shape), np.dtype(dtype), self.codebook(panel, subbands))

    def encode(self, csi: np.ndarray, state: CodebookState) -> tuple[Report, CodebookState]:
        """The report for ``csi`` (D, K, S, R, T).

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        check_csi(csi, state.shape)
        config, codebook = self.config, state.codebook
        channel = codebook.panel.to_ports(csi.reshape(-1, *csi.shape[2:]))
        directions, gains = subband_directions(channel, config.rank, codebook.subbands)
        writer = codebook.write(codebook.select(directions))
        bits, lengths = writer.bits, writer.lengths
        if config.cqi:
            gain_db = 10 * np.log10(np.maximum(gains.mean(axis=(1, 2)) / codebook.panel.ports, 1e-30))
            cqi = np.clip(np.rint((gain_db - CQI_LOWEST_DB) / CQI_STEP_DB), 0, 2**CQI_BITS - 1).astype(np.int64)
            bits, lengths = np.concatenate([integers_to_bits(cqi[:, None], CQI_BITS), bits], axis=1), lengths + CQI_BITS
        payload = pack(bits.reshape(*csi.shape[:2], -1))
        return Report(payload, bits.shape[1], "precoder", lengths.reshape(csi.shape[:2])), state

    def decode(self, report: Report, state: CodebookState) -> tuple[np.ndarray, CodebookState]:
        """The precoder (D, K, S, T, rank) that the bits describe, the norm of its columns being the reported gain's amplitude."""
        drops, users, subcarriers, _, ports = state.shape
        config, codebook = self.config, state.codebook
        leading = CQI_BITS * config.cqi
        bits = unpack(report.payload, leading + codebook.num_bits).reshape(drops * users, -1)
        gain = np.full(len(bits), float(ports))
        if config.cqi:
            cqi = bits_to_integers(bits[:, :leading], CQI_BITS)[:, 0]
            gain *= 10 ** ((CQI_LOWEST_DB + CQI_STEP_DB * cqi) / 10)
        precoder = codebook.precoder(codebook.read(bits[:, leading:])) * np.sqrt(gain * config.rank)[:, None, None, None]
        precoder = codebook.panel.from_ports(precoder.swapaxes(-1, -2)).swapaxes(-1, -2).astype(state.dtype)
        precoder = np.repeat(precoder, subcarriers // precoder.shape[1], axis=1)
        return precoder.reshape(drops, users, subcarriers, ports, config.rank), state
