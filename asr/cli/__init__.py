"""The command line: one file a command, each a thin shell over the library.

Nothing here may import torch at module level, so that `asr --help` answers at once.
"""

import atexit
import codecs
import gc
import io
import sys

import typer

from asr.cli import (
    augment,
    check,
    compare,
    decode,
    diagnose,
    export,
    info,
    lm,
    prepare,
    run,
    score,
    settings,
    stage_alone,
    sweep,
    transcribe,
    tune,
)
from asr.errors import AsrError

_OBJECTS = 50_000  # new ones, from one collection of garbage to the next

app = typer.Typer(
    name="asr",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train your own speech recogniser, transcribe with it, and measure its word error rate.",
)

app.command("run")(run.run)
app.command("transcribe")(transcribe.transcribe)
app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("check")(check.check)
app.command("settings")(settings.settings)
app.command("prepare")(prepare.prepare)
app.command("train")(stage_alone.train)
app.command("average")(stage_alone.average)
app.command("sweep")(sweep.sweep)
app.command("decode")(decode.decode)
app.command("tune")(tune.tune)
app.command("export")(export.export)
app.command("info")(info.info)
app.add_typer(lm.app, name="lm")
app.command("augment")(augment.augment)
app.command("diagnose")(diagnose.diagnose)


def main() -> None:
    """Run the command line; a user's mistake ends with one line and exit status 2."""
    # Imports and a lexicon make a million objects that are there to stay: looking through them for
    # garbage every 700, and once more at the end, takes a tenth of the time of a short recording.
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)
    _take_anything(sys.stdout)
    try:
        app()
    except AsrError as error:
        print(f"asr: {error}", file=sys.stderr)
        sys.exit(2)


def _take_anything(stream: object) -> None:
    """Show what cannot be written as an escape: it should not end anything.

    That is half a pair of UTF-16, which JSON may hold, or a letter that a terminal does not know.
    """
    if isinstance(stream, io.TextIOWrapper):
        if stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
        elif stream.errors == "surrogateescape":  # in the C locales, for the names of files
            codecs.register_error("asr", _escape)
            stream.reconfigure(errors="asr")


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """The bytes of a file's name as they are, anything else as an escape."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.backslashreplace_errors(error)
