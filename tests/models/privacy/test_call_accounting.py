"""The quick accountants of DP-SGD say what Opacus's own say, and the same of a history asked for again."""

from __future__ import annotations

import numpy as np
import pytest
from opacus.accountants import PRVAccountant, RDPAccountant

from models.privacy.call_accounting import call_epsilon, renyi_epsilon

DELTA = 1e-5

HISTORIES = [((1.0, 0.5, 12),), ((1.0, 1.0, 3),), ((0.8, 0.25, 7), (1.2, 0.5, 9))]


def opacus_epsilon(accountant, history) -> float:
    accountant.history = list(history)
    with np.errstate(divide="ignore"):
        return accountant.get_epsilon(DELTA)


@pytest.mark.parametrize("history", HISTORIES)
def test_epsilon_is_that_of_opacus_prv_accountant(history):
    assert call_epsilon(history, DELTA) == pytest.approx(opacus_epsilon(PRVAccountant(), history), rel=1e-9)


@pytest.mark.parametrize("history", HISTORIES)
def test_the_renyi_bound_is_that_of_opacus_rdp_accountant_and_lies_above(history):
    assert renyi_epsilon(history, DELTA) == pytest.approx(opacus_epsilon(RDPAccountant(), history), rel=1e-12)
    assert renyi_epsilon(history, DELTA) > call_epsilon(history, DELTA)


def test_more_steps_spend_more_and_no_step_spends_nothing():
    spent = [call_epsilon(((1.0, 0.5, steps),), DELTA) for steps in (1, 2, 4, 8)]
    assert spent == sorted(set(spent))
    assert call_epsilon((), DELTA) == 0.0
