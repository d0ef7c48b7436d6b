"""``python -m models``: train, evaluate, export and compare detectors in one place, and prepare calls for them."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.command import run_command
from models.commands import compare, counterfactual, evaluate, export, measure_corpus, pseudonymise, train
from models.corpus.generator import SOURCE
from models.text.ngrams import NgramScheme
from models.text.window import WINDOWS

_SYNTHETIC_CALLS = 2000
_HARD_HELP = "normal calls that get words worked in: auto, all, timed or SOURCE,..."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: options.command(options))


def _seconds(text: str) -> list[float]:
    """Parse ``10,20,30``: times after the start of a call, in seconds."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, separated by commas, got {text!r}")
    return [int(value) if value.is_integer() else value for value in dict.fromkeys(values)]


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def _at_least_two(text: str) -> int:
    if _at_least_one(text) < 2:
        raise argparse.ArgumentTypeError(f"expected a number of at least 2, got {text!r}")
    return int(text)


def _text(text: str) -> str:
    if not text.isprintable():  # bytes that are no UTF-8 come as lone surrogates, which no file of ours can hold
        raise argparse.ArgumentTypeError("expected one line of text in UTF-8")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="The detector, in one place.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    training = _add_command(commands, "train", train, "a detector from calls in one place")
    training.add_argument("--dimensions", type=_at_least_one, default=64, help="of a word's vector")
    training.add_argument("--buckets", type=_at_least_one, default=NgramScheme().buckets, help="of n-grams")
    training.add_argument("--steps", type=_at_least_one, default=500, help="at most")
    training.add_argument("--fasttext", type=Path, metavar="FILE.bin", help="take word vectors from a fastText model")
    training.add_argument("--out", type=Path, required=True, metavar="DIR")
    evaluation = _add_command(commands, "evaluate", evaluate, "figures of a trained or an exported detector")
    evaluation.add_argument("--model", type=Path, required=True, metavar="DIR")
    evaluation.add_argument("--seconds", type=_seconds, default=list(WINDOWS), metavar="S,S", help="windows of a call")
    evaluation.add_argument("--scores", type=Path, metavar="FILE", help="write a line a call and window here")
    evaluation.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    comparison = _add_command(commands, "compare", compare, "the detector against its peers, cross-validated")
    _add_comparison_options(comparison)
    for command in (training, evaluation, comparison):
        command.add_argument("--calls", nargs="+", required=True, metavar="FILE", help=f"call files, or {SOURCE!r}")
        command.add_argument("--synthetic", type=_at_least_one, default=_SYNTHETIC_CALLS, help="calls to generate")
        command.add_argument("--seed", type=int, default=0, help="of everything random")
    changing = _add_command(commands, "counterfactual", counterfactual, "calls changed where no verdict must change")
    changing.add_argument("source", type=Path, metavar="IN")
    changing.add_argument("target", type=Path, metavar="OUT")
    changing.add_argument("--seed", type=int, default=0, help="of the clauses and their places")
    for command in (comparison, changing):
        command.add_argument(
            "--hard",
            default="auto",
            metavar="WHICH",
            help=_HARD_HELP,
        )
    exporting = _add_command(commands, "export", export, "ONNX files for devices")
    exporting.add_argument("--model", type=Path, required=True, metavar="DIR")
    exporting.add_argument("--out", type=Path, required=True, metavar="DIR")
    exporting.add_argument("--dynamic", action="store_true", help="a dynamically quantised graph, too")
    _add_pseudonymise(commands)
    _add_corpus(commands)
    return parser


def _add_pseudonymise(commands: Any) -> None:
    parser = _add_command(
        commands, "pseudonymise", pseudonymise, "calls of an institution, masked and under pseudonyms"
    )
    parser.add_argument("calls", type=Path, metavar="IN", help="a call file, JSON lines or CSV")
    parser.add_argument("out", type=Path, metavar="OUT", help="JSON lines; never overwritten")
    parser.add_argument("--report", type=Path, required=True, metavar="REPORT", help="JSON; never overwritten")
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="made where it isn't there (default: IN.pseudonym-key)"
    )
    parser.add_argument("--purpose", type=_text, help="what the calls are to be used for; goes into the report")


def _add_corpus(commands: Any) -> None:
    parser = _add_command(
        commands, "corpus", measure_corpus, "figures of the synthetic calls, alone or against real ones"
    )
    parser.add_argument("--against", type=Path, metavar="FILE", help="real calls; no word of theirs is printed")
    parser.add_argument("--synthetic", type=_at_least_one, default=_SYNTHETIC_CALLS, help="calls to generate")
    parser.add_argument("--seed", type=int, default=0, help="of the calls")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def _add_comparison_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folds", type=_at_least_two, default=5, metavar="K")
    parser.add_argument("--seeds", type=_at_least_one, default=1, metavar="N", help="cross-validations, from --seed on")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="NAME,...", help="rows")
    parser.add_argument("--encoder", type=Path, metavar="DIR", help="a Hugging Face encoder's folder, with weights")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write comparison.html and comparison.json here")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def _add_command(commands: Any, name: str, command: Any, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
