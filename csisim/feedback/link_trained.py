"""What codecs that are trained with their link have in common: two designs, and weights that both ends know."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from csisim.weights import Learned, Parameters, parameters_of


class LinkTrained(Learned):
    """A codec that Kang 2022, Sec. VI-B, trains behind the networks of the link, or together with them."""

    training: Literal["separate", "joint"] = Field(
        "separate", description="trained for its own error, or with the link's networks for the rate"
    )


class LinkTrainedState(NamedTuple):
    """Shape (D, K, S, R, T) of the CSI and the parameters, of its precision; the codec has no memory."""

    shape: tuple[int, ...]
    dtype: np.dtype
    parameters: Parameters


def state_of(
    config: LinkTrained,
    shape: tuple[int, ...],
    dtype: np.dtype,
    dims: Mapping[str, int],
    template: Callable[[Mapping[str, int]], Parameters],
) -> LinkTrainedState:
    """What both ends know: the weights that the configuration names, for ``dims``.

    Raises
    ------
    WeightsError
        If there are none for these sizes.
    """
    trained = parameters_of(config, "codec", dims, template)
    wide = np.finfo(dtype).dtype
    fitted = {name: value.astype(np.result_type(value, wide)) for name, value in trained.items()}
    return LinkTrainedState(tuple(shape), np.dtype(dtype), fitted)
