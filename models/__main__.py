"""``python -m models``: train, evaluate, export and compare detectors in one place, and prepare calls for them."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from models.command import console, print_json, run_command
from models.corpus.generator import SOURCE, generate_calls
from models.corpus.reader import read_calls, write_calls
from models.detector.decision import decide
from models.detector.model_file import make_directory, write_bytes
from models.domain.call import Call
from models.domain.release import Thresholds
from models.errors import BadInputError
from models.text.clean import split_words
from models.text.ngrams import NgramScheme
from models.text.window import WINDOWS

if TYPE_CHECKING:
    from models.detector.embedding import NgramEmbedding
    from models.detector.training import TrainingSettings

_SYNTHETIC_CALLS = 2000
_ALARMS = "false_alarms_per_1000"
_HARD_HELP = "normal calls that get words worked in: auto, all, timed or SOURCE,..."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: options.command(options))


def train(options: argparse.Namespace) -> None:
    """Train a detector and save it."""
    # Only here: reading the help, or evaluating a release, needs no torch.
    from models.detector.training import EpochReport, TrainingSettings, count_epochs, train_detector

    calls = _gather_calls(options.calls, options.synthetic, options.seed)
    make_directory(options.out)  # before the work: its result must have a place
    scheme = NgramScheme(buckets=options.buckets)
    settings = TrainingSettings(dimensions=options.dimensions, scheme=scheme, seed=options.seed)
    lineage: dict[str, Any] = {"corpus": [Path(name).name for name in options.calls]}
    embedding = _compress(options.fasttext, calls, settings, lineage) if options.fasttext else None
    with _progress_bar() as bar:
        task = bar.add_task("training", total=count_epochs(settings, len(calls)), loss="")

        def show(report: EpochReport) -> None:
            bar.update(task, completed=report.epoch, loss=f"loss {report.loss:.3f}")

        trained = train_detector(calls, settings, show, embedding, lineage)
    trained.save(options.out)
    console.print(f"saved {options.out}: {trained.card.parameters:,} trained parameters", markup=False)


def _compress(file: Path, calls: Sequence[Call], settings: TrainingSettings, lineage: dict[str, Any]) -> NgramEmbedding:
    """Return a user's fastText model as an embedding, and write into the lineage how much of it is left."""
    from models.detector.fasttext_compression import compress_fasttext

    counts = Counter(word for call in calls for word in split_words(call.transcript))
    embedding, fidelity = compress_fasttext(file, counts, settings.scheme, settings.dimensions, settings.seed)
    lineage["fasttext"] = {"file": file.name, **asdict(fidelity)}
    console.print(
        f"{file.name}: vectors for {fidelity.covered:.0%} of the words, cosine {fidelity.cosine:.3f} after compression",
        markup=False,
    )
    return embedding


def evaluate(options: argparse.Namespace) -> None:
    """Measure a detector on calls."""
    from models.detector.evaluation import evaluate as evaluate_windows
    from models.detector.model_directory import open_detector

    detector = open_detector(options.model)
    calls = _gather_calls(options.calls, options.synthetic, options.seed)
    scores = {seconds: detector.score(calls, seconds) for seconds in options.seconds}
    windows = evaluate_windows(scores, calls, detector.thresholds)
    if options.scores:
        _write_scores(options.scores, calls, scores, detector.thresholds)
    if options.json:
        print_json({"model": str(options.model.name), "thresholds": _as_json(detector.thresholds), "windows": windows})
    else:
        console.print(_table(windows))


def export(options: argparse.Namespace) -> None:
    """Export a trained detector for devices."""
    from models.detector.detector import TrainedDetector
    from models.detector.export import export_detector

    for path in export_detector(TrainedDetector.load(options.model), options.out, dynamic=options.dynamic):
        console.print(f"{path}  {path.stat().st_size:,} bytes", markup=False, soft_wrap=True)


def pseudonymise(options: argparse.Namespace) -> None:
    """Mask the calls of a file and put pseudonyms in place of their ids."""
    from models.corpus.pseudonymisation import pseudonymise_file

    key = options.key or options.calls.with_name(f"{options.calls.name}.pseudonym-key")
    with _progress_bar() as bar:
        task = bar.add_task("masking", loss="")

        def show(done: int, calls: int) -> None:
            bar.update(task, completed=done, total=calls)

        report = pseudonymise_file(options.calls, options.out, options.report, key, options.purpose, show)
    masked, places = sum(report["masked"].values()), len(report["to_check"]["where"])
    console.print(f"{report['calls']} calls: {masked} things masked, {places} places to check by hand", markup=False)
    console.print(f"keep the key apart from the result: {key}", markup=False, soft_wrap=True)


def measure_corpus(options: argparse.Namespace) -> None:
    """Measure the synthetic calls, and how far they are from real ones."""
    from models.corpus.likeness import corpus_figures

    real = read_calls(options.against) if options.against else None
    figures = corpus_figures(generate_calls(options.synthetic, options.seed), real)
    if options.json:
        print_json(figures)
    else:
        console.print(_corpus_table(figures))


