from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fl_client.__main__ import main
from fl_client.detection import CallJudge, Judgement, earliest_warning, judge_call, observe_call
from fl_server.release.publishing import publish_release
from models.corpus.reader import write_calls
from models.detector.decision import FEWEST_WORDS, decide
from models.detector.explanation import Finding
from models.detector.export import export_detector
from models.detector.runtime import OnnxDetector
from models.domain.call import Call, Label, ScamType, Segment
from models.domain.release import Calibration, Verdict
from models.text.clean import split_words
from models.text.vocabulary import Vocabulary
from tests.models.detector.small import small_detector
from tests.release_server import Publisher, serving

SAID = "네 여보세요 중앙지검 수사관입니다 통장이 범죄에 쓰였습니다 지금 바로 안전 계좌로 이체하셔야 합니다 "


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export_detector(small_detector(), folder)
    return folder


@pytest.fixture(scope="module")
def detector(exported: Path) -> OnnxDetector:
    return OnnxDetector.load(exported)


def timed_call(seconds: float, repeats: int = 6) -> Call:
    length = seconds / repeats
    return Call("one", Label.VISHING, tuple(Segment(n * length, (n + 1) * length, SAID) for n in range(repeats)))


def test_a_call_is_judged_at_every_window_until_it_was_heard(detector: OnnxDetector) -> None:
    assert [each.seconds for each in judge_call(timed_call(100), detector)] == [10, 20, 30, 60, 120]


def test_nobody_is_warned_of_a_greeting_whatever_it_scores(detector: OnnxDetector) -> None:
    card = replace(detector.card, calibration=Calibration(offset=20.0))
    judge = CallJudge(replace(detector, card=card))
    judge.hear(["여보세요", "네", "여보세요", "누구세요"])
    greeted = judge.judge(10)
    assert greeted.score > card.thresholds.dangerous
    assert (greeted.verdict, greeted.reason) == (Verdict.NORMAL, "아직 들린 말이 적어 판단하지 않았습니다.")
    judge.hear(["검찰청입니다"])
    assert judge.judge(20).verdict is Verdict.DANGEROUS


def test_judging_while_the_call_grows_ends_where_judging_it_whole_does(detector: OnnxDetector) -> None:
    call = timed_call(170)
    *_, last = judge_call(call, detector)
    judge = CallJudge(detector)
    judge.hear(split_words(call.transcript))
    whole = judge.judge(180)
    assert last.score == pytest.approx(whole.score, abs=1e-5)
    assert (last.key_tokens, last.reason) == (whole.key_tokens, whole.reason)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_the_words_arrive_the_judgement_is_the_same(detector: OnnxDetector, steps: list[int]) -> None:
    words = (SAID * 6).split()[: sum(steps)]
    growing, whole = CallJudge(detector), CallJudge(detector)
    at = 0
    for step in steps:
        growing.hear(words[at : at + step])
        growing.judge(at)
        at += step
    whole.hear(words)
    assert growing.judge(60).score == pytest.approx(whole.judge(60).score, abs=1e-5)
    assert growing.judge(60).reason == whole.judge(60).reason


def test_the_verdict_is_that_of_the_releases_thresholds(detector: OnnxDetector) -> None:
    for each in judge_call(timed_call(100), detector):
        assert each.verdict is decide(each.score, FEWEST_WORDS, detector.thresholds)
        assert 0.0 <= each.score <= 1.0
        assert len(each.key_tokens) <= 5
        assert set(each.key_tokens) <= set(SAID.split())
        assert not {"네", "여보세요", "지금"} & set(each.key_tokens)


def test_silence_is_never_warned_of(detector: OnnxDetector) -> None:
    call = Call("one", Label.NORMAL, (Segment(35, 50, SAID),))
    judgements = list(judge_call(call, detector))
    assert [each.seconds for each in judgements] == [10, 20, 30, 60]
    assert all(each.verdict is Verdict.NORMAL for each in judgements[:3])
    assert all("아직 들린 말이 없어" in each.reason for each in judgements[:3])
    assert judgements[3].key_tokens


