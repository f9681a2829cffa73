"""The codebooks that tests go through."""

import itertools

import pytest

from csisim.feedback.codebooks.etype2 import EType2Codebook
from csisim.feedback.codebooks.panel import Panel
from csisim.feedback.codebooks.type1 import Type1Codebook
from csisim.feedback.codebooks.type2 import Type2Codebook

CODEBOOKS = [
    make(Panel(*geometry), rank, subbands)
    for geometry, rank, subbands in itertools.product([(2, 1), (4, 2)], (1, 2), (1, 22))
    for make in (
        Type1Codebook,
        lambda *link: Type2Codebook(*link, num_beams=2, phases=4, subband_amplitude=False),
        lambda *link: Type2Codebook(*link, num_beams=2, phases=8, subband_amplitude=True),
        lambda *link: EType2Codebook(*link, combination=2),
    )
] + [
    make(Panel(8, 2), rank, subbands)
    for rank, subbands in itertools.product((1, 2), (13, 26))
    for make in (
        lambda *link: Type2Codebook(*link, num_beams=4, phases=8, subband_amplitude=True),
        lambda *link: EType2Codebook(*link, combination=6, per_subband=2),
        lambda *link: EType2Codebook(*link, combination=8),
    )
]


@pytest.fixture(params=CODEBOOKS, ids=str)
def codebook(request):
    return request.param
