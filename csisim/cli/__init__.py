"""The command line. Commands are imported when they are called: ``csisim --help`` loads nothing but click.

Exit codes: 0 done, 1 some cells failed, 2 something is wrong with the input, 130 interrupted.
"""

import errno
import io
import sys
from importlib import import_module
from typing import Any

import click

from csisim import __version__
from csisim.errors import CsisimError
from csisim.scenario.suggest import did_you_mean

#: Command -> ("module:function", one line for ``csisim --help``).
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("csisim.cli.run:run", "Run a scenario, or finish one that was interrupted."),
    "train": ("csisim.cli.train:train", "Train the networks of a recipe, or those that a scenario asks for."),
    "show": ("csisim.cli.show:show", "Show the results of a run as a table."),
    "plot": ("csisim.cli.plot:plot", "Draw the results of a run."),
    "timeline": ("csisim.cli.timeline:timeline", "Show a superframe slot by slot, and what it costs in bits."),
    "trace": ("csisim.cli.trace:trace", "Make and inspect data sets of channels."),
    "validate": ("csisim.cli.validate:validate", "Check scenario files without running them."),
    "codec": ("csisim.cli.codec:codec", "Show what a CSI feedback codec costs, or which one fits a device."),
    "ls": ("csisim.cli.ls:ls", "List rooms, kinds, scenarios or results."),
    "schema": ("csisim.cli.schema:schema", "Print the JSON Schema of scenario files, for editors."),
    "repro": ("csisim.cli.repro:repro", "Run one cell again in the foreground and compare it with its record."),
    "reproduce": ("csisim.cli.reproduce:reproduce", "Measure a published table or figure and judge the agreement."),
}

USAGE = 2
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that knows its commands' one-line help and imports a command only to run it."""

    def __init__(self, *args: Any, table: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported."""
        if cmd_name not in self.table:
            return None
        module, function = self.table[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), function)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name.

        Raises
        ------
        click.UsageError
            If there is none, with the nearest name.
        """
        if args and args[0] not in self.table and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}{did_you_mean(args[0], self.table)}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with the help from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is wrong with the input becomes one message and exit code 2."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # a title or a folder's name must not stop a terminal that cannot spell it
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except CsisimError as error:
            click.echo(str(error), err=True)
            ctx.exit(USAGE)
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output has left; click knows what to do
                raise
            click.echo(f"{error.filename or 'input or output'}: {error.strerror or error}", err=True)
            ctx.exit(USAGE)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="csisim")
def main() -> None:
    """csisim: what does knowing the channel cost, and what does it buy?

    A scenario is a YAML file; `csisim run scenarios/quickstart.yaml` answers its question in a few seconds.
    """
