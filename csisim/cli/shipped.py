"""The scenarios that come with csisim, wherever it runs from."""

from pathlib import Path

import csisim
from csisim.errors import CsisimError


def shipped() -> Path:
    """The folder of the shipped scenarios: in the installed package, or beside it in a working copy.

    Raises
    ------
    CsisimError
        If there is none.
    """
    package = Path(csisim.__file__).parent
    for folder in (package / "scenarios", package.parent / "scenarios"):
        if (folder / "quickstart.yaml").is_file():
            return folder
    raise CsisimError(f"{package}: installed without its scenarios")