def test_the_earliest_warning_is_the_first_that_isnt_normal() -> None:
    verdicts = [Verdict.NORMAL, Verdict.SUSPICIOUS, Verdict.DANGEROUS]
    judgements = [Judgement(10 * n, 0.5, verdict, (), "") for n, verdict in enumerate(verdicts)]
    assert earliest_warning(judgements) is judgements[1]
    assert earliest_warning(judgements[:1]) is None


def test_what_is_observed_of_a_call_is_its_first_minute_and_whether_it_was_ever_warned_of(
    detector: OnnxDetector,
) -> None:
    call = timed_call(170)
    judgements = list(judge_call(call, detector))
    observed = observe_call(call, detector)
    at_a_minute = next(judged for judged in judgements if judged.seconds == 60)
    assert (observed.verdict, observed.score) == (at_a_minute.verdict, at_a_minute.score)
    assert observed.seconds == 170
    assert observed.warned == (earliest_warning(judgements) is not None)
    assert (observed.unknown_words, observed.releases_behind, observed.label) == (None, 0, None)


def test_a_short_call_is_observed_at_its_end_and_one_without_time_stamps_in_whole_windows(
    detector: OnnxDetector,
) -> None:
    short = observe_call(timed_call(15), detector)
    assert short.score == list(judge_call(timed_call(15), detector))[-1].score
    assert short.seconds == 15
    assert observe_call(Call("one", Label.NORMAL, text=SAID), detector).seconds == 10


def test_the_owners_word_on_the_type_of_scam_goes_before_what_was_heard(detector: OnnxDetector) -> None:
    call = replace(timed_call(60), scam_type=ScamType.LOAN)
    assert observe_call(call, detector).scam_type is ScamType.AGENCY
    assert observe_call(call, detector, label=Label.VISHING).scam_type is ScamType.LOAN
    unknown = replace(call, scam_type=ScamType.UNKNOWN)
    assert observe_call(unknown, detector, label=Label.VISHING).scam_type is ScamType.AGENCY


def test_words_are_unknown_that_the_releases_vocabulary_lacks(detector: OnnxDetector) -> None:
    half = sorted(set(split_words(SAID)))[::2]
    card = replace(detector.card, vocabulary=Vocabulary.of_calls([half] * 5))
    observed = observe_call(timed_call(60), replace(detector, card=card))
    lacking = [word for word in split_words(SAID) if word not in half]
    assert observed.unknown_words == pytest.approx(len(lacking) / len(split_words(SAID)), abs=0.1)


def test_an_explainer_can_be_plugged_in(detector: OnnxDetector) -> None:
    class Short:
        def explain(self, finding: Finding) -> str:
            return f"{len(finding.words)}마디"

    first, *_ = judge_call(timed_call(60, repeats=3), detector, Short())
    assert first.reason.endswith("마디")


def test_three_hours_are_judged_window_by_window(detector: OnnxDetector) -> None:
    call = timed_call(3 * 3600, repeats=1500)
    judgements = list(judge_call(call, detector))
    assert judgements[-1].seconds == 3 * 3600
    assert len(judgements) == 6 + (3 * 3600 - 180) // 60


def write(path: Path, *calls: Call) -> Path:
    write_calls(path, calls)
    return path


