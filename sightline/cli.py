"""The command line: what can be typed.  What is done is in ``sightline.commands``, imported when it is asked for."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import click

from sightline import __version__

BAD_INPUT, INTERRUPTED = 2, 130


class Sentence(click.ClickException):
    """Bad input: one sentence on standard error, exit code 2."""

    exit_code = BAD_INPUT

    def show(self, file: Any = None) -> None:
        """Print the sentence."""
        click.echo(f"sightline: {' '.join(self.message.split())}", file=file or sys.stderr)


class _Commands(click.Group):
    """Every error a person can make ends in a Sentence; an error of our own says so and how to see more."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx is not None else "sightline"
            message = error.format_message()
            raise Sentence(f"{message.rstrip('.')}. See: {command} --help") from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            model = "" if ctx.invoked_subcommand == "check" else "; no model was written"
            click.echo(f"\nsightline: interrupted{model}", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            raise
        except Exception as error:
            if os.environ.get("SIGHTLINE_DEBUG"):
                raise
            sentence = _expected(error)
            if sentence is not None:
                raise Sentence(sentence) from None
            click.echo(
                f"sightline: an error of Sightline itself, {type(error).__name__}: {error}."
                " SIGHTLINE_DEBUG=1 shows where; please report it.",
                err=True,
            )
            ctx.exit(1)


def _expected(error: Exception) -> str | None:
    """The sentence of an error that the input made, or None."""
    if isinstance(error, ValueError):  # with TableError and DataError, which derive from it
        return str(error) if type(error) is not ValueError or _said_on_purpose(error) else None
    if isinstance(error, OSError):
        name = error.filename
        what = error.strerror or str(error)
        return f"{name}: {what}" if name else what
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; try fewer columns, or a machine with more"
    return None


def _said_on_purpose(error: Exception) -> bool:
    """Whether a `raise` of Sightline's own made the error, not a slip in its code or in a library's."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename.startswith(os.path.dirname(__file__)) and (last.line or "").lstrip().startswith("raise")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sightline")
def main() -> None:
    """Linear models, fitted to their proven optimum.

    \b
    sightline fit data.csv --target species     fit, print the table, write model and report
    sightline predict MODEL new.csv             predictions for new rows
    sightline show MODEL                        the table again
    sightline certify MODEL data.csv            how far the model is from the best on that data
    sightline separation data.csv --target y    whether the classes are separated, and which rows
    sightline tour                              five trainings that fell short, run here and explained
    sightline check train.py                    why this PyTorch training falls short, with what mends it
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter gets "?"


def _reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how a file of data is to be read."""
    for option in reversed((
        click.option("--na", multiple=True, metavar="TEXT", help="A further text that means a missing cell."),
        click.option("--no-header", is_flag=True, help="The CSV file has no line of names: columns are c1, c2, ..."),
        click.option("--delimiter", metavar="CHAR", help="Between the cells of a CSV file; found out by default."),
        click.option("--decimal", type=click.Choice([".", ","]), help="In the numbers of a CSV file."),
        click.option("--encoding", default="utf-8", metavar="NAME", help="Text encoding of a CSV file."),
        click.option("--features", metavar="KEY", help="The array of features in .npz, .pt and .safetensors files."),
    )):  # fmt: skip
        command = option(command)
    return command


_MISSING = click.Choice(["error", "drop", "mean"])


@main.command(short_help="Fit a model, print its table, write model and report.")
@click.argument("data", type=click.Path())
@click.option("--target", metavar="COLUMN", help="The column to be predicted.")
@click.option("--labels", metavar="FILE", help="A file of labels, where the features are in a file without them.")
@click.option("--loss", "--model", "loss", metavar="NAME",
              help="squared, logistic, softmax, hinge, squared_hinge, huber, poisson or quantile;"
                   " guessed from the target by default.")  # fmt: skip
@click.option("--quantile", type=float, metavar="Q", help="For --loss quantile: which one, 0.5 by default.")
@click.option("--delta", type=float, metavar="D", help="For --loss huber: from where a residual is an outlier (1.35).")
@click.option("--penalty", type=click.Choice(["none", "l2", "l1", "elasticnet", "firth"]),
              help="None by default; L2 for hinge. Firth's: bias-reduced logistic regression, finite also where"
                   " classes are separated.")  # fmt: skip
@click.option("--C", "C", type=float, metavar="C", help="Inverse strength of the penalty, as in scikit-learn.")
@click.option("--strength", type=float, metavar="S", help="Strength of the penalty beside the mean loss.")
@click.option("--l1-ratio", type=float, metavar="R", help="Share of L1 in the elastic net.")
@click.option("--no-intercept", is_flag=True, help="The model passes through zero.")
@click.option("--weights", metavar="COLUMN", help="The column of the rows' weights.")
@click.option("--offset", metavar="COLUMN", help="A column added to the scores, such as a log exposure.")
@click.option("--class-weight", type=click.Choice(["balanced"]), help="Give every class the same weight in all.")
@click.option("--require", multiple=True, metavar="RATE", help="A rate to be kept, such as 'recall>=0.9',"
              " 'fpr<=0.05' or 'recall[sex=f]>=0.8'; may be given several times.")  # fmt: skip
@click.option("--confidence", type=float, metavar="P",
              help="Keep the rates of --require on new data, with this probability, such as 0.95.")  # fmt: skip
@click.option("--test-size", type=float, metavar="SHARE", help="Hold out this share of the rows and test on them.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which rows are held out.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="A column to leave out; may be given several times.")
@click.option("--categorical", multiple=True, metavar="COLUMN", help="A column of numbers that are categories.")
@click.option("--missing", type=_MISSING, default="error", show_default=True,
              help="Rows with missing cells: refuse, leave out, or fill numbers with the mean.")  # fmt: skip
@_reading
@click.option("--solver", default="auto", show_default=True, metavar="NAME", help="The method.")
@click.option("--tol", type=float, default=1e-6, show_default=True, help="Relative gap to the optimum to be proven.")
@click.option("--max-iter", type=int, metavar="N", help="Stop after so many steps, with the best so far.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Stop after so long, with the best so far.")
@click.option("--out", metavar="DIR", help="Where model.safetensors and report.html go: sightline-TARGET by default.")
@click.option("--all", "whole", is_flag=True, help="Print every coefficient, not the largest 30.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.pass_context
def fit(ctx: click.Context, /, **options: Any) -> None:
    """Fit a linear model to DATA, to its proven optimum.

    DATA is CSV (also .gz), Parquet, LIBSVM, or an array in .npy, .npz, .pt or .safetensors. Text columns become
    categories. The loss is guessed from the target and said. Ctrl-C keeps the best so far.
    """
    from sightline.commands.fit import Request, run

    ctx.exit(run(Request(**options)))


@main.command(short_help="Predictions for new rows, as CSV.")
@click.argument("model", type=click.Path())
@click.argument("data", type=click.Path())
@click.option("--out", metavar="FILE", help="Where the CSV goes; standard output by default.")
@click.option("--probability", is_flag=True, help="The probability of every class beside the prediction.")
@click.option("--missing", type=_MISSING, help="Rows with missing cells; as in training by default.")
@_reading
@click.option("--quiet", is_flag=True, help="Print no notes.")
def predict(**options: Any) -> None:
    """Predict the target of every row of DATA by MODEL (a model file, or the folder that `fit` wrote).

    Columns are matched by name, in any order; others are ignored. A row with a missing cell that was left out in
    training gets an empty prediction.
    """
    from sightline.commands.predict import run

    run(**options)


@main.command(short_help="The table of a model again; a training and its replay.")
@click.argument("model", metavar="MODEL_OR_TRAINING", type=click.Path())
@click.option("--html", metavar="FILE", help="Write the report there, or the replay of a training.")
@click.option("--data", metavar="FILE", help="A training's rows, which its own file does not hold, for the replay.")
@click.option("--target", metavar="COLUMN", help="In --data: the column that was predicted.")
@click.option("--labels", metavar="FILE", help="A file of labels, where the features are in a file without them.")
@_reading
@click.option("--all", "whole", is_flag=True, help="Print every coefficient, not the largest 30.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
def show(**options: Any) -> None:
    """Print the table of a model (a model file, or the folder that `fit` wrote), or where a training went that
    `sl.train` made and its `save` wrote.
    """
    from sightline.commands.show import run

    run(**options)


@main.command(short_help="How far a model is from the best there is on some data.")
@click.argument("model", type=click.Path())
@click.argument("data", type=click.Path())
@click.option("--target", metavar="COLUMN", help="The column to be predicted; as in training by default.")
@click.option("--labels", metavar="FILE", help="A file of labels, where the features are in a file without them.")
@click.option("--missing", type=_MISSING, help="Rows with missing cells; as in training by default.")
@_reading
@click.option("--tol", type=float, default=1e-6, show_default=True, help="Relative gap that counts as optimal.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of words.")
@click.option("--quiet", is_flag=True, help="Print no notes.")
@click.pass_context
def certify(ctx: click.Context, /, **options: Any) -> None:
    """The certificate of MODEL's weights on DATA, for the loss and penalty that it was fitted with.

    Exit code 0 if the weights are proven optimal there, 1 if not.
    """
    from sightline.commands.certify import run

    ctx.exit(run(**options))


@main.command(short_help="Whether classes are separated: rows, coefficients, proof.")
@click.argument("data", type=click.Path())
@click.option("--target", metavar="COLUMN", help="The column of classes.")
@click.option("--labels", metavar="FILE", help="A file of labels, where the features are in a file without them.")
@click.option("--no-intercept", is_flag=True, help="The model passes through zero.")
@click.option("--weights", metavar="COLUMN", help="The column of the rows' weights: rows of weight 0 do not count.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="A column to leave out; may be given several times.")
@click.option("--categorical", multiple=True, metavar="COLUMN", help="A column of numbers that are categories.")
@click.option("--missing", type=_MISSING, default="error", show_default=True,
              help="Rows with missing cells: refuse, leave out, or fill numbers with the mean.")  # fmt: skip
@_reading
@click.option("--reference", metavar="CLASS", help="With several classes, the one that coefficients are against.")
@click.option("--limit", is_flag=True, help="Fit the rows that overlap: the finite coefficients of the limit.")
@click.option("--time-limit", type=float, default=60.0, show_default=True, metavar="SECONDS",
              help="What the search may take.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of words.")
@click.option("--quiet", is_flag=True, help="Print no notes.")
@click.pass_context
def separation(ctx: click.Context, /, **options: Any) -> None:
    """Whether the classes of DATA are separated by a linear model, so that it has no finite fit without a penalty.

    Exit code 0 if they overlap, 1 if they are separated. Rows are counted from 1, without the line of names.
    """
    from sightline.commands.separation import run

    ctx.exit(run(**options))


@main.command(short_help="Five trainings that fell short, run here and explained.")
@click.argument("case", required=False)
@click.option("--out", metavar="DIR", help="Write the page there as well: the pictures, and trainings to replay.")
@click.option("--short", is_flag=True, help="The outcomes alone, in a few seconds.")
def tour(**options: Any) -> None:
    """Run the founding cases and tell what came out: what was tried, what it gave, what the optimum is, why it fell
    short, and what reaches it. Every number is computed on the spot.

    CASE is one of them by number or name: 1 hinge, 2 fahrenheit, 3 two-points, 4 line, 5 iris. Without it all are told.
    """
    from sightline.commands.tour import run

    run(**options)


class _BeforeScript(click.Command):
    """A command whose own options end where the script is named: what follows is the script's, also its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value = {
            name for option in self.params if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        } - {"--json"}  # fmt: skip
        ours: list[str] = []
        rest = list(args)
        while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
            option = rest.pop(0)
            # `--json train.py` must not take the script for the file: the file is given as --json=FILE.
            ours.append("--json=-" if option == "--json" else option)
            if option in takes_value and rest:
                ours.append(rest.pop(0))
            if option.startswith("-m"):
                break
        if rest and rest[0] != "--":
            rest.insert(0, "--")
        return super().parse_args(ctx, [*ours, *rest])


