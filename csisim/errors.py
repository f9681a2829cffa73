"""What can be wrong with a user's input, said so that it can be mended."""

from dataclasses import dataclass


class CsisimError(Exception):
    """An error whose message is meant for the user; the command line prints it without a traceback."""


class PilotError(CsisimError, ValueError):
    """The pilots cannot identify the channel (too short, or rank deficient)."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a scenario.

    ``path`` is the place in the document, e.g. ``("system", "num_rf")`` or ``("schemes", 0, "digital", "kind")``;
    ``message`` says what is wrong *and what is allowed*.
    """

    path: tuple[str | int, ...]
    message: str


class ScenarioError(CsisimError):
    """A scenario that cannot be run; the message lists every problem, one per line."""
