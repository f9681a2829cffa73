"""Type I single-panel codebook, codebookMode 1, ranks 1 and 2 (TS 38.214, 5.2.2.2.1): one beam and a co-phase."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from csisim.feedback.codebooks.codec import CodebookCodec, CodebookConfig
from csisim.feedback.codebooks.fields import Reader, Writer, width_of
from csisim.feedback.codebooks.panel import Panel, split


class Type1Pmi(NamedTuple):
    """Indices of a batch of reports; i1,3 is 0 at rank 1."""

    i11: np.ndarray  # (B,) beam along a row, l
    i12: np.ndarray  # (B,) beam along a column, m
    i13: np.ndarray  # (B,) offset of the second layer's beam
    i2: np.ndarray  # (B, N3) co-phase


@dataclass(frozen=True)
class Type1Codebook:
    """One oversampled DFT beam for the whole band, and a co-phase of the two polarisations in every subband.

    At rank 2 the layers use beams (l, m) and (l, m) + an orthogonal offset, with opposite co-phases.
    """

    panel: Panel
    rank: int
    subbands: int

    @property
    def offsets(self) -> np.ndarray:
        """Offsets (k1, k2) that i1,3 names, (n, 2) (Table 5.2.2.2.1-3)."""
        panel, o1, o2 = self.panel, self.panel.o1, self.panel.o2
        if self.rank == 1:
            return np.array([(0, 0)])
        if panel.n2 == 1:
            return np.array([(k * o1, 0) for k in range(2 if panel.n1 == 2 else 4)])
        last = (o1, o2) if panel.n1 == panel.n2 else (2 * o1, 0)
        return np.array([(0, 0), (o1, 0), (0, o2), last])

    @property
    def co_phases(self) -> np.ndarray:
        """Co-phases that i2 names: 1, j, -1, -j, of which rank 2 uses two."""
        return 1j ** np.arange(4 if self.rank == 1 else 2)

    @property
    def num_bits(self) -> int:
        """Length of every report."""
        panel = self.panel
        grid = width_of(panel.n1 * panel.o1) + width_of(panel.n2 * panel.o2)
        return grid + width_of(len(self.offsets)) + self.subbands * width_of(len(self.co_phases))

    def select(self, directions: np.ndarray) -> Type1Pmi:
        """The indices of the largest similarity to directions (B, N3, P, rank), exhaustively.

        Similarity is sum_l |u_l^H w_l|^2, added over the subbands.
        """
        panel = self.panel
        m_size = panel.n2 * panel.o2
        l, m = np.divmod(np.arange(panel.n1 * panel.o1 * m_size), m_size)  # noqa: E741
        projected = panel.beams(l, m).conj() @ split(directions).swapaxes(-1, -2)  # (B, rank, N3, Q, 2)
        second = (l + self.offsets[:, :1]) % (panel.n1 * panel.o1) * m_size + (m + self.offsets[:, 1:]) % m_size
        similarity = np.zeros((len(directions), len(self.co_phases), self.subbands, *second.shape))
        for n, co_phase in enumerate(self.co_phases.conj()):
            for layer, sign in zip(range(self.rank), (1, -1), strict=False):
                both = projected[:, layer, ..., 0] + sign * co_phase * projected[:, layer, ..., 1]
                power = both.real**2 + both.imag**2
                similarity[:, n] += power[..., second] if layer else power[..., None, :]
        flat = similarity.reshape(*similarity.shape[:3], -1)
        best = np.argmax(flat.max(axis=1).sum(axis=1), axis=1)
        i2 = np.take_along_axis(flat, best[:, None, None, None], axis=-1)[..., 0].argmax(axis=1)
        i13, beam = np.divmod(best, len(l))
        return Type1Pmi(l[beam], m[beam], i13, i2)

    def precoder(self, pmi: Type1Pmi) -> np.ndarray:
        """Precoders W (B, N3, P, rank) of Tables 5.2.2.2.1-5 and -6, of unit norm."""
        panel = self.panel
        offset = self.offsets[pmi.i13]
        phase = self.co_phases[pmi.i2][..., None]
        layers = []
        for layer, sign in zip(range(self.rank), (1, -1), strict=False):
            beam = panel.beams(pmi.i11 + layer * offset[:, 0], pmi.i12 + layer * offset[:, 1])[:, None]
            layers.append(np.concatenate([np.broadcast_to(beam, (*pmi.i2.shape, panel.half)), sign * phase * beam], axis=-1))
        return np.stack(layers, axis=-1) / np.sqrt(self.rank * panel.ports)

    def write(self, pmi: Type1Pmi) -> Writer:
        """The bit strings: i1,1, i1,2, i1,3, i2."""
        panel = self.panel
        writer = Writer(len(pmi.i11), self.num_bits)
        writer.write(pmi.i11[:, None], width_of(panel.n1 * panel.o1))
        writer.write(pmi.i12[:, None], width_of(panel.n2 * panel.o2))
        writer.write(pmi.i13[:, None], width_of(len(self.offsets)))
        writer.write(pmi.i2, width_of(len(self.co_phases)))
        return writer

    def read(self, bits: np.ndarray) -> Type1Pmi:
        """The indices in bit strings (B, num_bits)."""
        panel, reader = self.panel, Reader(bits)
        i11 = reader.read(width_of(panel.n1 * panel.o1), 1)[:, 0]
        i12 = reader.read(width_of(panel.n2 * panel.o2), 1)[:, 0]
        i13 = reader.read(width_of(len(self.offsets)), 1)[:, 0]
        return Type1Pmi(i11, i12, i13, reader.read(width_of(len(self.co_phases)), self.subbands))


class Type1Config(CodebookConfig):
    """Type I single-panel codebook: one beam, and a co-phase per subband."""

    kind: Literal["type1"] = "type1"


class Type1(CodebookCodec):
    """Reports of :class:`Type1Codebook`."""

    Config = Type1Config

    def codebook(self, panel: Panel, subbands: int) -> Type1Codebook:
        return Type1Codebook(panel, self.config.rank, subbands)
