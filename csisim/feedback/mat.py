"""CsiNet's data files: ``HT`` in [0, 1] and ``HF_all``, with the scale factors that the public files lack.

The public files hold images [re, im] x angle x delay, 0.5 + h / (2 max |h|) per sample, and nobody can undo that. Files written
here hold the divisor as ``scale``: (HT - 0.5) * scale is the channel again, and other readers do not notice.
"""

from pathlib import Path

import numpy as np

from csisim.errors import CsisimError
from csisim.feedback.images import denormalise, normalise
from csisim.feedback.metrics import frequency_response


def write_mat(path: str | Path, rows: np.ndarray, *, frequency: bool = True) -> None:
    """Write channels in the layout of the CsiNet data set.

    Parameters
    ----------
    path : path ending in .mat
    rows : (n, delay, angle) complex
        The angle axis has angle zero in its middle, as in the public files.
    frequency : bool
        Also write ``HF_all``, the response of the normalised images on the 125 frequencies of the public evaluators.

    Raises
    ------
    CsisimError
        If a row is all zero or not finite.
    """
    from scipy.io import savemat

    if not np.isfinite(rows).all() or not rows.any(axis=(1, 2)).all():
        raise CsisimError(f"{path}: every row must be a channel, finite and not all zero")
    images = rows.swapaxes(-1, -2)
    scale = 2 * np.abs(images).max(axis=(1, 2)).astype(np.float64)
    image = normalise(images, scale, "published")
    contents = {"HT": image.reshape(len(image), -1), "scale": scale[:, None]}
    if frequency:
        contents["HF_all"] = frequency_response(image - np.float32(0.5)).reshape(len(image), -1).astype(np.complex64)
    savemat(path, contents)


def read_mat(path: str | Path, angles: int = 32, delays: int = 32) -> tuple[np.ndarray, np.ndarray | None]:
    """Channels and frequency responses of a file in the layout of the CsiNet data set.

    Returns
    -------
    rows : (n, delay, angle) complex64
        In their own units if the file has ``scale``, else as normalised.
    frequency : (n, angle, 125) complex64 or None
        ``HF_all``, of the normalised images.

    Raises
    ------
    CsisimError
        If the file has no ``HT`` of this size.
    """
    from scipy.io import loadmat

    if not Path(path).is_file():
        raise CsisimError(f"{path}: no such file")
    try:
        contents = loadmat(path, variable_names=["HT", "HF_all", "scale"])
    except (ValueError, TypeError, OSError, NotImplementedError) as error:
        raise CsisimError(f"{path}: not a readable .mat file ({error})") from error
    flat = contents.get("HT")
    if flat is None or flat[0].size != 2 * angles * delays:
        raise CsisimError(f"{path}: no key HT with {2 * angles * delays} numbers per row")
    image = flat.reshape(-1, 2, angles, delays)
    scale = contents["scale"][:, 0] if "scale" in contents else np.ones(len(image))
    rows = denormalise(image, scale, "published").swapaxes(-1, -2).astype(np.complex64)
    frequency = contents.get("HF_all")
    return rows, None if frequency is None else frequency.reshape(len(image), angles, -1).astype(np.complex64)
