"""What people see while a simulation works: a bar for each long step, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from models.command import console

Advance = Callable[[], None]


class ProgressBars:
    """One bar a step. Where nobody watches a terminal, a line a step."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show a step while it runs; call what is yielded after each of ``total`` parts."""
        if not console.is_terminal:
            console.print(title)
        task = self._progress.add_task(title, total=total)
        yield lambda: self._progress.advance(task)
        self._progress.update(task, total=total or 1, completed=total or 1)


@contextmanager
def show_progress() -> Iterator[ProgressBars]:
    """Show bars until the block ends."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<52}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield ProgressBars(progress)
