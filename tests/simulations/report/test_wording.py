from __future__ import annotations

from fl_server.acceptance import AcceptanceScore
from fl_server.release.gate import Candidate, judge_candidate
from simulations.report.wording import gate_text, limit_text


def test_every_condition_of_the_gate_has_its_words_in_both_languages() -> None:
    score = AcceptanceScore(f1=0.9, false_alarms_per_1000=10.0, loss=0.2, loss_error=0.01)
    for condition in judge_candidate(Candidate(score, score, 0.001, 0.0)):
        name, limit = gate_text(condition.name), limit_text(condition.required)
        assert name.ko != name.en
        assert limit.ko.endswith(("이상", "이하"))
        assert limit.en.split()[-1] == limit.ko.split()[0]
