"""Everything that the page of a simulated run shows, as plain values that the run fills in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from models.domain.call import ScamType
from models.domain.privacy import Adversary, PrivacyMode, PrivacyStatement, PrivacyUnit
from models.domain.round import ReplyFate, RoundReport
from simulations.report.product import CallDetection, ReleaseCard, StatisticsOutcome
from simulations.report.validity import ReportContentError, require_share


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was run.

    Attributes:
        title: The page's title.
        scenario: The scenario's name.
        devices: Devices that really ran.
        cohort: Devices asked in a round, as planned.
        privacy: The protection that the run trained under.
        unseen_type: The scam type that the base detector never saw, ``None`` where the scenario holds none back.
        own_calls: Whether the devices held calls from the user's file and not the synthetic ones.
        seconds: How long the run took.
        settings: Further settings, name to value, shown as they are.
    """

    title: str
    scenario: str
    devices: int
    cohort: int
    privacy: PrivacyMode
    unseen_type: ScamType | None
    own_calls: bool
    seconds: float
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Clipping:
    """How updates were clipped: the L2 norm they were cut to, and the share of updates that were longer."""

    norm: float
    share: float

    def __post_init__(self) -> None:
        require_share("share of updates clipped", self.share)


@dataclass(frozen=True, slots=True)
class UpdateNorms:
    """L2 norms of a round's updates before clipping. Only a simulator can know them.

    ``clipping`` is ``None`` where the run clips no updates.
    """

    smallest: float
    median: float
    largest: float
    clipping: Clipping | None

    def __post_init__(self) -> None:
        if not 0 <= self.smallest <= self.median <= self.largest < math.inf:
            raise ReportContentError("expected finite update norms with smallest <= median <= largest")


@dataclass(frozen=True, slots=True)
class SpentEpsilon:
    """Epsilon spent by the end of a round, of one unit against one adversary."""

    unit: PrivacyUnit
    against: Adversary
    epsilon: float


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """A round: what the server reported of it, and what only the simulation measured.

    Attributes:
        report: What the server knows: asked, fates, acceptance F1 and loss, seconds.
        kept_apart_f1: F1 of this round's model on calls kept apart from devices and server.
        recall_by_type: Its recall there, by scam type; types without a call are left out.
        spent: Epsilon so far, one for each of the run's privacy statements; empty without privacy.
        norms: Known to the simulator only; ``None`` where no update came.
    """

    report: RoundReport
    kept_apart_f1: float
    recall_by_type: Mapping[ScamType, float]
    spent: tuple[SpentEpsilon, ...]
    norms: UpdateNorms | None

    def __post_init__(self) -> None:
        require_share("F1 on calls kept apart", self.kept_apart_f1)
        require_share("F1 on the acceptance set", self.report.acceptance_f1)
        for name, recall in self.recall_by_type.items():
            require_share(f"recall on {name}", recall)
        if sum(self.report.fates.values()) != self.report.asked:
            raise ReportContentError(f"round {self.report.number}: fates don't add up to the {self.report.asked} asked")

    @property
    def dropped_out(self) -> int:
        """Devices that were asked and never replied."""
        return self.report.fates.get(ReplyFate.NO_REPLY, 0)

    @property
    def replied(self) -> int:
        """Devices that replied, whether or not the reply could be used."""
        return self.report.asked - self.dropped_out

    @property
    def refused(self) -> int:
        """Devices that replied that they refuse."""
        return self.report.fates.get(ReplyFate.REFUSED, 0)

    @property
    def unusable(self) -> int:
        """Other replies that are no part of the model."""
        return self.replied - self.refused - self.folded

    @property
    def mishaps(self) -> dict[ReplyFate, int]:
        """Replies that came and could not be folded in, by what they were."""
        fine = (ReplyFate.FOLDED, ReplyFate.NO_REPLY)
        return {fate: count for fate, count in self.report.fates.items() if count and fate not in fine}

    @property
    def folded(self) -> int:
        """Replies that became part of the model; none of a secure round that was aborted."""
        return 0 if self.report.aborted else self.report.fates.get(ReplyFate.FOLDED, 0)


@dataclass(frozen=True, slots=True)
class Scores:
    """How well a model did on the calls kept apart, 30 s into each call.

    Attributes:
        f1: F1 over all of them at the release's 의심 threshold.
        recall_by_type: By scam type; types without a call are left out.
        calls_by_type: Vishing calls of each type, the number that each recall rests on.
        false_alarms_per_1000: Normal calls of a thousand that it warned of.
        roc_auc: Area under the ROC curve.
        n: Calls kept apart, vishing and normal.
    """

    f1: float
    recall_by_type: Mapping[ScamType, float]
    calls_by_type: Mapping[ScamType, int]
    false_alarms_per_1000: float
    roc_auc: float
    n: int

    def __post_init__(self) -> None:
        shares = {"F1": self.f1, "ROC-AUC": self.roc_auc, "false alarms": self.false_alarms_per_1000 / 1000}
        for name, share in (shares | {f"recall on {kind}": r for kind, r in self.recall_by_type.items()}).items():
            require_share(name, share)
        if set(self.recall_by_type) != set(self.calls_by_type):
            raise ReportContentError("every recall needs the number of calls that it rests on")


@dataclass(frozen=True, slots=True)
class ReportContent:
    """The whole page.

    Attributes:
        rounds: In order; at least one.
        before: The base detector.
        after: The federated detector.
        privacy: One statement for each unit and adversary; empty where the run protects nobody.
        release: ``None`` where the run made none.
        detection: ``None`` where no device listened.
        statistics: What was learned of each question; nothing where no phone reported.
    """

    run: RunFacts
    rounds: tuple[RoundOutcome, ...]
    before: Scores
    after: Scores
    privacy: tuple[PrivacyStatement, ...]
    release: ReleaseCard | None
    detection: CallDetection | None
    statistics: tuple[StatisticsOutcome, ...]

    def __post_init__(self) -> None:
        if not self.rounds:
            raise ReportContentError("a report needs at least one round")
        stated = {(statement.unit, statement.against) for statement in self.privacy}
        if len(stated) != len(self.privacy):
            raise ReportContentError("expected one privacy statement for each unit and adversary")
        spent = {(part.unit, part.against) for outcome in self.rounds for part in outcome.spent}
        if not spent <= stated:
            raise ReportContentError("an epsilon by round has no privacy statement that says what it means")


def content_as_json(content: ReportContent) -> str:
    """Return the content as one JSON object, for whoever reads figures with a script.

    Raises:
        ReportContentError: A figure is not finite.
    """
    try:
        return json.dumps(asdict(content), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ReportContentError("a figure of the report is not finite") from error