@main.command(
    cls=_BeforeScript, short_help="Why a PyTorch training falls short, with what mends it.",
    options_metavar="[OPTIONS]",
)  # fmt: skip
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]...")
@click.option("-m", "module", metavar="MODULE", help="Check a module, as `python -m MODULE [ARGS]...` runs it.")
@click.option("--json", metavar="[=FILE]", help="Print JSON in place of the report; with =FILE write it there beside.")
@click.option("--html", metavar="FILE", help="Write a page with the findings and the pictures of this training.")
@click.option("--select", multiple=True, metavar="RULE,...", help="Ask these rules alone; `sightline rule` lists them.")
@click.option("--ignore", multiple=True, metavar="RULE,...", help="Leave these rules out.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Stop the script after so long; say what was seen.")
@click.option("--max-steps", type=int, metavar="N", help="Stop the script after so many optimizer steps.")
@click.option("--every", type=int, metavar="K", help="Record one step in K whole, for long trainings.")
@click.option("--no-try", is_flag=True, help="Do not try the mends.")
@click.option("--quiet", is_flag=True, help="Print no report: the exit code, and the files that are asked for.")
@click.option("--script-output", type=click.Choice(["show", "stderr", "hide"]),
              help="What the script prints: as it is, on standard error (so with --json), or not at all.")  # fmt: skip
@click.pass_context
def check(ctx: click.Context, /, **options: Any) -> None:
    """Run SCRIPT as it is, watch its training, and say what is wrong, how that was measured, and what mends it, with
    the mend tried.

    Options stand before SCRIPT; what follows it is the script's own. The script runs with its arguments, its files and
    its folder; nothing of it is changed and nothing is sent anywhere.

    Exit code 0 if the training is healthy, 1 if something is wrong with it, 2 if it could not be checked.
    """
    from sightline.commands.check import run

    ctx.exit(run(**options))


@main.command(short_help="What a rule of check finds, and why; the list of all.")
@click.argument("rule", required=False)
@click.option("--markdown", is_flag=True, help="Print Markdown, not rendered.")
def rule(**options: Any) -> None:
    """Print the page of RULE, a rule of `sightline check`: what it finds, why it matters, an example, what to write
    instead, and how sure it is. Without RULE all rules are listed.
    """
    from sightline.commands.rule import run

    run(**options)


if __name__ == "__main__":
    main()
