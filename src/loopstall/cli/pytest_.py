"""``loopstall pytest``: where the pytest plugin is to be found."""

import click

from loopstall.cli.options.helped import HelpedCommand

__all__ = ["command"]

_EXAMPLES = (
    ("pytest --stall-budget 50ms", "Fail each test that blocks an event loop for longer than 50 ms."),
    ("pytest --stall-budget 50ms --stall-baseline write", "Accept the stalls of today; only new or longer ones fail."),
    ("pytest --stall-report stalls.html", "Write the stalls of the whole session to a page."),
)


@click.command("pytest", cls=HelpedCommand, examples=_EXAMPLES, add_help_option=False,
               context_settings={"ignore_unknown_options": True})  # fmt: skip
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> int:
    """Fail tests that block an event loop: loopstall is a plugin of pytest, so call pytest itself.

    The plugin is installed with loopstall and does nothing until one of its options, a `stall_budget` in the
    settings of pytest, or the mark `stall_budget` asks for it. `pytest --help` lists its options.
    """
    if words and not set(words) <= {"-h", "--help"}:
        raise click.UsageError("loopstall is a plugin: call pytest itself, for instance pytest --stall-budget 50ms")
    click.echo(ctx.get_help())
    return 0
