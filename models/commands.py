"""What the commands of ``python -m models`` do. torch is imported only where a command needs it."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from models.command import console, print_json
from models.corpus.generator import SOURCE, generate_calls
from models.corpus.reader import call_lines, read_calls
from models.detector.model_file import make_directory, write_bytes
from models.domain.call import Call
from models.domain.release import Thresholds
from models.errors import BadInputError, UsageError
from models.text.clean import split_words
from models.text.ngrams import NgramScheme

if TYPE_CHECKING:
    from models.detector.embedding import NgramEmbedding
    from models.detector.evaluation import WindowScores
    from models.detector.training import TrainingSettings

_ALARMS = "false_alarms_per_1000"


def train(options: argparse.Namespace) -> None:
    """Train a detector and save it."""
    # Only here: reading the help, or evaluating a release, needs no torch.
    from models.detector.training import EpochReport, TrainingSettings, count_epochs, train_detector

    calls = _gather_calls(options.calls, options.synthetic, options.seed)
    make_directory(options.out)  # before the work: its result must have a place
    scheme = NgramScheme(buckets=options.buckets)
    settings = TrainingSettings(dimensions=options.dimensions, scheme=scheme, steps=options.steps, seed=options.seed)
    lineage: dict[str, Any] = {"corpus": [Path(name).name for name in options.calls]}
    embedding = _compress(options.fasttext, calls, settings, lineage) if options.fasttext else None
    if not console.is_terminal:
        console.print(f"training on {len(calls):,} calls", markup=False)
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

    if options.scores:
        _keep_apart(options.scores, map(Path, options.calls))
    detector = open_detector(options.model)
    calls = _gather_calls(options.calls, options.synthetic, options.seed)
    heard = {seconds: detector.score(calls, seconds) for seconds in options.seconds}
    windows = evaluate_windows(heard, calls, detector.thresholds)
    if options.scores:
        _write_scores(options.scores, calls, heard, detector.thresholds)
    if options.json:
        print_json({"model": str(options.model.name), "thresholds": _as_json(detector.thresholds), "windows": windows})
    else:
        console.print(_table(windows))


def export(options: argparse.Namespace) -> None:
    """Export a trained detector for devices."""
    from models.detector.detector import TrainedDetector
    from models.detector.export import export_detector

    _keep_apart(options.out, [options.model])
    for path in export_detector(TrainedDetector.load(options.model), options.out, dynamic=options.dynamic):
        console.print(f"{path}  {path.stat().st_size:,} bytes", markup=False, soft_wrap=True)


def pseudonymise(options: argparse.Namespace) -> None:
    """Mask the calls of a file and put pseudonyms in place of their ids."""
    from models.corpus.pseudonymisation import pseudonymise_file

    key = options.key or options.calls.parent / f"{options.calls.name}.pseudonym-key"
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
    from models.comparison.rows import choose_peers
    from models.comparison.run import compare_peers

    lineup = choose_peers(options.only, options.encoder)  # before the calls are read: its names may be wrong
    calls = _gather_calls(options.calls, options.synthetic, options.seed)
    with _progress_bar() as bar:
        figures = compare_peers(
            calls,
            lineup,
            folds=options.folds,
            seeds=range(options.seed, options.seed + options.seeds),
            hard=options.hard,
            out=options.out,
            progress=_show_fits(bar),
        )
    if options.json:
        print_json(figures)
    else:
        console.print(_comparison_table(figures))


def _show_fits(bar: Progress) -> Callable[[str, int, int], None]:
    """Return what shows how far a comparison is: a bar, or a line a fit where nobody watches a terminal."""
    task, began, told = bar.add_task("comparing", total=None, loss=""), time.monotonic(), -1

    def show(doing: str, done: int, total: int) -> None:
        nonlocal told
        if done > told and not console.is_terminal:
            minutes, seconds = divmod(round(time.monotonic() - began), 60)
            console.print(f"{minutes}:{seconds:02} {done}/{total} {doing}", markup=False)
        told = done
        bar.update(task, completed=done, total=total, loss=doing)

    return show


def counterfactual(options: argparse.Namespace) -> None:
    """Write calls with one thing changed that must not change a verdict."""
    from models.corpus.counterfactual import choose_hard, fit_strengths, make_counterfactuals

    _keep_apart(options.target, [options.source])
    calls = read_calls(options.source)
    made = make_counterfactuals(calls, choose_hard(calls, options.hard), fit_strengths(calls), options.seed)
    write_bytes(options.target, call_lines(each.call for each in made).encode())
    counts = Counter(each.change for each in made)
    console.print(", ".join(f"{change}: {count}" for change, count in counts.items()), markup=False)


def _keep_apart(target: Path, sources: Iterable[Path]) -> None:
    """Refuse to write over what the command reads: a user's only copy, perhaps."""
    if target.exists() and any(source.exists() and target.samefile(source) for source in sources):
        raise UsageError(f"{target}: is read by this command, so it can't be written to")


def _gather_calls(names: Sequence[str], synthetic: int, seed: int) -> list[Call]:
    """Read all call files, ``synthetic`` standing for calls that the corpus generates."""
    calls = [call for name in names for call in _read_or_generate(name, synthetic, seed)]
    if len({call.id for call in calls}) < len(calls):
        raise BadInputError("the call files share an id: give each call an id of its own")
    return calls


def _read_or_generate(name: str, synthetic: int, seed: int) -> list[Call]:
    return generate_calls(synthetic, seed) if name == SOURCE else read_calls(Path(name))


def _write_scores(
    path: Path, calls: Sequence[Call], heard: Mapping[float, WindowScores], thresholds: Thresholds
) -> None:
    lines = [
        {"id": call.id, "seconds": seconds, "score": float(score), "verdict": verdict.value}
        for seconds, window in heard.items()
        for call, score, verdict in zip(calls, window.scores, window.verdicts(thresholds), strict=True)
    ]
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
    write_bytes(path, text.encode())


def _as_json(thresholds: Thresholds) -> dict[str, float]:
    return {"suspicious": thresholds.suspicious, "dangerous": thresholds.dangerous}


def _table(windows: Sequence[Mapping[str, Any]]) -> Table:
    columns = {"n": "n", "precision": "prec.", "recall": "recall", "f1": "F1", "roc_auc": "AUC"}
    columns |= {_ALARMS: "false in 1000"}
    columns |= {"recall_by_then": "recall by then", f"{_ALARMS}_by_then": "false in 1000 by then"}
    table = Table("s", Column("source", no_wrap=True), *columns.values(), padding=0)  # 80 characters are enough
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
    """Return a bar; where nobody watches a terminal it shows nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[loss]}"), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
