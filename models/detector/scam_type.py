"""Which type of scam a call is rather of, from the kinds of evidence heard in it; said only where that can be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from models.detector.evidence import Evidence
from models.domain.call import ScamType

TOLD = frozenset({ScamType.AGENCY, ScamType.LOAN, ScamType.MESSENGER})
"""Types that evidence tells apart. The others share their words with these, and guesses of them are mostly wrong."""


def guess_scam_type(evidence: Iterable[Evidence]) -> ScamType:
    """Return the type that more kinds of evidence point to than to any other, ``unknown`` where none stands out.

    Measured on 2,000 synthetic scam calls: guesses of agency are right in 76 of 100, of loan in 67, of messenger in 93,
    and they find 66, 60 and 21 of 100 such calls.

    Args:
        evidence: Found in the whole call, each kind once.
    """
    votes = Counter(kind.points_to for kind in evidence if kind.points_to is not ScamType.UNKNOWN)
    ranked = votes.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return ScamType.UNKNOWN
    return ranked[0][0] if ranked[0][0] in TOLD else ScamType.UNKNOWN