def test_detect_prints_one_json_object(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = write(tmp_path / "calls.jsonl", timed_call(25))
    assert main(["detect", "--model", str(exported), "--calls", str(calls), "--json"]) == 0
    (call,) = json.loads(capsys.readouterr().out)["calls"]
    assert call["id"] == "one"
    assert [each["seconds"] for each in call["judgements"]] == [10, 20, 30]
    assert set(call["judgements"][0]) == {"seconds", "score", "verdict", "key_tokens", "reason"}


def test_detect_shows_people_the_verdict_in_korean(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = write(tmp_path / "calls.jsonl", timed_call(25))
    assert main(["detect", "--model", str(exported), "--calls", str(calls), "--call", "one"]) == 0
    shown = capsys.readouterr().err
    assert any(verdict in shown for verdict in ("정상", "의심", "위험"))
    assert "경고" in shown


def test_markup_in_a_call_is_shown_as_it_is(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = write(tmp_path / "calls.jsonl", Call("[red]id[/red]", Label.NORMAL, text="점심 먹었어 산책 갈까"))
    assert main(["detect", "--model", str(exported), "--calls", str(calls)]) == 0
    assert "[red]id[/red]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--call", "nobody"], 3),
        (["--model", "missing"], 3),
        (["--calls", "missing.jsonl"], 3),
    ],
)
def test_detect_says_in_one_line_what_is_wrong(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    calls = write(tmp_path / "calls.jsonl", timed_call(25))
    assert main(["detect", "--model", str(exported), "--calls", str(calls), *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    assert "수사관" not in captured.err


NO_TORCH = """
import sys
from fl_client.__main__ import main
code = main(sys.argv[1:])
heavy = {"torch", "opacus", "flwr"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else code)
"""


def in_another_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", NO_TORCH, *arguments], capture_output=True, text=True, check=False, env=os.environ
    )


def test_a_device_updates_and_detects_in_a_process_without_torch(exported: Path, tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "server")
    publish_release(publisher.registry, publisher.online, exported, 1)
    (tmp_path / "root.json").write_bytes(publisher.root)
    home, calls = tmp_path / "home", write(tmp_path / "calls.jsonl", timed_call(25))
    with serving(publisher.registry) as url:
        told = in_another_process(
            "update", "--releases", url, "--home", str(home), "--root", str(tmp_path / "root.json"), "--json"
        )
    assert told.returncode == 0, told.stderr
    installed = json.loads(told.stdout)["installed"]
    assert installed["version"] == 1
    judged = in_another_process("detect", "--model", installed["directory"], "--calls", str(calls), "--json")
    assert judged.returncode == 0, judged.stderr
    assert len(json.loads(judged.stdout)["calls"][0]["judgements"]) == 3


def test_the_check_for_torch_would_notice_it(tmp_path: Path) -> None:
    loading = "import sys; sys.modules['torch'] = sys\n" + NO_TORCH
    noticed = subprocess.run(
        [sys.executable, "-c", loading, "update", "--releases", "x", "--home", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "loaded" in noticed.stderr


def test_update_tells_what_is_in_use(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publisher = Publisher(tmp_path / "server")
    (tmp_path / "root.json").write_bytes(publisher.root)
    with serving(publisher.registry) as url:
        update = ["update", "--releases", url, "--home", str(tmp_path / "home")]
        assert main([*update, "--root", str(tmp_path / "root.json")]) == 0
        publish_release(publisher.registry, publisher.online, exported, 1)
        assert main(update) == 0
        assert main(update) == 0
    told = capsys.readouterr().err.splitlines()
    assert told == ["no release was published yet", "release 1 is now in use", "release 1 was already in use"]


def test_update_without_a_server_or_a_root_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publisher = Publisher(tmp_path / "server")
    (tmp_path / "root.json").write_bytes(publisher.root)
    update = ["update", "--releases", "http://127.0.0.1:9", "--home", str(tmp_path / "home")]
    assert main(update) == 2
    assert main([*update, "--root", str(tmp_path / "nothing.json")]) == 3
    assert main([*update, "--root", str(tmp_path / "root.json")]) == 5
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_release_altered_on_the_way_ends_with_the_code_for_refusals(exported: Path, tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "server")
    publish_release(publisher.registry, publisher.online, exported, 1)
    (tmp_path / "root.json").write_bytes(publisher.root)
    path = publisher.files_of(1, "detector.json")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with serving(publisher.registry) as url:
        code = main(["update", "--releases", url, "--home", str(tmp_path), "--root", str(tmp_path / "root.json")])
    assert code == 4
