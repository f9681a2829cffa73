"""The scenarios that come with csisim, wherever it runs from."""

from pathlib import Path

import csisim
from csisim.errors import CsisimError, ScenarioError
from csisim.scenario.suggest import did_you_mean


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


def scenario_file(name: str) -> Path:
    """The file that an argument means: itself, or the shipped scenario of that bare name, where there is no such file.

    A bare name has neither a folder nor a suffix: ``quickstart``, ``kang2022_table1``.

    Raises
    ------
    ScenarioError
        If a bare name is neither a file nor a shipped scenario; with the nearest name.
    """
    file = Path(name)
    if file.is_file() or file.name != name or file.suffix:
        return file
    known = {path.stem: path for path in shipped().rglob("*.yaml")}
    if name not in known:
        here = Path(f"{name}.yaml")
        near = f" (did you mean {here}?)" if here.is_file() else did_you_mean(name, known)
        raise ScenarioError(f"{name}: neither a file here nor a shipped scenario{near}; `csisim ls scenarios` lists those there are")
    return known[name]
