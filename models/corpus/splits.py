"""Splits that keep near duplicates, or draws of one scenario, on one side."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence

from models.corpus.generator import scenario_of
from models.corpus.grouping import group_calls
from models.domain.call import Call, Label, ScamType
from models.errors import SplitError, UsageError

Split = tuple[list[Call], list[Call]]
"""The rest, and the calls that are kept apart; each in the order of the calls given."""

Stratum = tuple[Label, ScamType, str]


def split_by_group(calls: Sequence[Call], share: float, seed: int) -> Split:
    """Keep about ``share`` of the calls apart, no near duplicate on both sides; by label, type and source alike.

    Raises:
        SplitError: ``share`` is not between 0 and 1, or a side would lack a label.
    """
    return _split(calls, group_calls(calls), share, seed)


def split_by_scenario(calls: Sequence[Call], share: float, seed: int) -> Split:
    """Keep about ``share`` of synthetic calls apart, no scenario on both sides; by label and type alike.

    Raises:
        SplitError: ``share`` is not between 0 and 1, or a side would lack a label.
        UsageError: A call is not synthetic.
    """
    return _split(calls, [scenario_of(call.id) for call in calls], share, seed)


def split_by_origin(calls: Sequence[Call], share: float, seed: int) -> Split:
    """Keep about ``share`` of the calls apart: whole scenarios of synthetic ones, whole groups of others.

    Raises:
        SplitError: ``share`` is not between 0 and 1, or a side would lack a label.
    """
    return _split(calls, origins_of(calls), share, seed)


def origins_of(calls: Sequence[Call]) -> list[Hashable]:
    """Return what each call must not be separated from: its scenario if it is synthetic, else its near duplicates."""
    return [_scenario_or(group, call) for call, group in zip(calls, group_calls(calls), strict=True)]


def _scenario_or(group: int, call: Call) -> Hashable:
    try:
        return scenario_of(call.id)
    except UsageError:
        return group


def _split(calls: Sequence[Call], groups: Sequence[Hashable], share: float, seed: int) -> Split:
    if not 0.0 < share < 1.0:
        raise SplitError(f"the share kept apart must be between 0 and 1, not {share}")
    rng = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    apart = _groups_kept_apart(calls, groups, share, rng)
    split = (
        [call for call, group in zip(calls, groups, strict=True) if group not in apart],
        [call for call, group in zip(calls, groups, strict=True) if group in apart],
    )
    for side, name in zip(split, ("the rest", "what is kept apart"), strict=True):
        if absent := set(Label) - {call.label for call in side}:
            labels = " and no ".join(label.name.lower() for label in sorted(absent))
            raise SplitError(f"{name} would hold no {labels} call: there are too few groups of them to split")
    return split


def _groups_kept_apart(
    calls: Sequence[Call], groups: Sequence[Hashable], share: float, rng: random.Random
) -> set[Hashable]:
    sizes: dict[Hashable, int] = defaultdict(int)
    strata: dict[Stratum, list[Hashable]] = defaultdict(list)
    for call, group in zip(calls, groups, strict=True):
        # A group belongs to the stratum of its first call.
        if group not in sizes:
            strata[call.label, call.scam_type, call.source].append(group)
        sizes[group] += 1
    kept: set[Hashable] = set()
    for stratum in sorted(strata):
        kept |= _some_of(rng.sample(strata[stratum], len(strata[stratum])), sizes, share)
    return kept


def _some_of(groups: Sequence[Hashable], sizes: dict[Hashable, int], share: float) -> set[Hashable]:
    """Take groups until their calls come nearest to the share; at least one, and never all, where there are two."""
    wanted = share * sum(sizes[group] for group in groups)
    taken: set[Hashable] = set()
    total = 0
    for group in groups[:-1]:
        if taken and total + sizes[group] / 2 > wanted:
            continue
        taken.add(group)
        total += sizes[group]
    return taken