def _corpus_table(figures: Mapping[str, Any]) -> Table:
    table = Table("label", "", "figure", "value")
    for label, sides in figures.items():
        for side in ("synthetic", "real", "alike"):
            for name, value in sides.get(side, {}).items():
                table.add_row(label, side, name, str(value))
    return table


def compare(options: argparse.Namespace) -> None:
    """Measure the detector against its peers."""
    from models.comparison.run import compare_peers

    calls = _gather_calls(options.calls, options.synthetic, options.seed)
    with _progress_bar() as bar:
        task = bar.add_task("comparing", total=None, loss="")

        def show(fit: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, loss=fit)

        figures = compare_peers(
            calls,
            folds=options.folds,
            seeds=range(options.seed, options.seed + options.seeds),
            only=options.only,
            weights=options.encoder,
            hard=options.hard,
            out=options.out,
            progress=show,
        )
    if options.json:
        print_json(figures)
    else:
        console.print(_comparison_table(figures))


def counterfactual(options: argparse.Namespace) -> None:
    """Write calls with one thing changed that must not change a verdict."""
    from models.corpus.counterfactual import choose_hard, fit_strengths, make_counterfactuals

    calls = read_calls(options.source)
    made = make_counterfactuals(calls, choose_hard(calls, options.hard), fit_strengths(calls), options.seed)
    write_calls(options.target, [each.call for each in made])
    counts = Counter(each.change for each in made)
    console.print(", ".join(f"{change}: {count}" for change, count in counts.items()), markup=False)


def _gather_calls(names: Sequence[str], synthetic: int, seed: int) -> list[Call]:
    """Read all call files, ``synthetic`` standing for calls that the corpus generates."""
    calls = [call for name in names for call in _read_or_generate(name, synthetic, seed)]
    if len({call.id for call in calls}) < len(calls):
        raise BadInputError("the call files share an id: give each call an id of its own")
    return calls


def _read_or_generate(name: str, synthetic: int, seed: int) -> list[Call]:
    return generate_calls(synthetic, seed) if name == SOURCE else read_calls(Path(name))


def _write_scores(
    path: Path,
    calls: Sequence[Call],
    scores: Mapping[float, NDArray[np.float64]],
    thresholds: Thresholds,
) -> None:
    lines = [
        {"id": call.id, "seconds": seconds, "score": float(score), "verdict": decide(score, thresholds).value}
        for seconds in scores
        for call, score in zip(calls, scores[seconds], strict=True)
    ]
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
    write_bytes(path, text.encode())


def _as_json(thresholds: Thresholds) -> dict[str, float]:
    return {"suspicious": thresholds.suspicious, "dangerous": thresholds.dangerous}


def _table(windows: Sequence[Mapping[str, Any]]) -> Table:
    columns = {"n": "n", "precision": "prec.", "recall": "recall", "f1": "F1", "roc_auc": "AUC", _ALARMS: "false/1000"}
    table = Table("seconds", Column("source", no_wrap=True), *columns.values())
    for window in windows:
        for source, figures in {"all": window["all"], **window["by_source"]}.items():
            table.add_row(str(window["seconds"]), source, *(_shown(figures[name]) for name in columns))
    return table


def _comparison_table(figures: Mapping[str, Any]) -> Table:
    """Return F1 of all calls by window, and what was not measured."""
    windows = [f"{seconds:g} s" for seconds in figures["protocol"]["windows"]]
    table = Table("F1 of all calls", *windows, "60 s flips")
    for row in figures["rows"]:
        if row["skipped"]:
            table.add_row(row["title"], row["skipped"])
        else:
            scored = [_shown(window["all"]["f1"]) for window in row["windows"]]
            table.add_row(row["title"], *scored, _shown(row["counterfactual"][-1]["all"]["share"]))
    return table


def _shown(figure: float | None) -> str:
    if figure is None:
        return "-"
    return str(figure) if isinstance(figure, int) else f"{figure:.3f}"


def _progress_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[loss]}"), TimeElapsedColumn())
    return Progress(*columns, console=console)


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="The detector, in one place.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    training = _add_command(commands, "train", train, "a detector from calls in one place")
    training.add_argument("--dimensions", type=_at_least_one, default=64, help="of a word's vector")
    training.add_argument("--buckets", type=_at_least_one, default=NgramScheme().buckets, help="of n-grams")
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
    parser.add_argument("--purpose", help="what the calls are to be used for; goes into the report")


def _add_corpus(commands: Any) -> None:
    parser = _add_command(
        commands, "corpus", measure_corpus, "figures of the synthetic calls, alone or against real ones"
    )
    parser.add_argument("--against", type=Path, metavar="FILE", help="real calls; no word of theirs is printed")
    parser.add_argument("--synthetic", type=_at_least_one, default=_SYNTHETIC_CALLS, help="calls to generate")
    parser.add_argument("--seed", type=int, default=0, help="of the calls")


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
