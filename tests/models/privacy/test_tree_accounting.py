"""How far one person moves the nodes of a tree, held against every way to take part and against dp-accounting."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from dp_accounting import NeighboringRelation, SingleEpochTreeAggregationDpEvent
from dp_accounting.rdp import RdpAccountant

from models.domain.privacy import Adversary, Mechanism, NeighbouringRelation, PersonPrivacy
from models.errors import UsageError
from models.privacy.accounting import Accountant, person_epsilon, state_person_privacy
from models.privacy.tree_accounting import planned_trees, tree_sensitivity_squared, trees_sensitivity_squared

PLAN = PersonPrivacy(
    clip_norm=1.0,
    noise_multiplier=4.0,
    cohort=100,
    population=1_000,
    rounds=40,
    participations=5,
    delta=1e-6,
    mechanism=Mechanism.FTRL,
    separation=8,
    tree_rounds=32,
)


def ways_to_take_part(rounds: int, participations: int, separation: int):
    for count in range(1, participations + 1):
        for chosen in itertools.combinations(range(rounds), count):
            if all(later - earlier >= separation for earlier, later in itertools.pairwise(chosen)):
                yield chosen


def moved_squared(trees: tuple[int, ...], chosen: tuple[int, ...]) -> int:
    """Count, node by node, how often a person is in it; the squares add up."""
    total, begin = 0, 0
    for rounds in trees:
        for height in range(rounds.bit_length()):
            for node in range(rounds >> height):
                first, size = begin + (node << height), 1 << height
                total += sum(first <= number < first + size for number in chosen) ** 2
        begin += rounds
    return total


CASES = list(itertools.product([(1,), (7,), (8,), (12,), (4, 4), (8, 3)], [1, 2, 3], [1, 2, 4]))


@pytest.mark.parametrize(("trees", "participations", "separation"), CASES)
def test_no_way_to_take_part_moves_the_nodes_further_than_the_bound(trees, participations, separation):
    ways = ways_to_take_part(sum(trees), participations, separation)
    worst = max(moved_squared(trees, chosen) for chosen in ways)
    bound = trees_sensitivity_squared(trees, participations, separation)
    assert worst <= bound <= 1.15 * worst


def test_the_check_against_every_way_rejects_a_bound_that_forgets_the_higher_nodes():
    ways = ways_to_take_part(8, 2, 1)
    assert max(moved_squared((8,), chosen) for chosen in ways) > 2 * 4  # 2 participations, 4 heights, each alone


@pytest.mark.parametrize("rounds", [1, 2, 5, 8, 31, 32])
def test_one_participation_costs_what_dp_accounting_says_of_a_tree(rounds):
    theirs = RdpAccountant(neighboring_relation=NeighboringRelation.REPLACE_SPECIAL)
    theirs.compose(SingleEpochTreeAggregationDpEvent(4.0, rounds))
    plan = replace(PLAN, participations=1, rounds=rounds)
    ours = person_epsilon(plan, Adversary.SERVER, rounds, Accountant.RDP)
    # Theirs counts a node more where the rounds are no power of two.
    assert ours <= theirs.get_epsilon(PLAN.delta) * (1 + 1e-9)
    if rounds & (rounds - 1) == 0:
        assert ours == pytest.approx(theirs.get_epsilon(PLAN.delta))


def test_a_lone_participation_is_in_one_node_of_each_height():
    assert [tree_sensitivity_squared(rounds, 1, 1) for rounds in (1, 2, 3, 4, 8, 32)] == [1, 2, 2, 3, 4, 6]


def test_taking_part_further_apart_costs_less():
    costs = [tree_sensitivity_squared(32, 4, separation) for separation in (1, 2, 4, 8)]
    assert costs == sorted(set(costs), reverse=True)


def test_a_tree_that_starts_anew_costs_those_less_who_take_part_once_and_adds_up_for_others():
    assert trees_sensitivity_squared((16, 16), 1, 1) < tree_sensitivity_squared(32, 1, 1)
    assert trees_sensitivity_squared((16, 16), 2, 16) == 2 * tree_sensitivity_squared(16, 1, 1)


def test_the_planned_trees_cover_the_rounds():
    assert planned_trees(40, 32) == (32, 8)
    assert planned_trees(64, 32) == (32, 32)
    assert planned_trees(0, 32) == ()


def test_nothing_is_spent_before_the_first_round_and_every_round_may_cost_more():
    spent = [person_epsilon(PLAN, Adversary.SERVER, rounds) for rounds in range(41)]
    assert spent[0] == 0
    assert spent == sorted(spent)


def test_the_accountants_agree_to_what_renyi_dp_gives_away():
    tight, loose = (person_epsilon(PLAN, Adversary.RECIPIENTS, 40, accountant) for accountant in Accountant)
    assert tight < loose < 1.15 * tight


def test_no_amplification_is_claimed_for_anybody():
    rare = replace(PLAN, population=10_000_000)
    for against in Adversary:
        assert person_epsilon(rare, against, 40) == person_epsilon(PLAN, against, 40)
    for statement in state_person_privacy(PLAN, 40, None):
        assert (statement.sampler, statement.relation) == ("none", NeighbouringRelation.ZERO_OUT)
        assert statement.mechanism is Mechanism.FTRL


@pytest.mark.parametrize(
    "broken",
    [{"separation": 32}, {"participations": 1}, {"noise_multiplier": 1.3 * 4.0}, {"rounds": 8}],
    ids=["separation forgotten", "one participation", "less noise", "one short tree"],
)
def test_a_broken_accountant_of_trees_is_caught(broken):
    """The squared distance of a person who takes part in rounds 1, 9, 17, 25 and 33 is a lower bound."""
    least = moved_squared((32, 8), (0, 8, 16, 24, 32))
    multiplier = PLAN.noise_multiplier / math.sqrt(least)
    gaussian = replace(PLAN, mechanism=Mechanism.GAUSSIAN, noise_multiplier=multiplier, participations=1)
    floor = person_epsilon(gaussian, Adversary.SERVER, 1)
    assert person_epsilon(PLAN, Adversary.SERVER, 40) >= floor
    wrong = replace(PLAN, **broken)
    assert person_epsilon(wrong, Adversary.SERVER, wrong.rounds) < 0.99 * floor


@pytest.mark.parametrize("change", [{"separation": 0}, {"participations": 0}, {"tree_rounds": 0}])
def test_a_plan_of_no_rounds_is_refused(change):
    with pytest.raises(UsageError):
        replace(PLAN, **change)
