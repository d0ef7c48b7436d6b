"""Scenario files: those that ship hold together, and a file that doesn't follow the format is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.corpus.scenario import SCENARIOS, load_scenarios
from models.domain.call import Label, ScamType
from models.errors import ScenarioFileError

SLOTS = '[slots]\nbank = ["국민은행"]\n'
STAGE = '[[scenario.stage]]\nname = "opening"\nchoices = [["A: 여보세요 {bank}입니다", "B: 네"]]\n'
HEAD = '[[scenario]]\nid = "one"\nkind = "loan"\ntitle = "하나"\n'
GOOD = HEAD + STAGE


def write_folder(folder: Path, content: str, *, label: str = "vishing", name: str = "loan.toml") -> Path:
    (folder / label).mkdir(exist_ok=True)
    (folder / "slots.toml").write_text(SLOTS, encoding="utf-8")
    (folder / label / name).write_text(content, encoding="utf-8")
    return folder


def test_the_scenarios_that_ship_cover_every_type_of_scam() -> None:
    types = {scenario.scam_type for scenario in load_scenarios() if scenario.label is Label.VISHING}
    assert types == set(ScamType) - {ScamType.UNKNOWN}


def test_every_mood_of_a_scenario_that_ships_lets_both_sides_speak() -> None:
    for scenario in load_scenarios():
        for mood in scenario.moods or (None,):
            stages = [stage for stage in scenario.stages if not stage.only_if or mood in stage.only_if]
            assert len({turn.speaker for stage in stages for turn in stage.choices[0]}) == 2, (scenario.id, mood)


def test_no_two_scenarios_that_ship_share_a_long_line() -> None:
    owner: dict[str, str] = {}
    for scenario in load_scenarios():
        for turn in (turn for stage in scenario.stages for choice in stage.choices for turn in choice):
            if len(turn.text) > 60:
                assert owner.setdefault(turn.text, scenario.id) == scenario.id


def test_a_good_file_is_loaded(tmp_path: Path) -> None:
    (scenario,) = load_scenarios(write_folder(tmp_path, GOOD))
    assert (scenario.id, scenario.scam_type, scenario.moods) == ("one", ScamType.LOAN, ())
    assert scenario.stages[0].choices[0][1].text == "네"


def stage_with(line: str) -> str:
    return GOOD + line


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("x = ", "is not TOML"),
        ("x = 1", "holds no"),
        (GOOD.replace("{bank}", "{river}"), "slot that slots.toml doesn't have: river"),
        (GOOD.replace("{bank}", "[네|예"), "bracket that is not closed"),
        (GOOD.replace("{bank}", "bank}"), "bracket that is not closed"),
        (GOOD.replace("{bank}", "<네|예"), "bracket that is not closed"),
        (GOOD.replace("{bank}", "<[네|예]|아니요>"), "bracket that is not closed, or one within another"),
        (GOOD.replace("{bank}", "[<네|예>|아니요]"), "bracket that is not closed, or one within another"),
        (GOOD.replace("{bank}", "<하나|둘>").replace("B: 네", "B: <네|예|음>"), "are not equally many"),
        (GOOD.replace("A: ", "C: "), "turn that is not 'A: ...' or 'B: ...'"),
        (GOOD.replace('"B: 네"', "1"), "turn that is not 'A: ...' or 'B: ...'"),
        (GOOD.replace('[["A: 여보세요 {bank}입니다", "B: 네"]]', "[]"), "stage opening has no choices"),
        (GOOD.replace('[["A: 여보세요 {bank}입니다", "B: 네"]]', "[[]]"), "a choice without turns"),
        (stage_with("chance = 0"), "a chance that is not above 0"),
        (stage_with("chance = 1.5"), "a chance that is not above 0"),
        (stage_with("draws = 2"), "draws fewer than 1 or more than its 1 choices"),
        (stage_with('only_if = ["angry"]'), "a mood that the scenario doesn't have: angry"),
        (stage_with('only_if = "angry"'), "only_if is not a list of texts"),
        (stage_with('when = "now"'), "a key that is not known: when"),
        (stage_with("chance = 0.5"), "no stage is sure to happen"),
        (HEAD, "no stage is sure to happen"),
        (GOOD.replace('"loan"', '"bank"'), "the kind bank is no type of scam"),
        (GOOD.replace('"loan"', '"unknown"'), "the kind unknown is no type of scam"),
        (GOOD.replace('"one"', '"One-1"'), "the id may hold"),
        (GOOD.replace('title = "하나"', ""), "title is not there"),
        (GOOD + GOOD, "the id is used twice"),
    ],
)
def test_a_file_that_breaks_the_format_is_refused_by_name(tmp_path: Path, content: str, reason: str) -> None:
    folder = write_folder(tmp_path, content)
    with pytest.raises(ScenarioFileError) as refused:
        load_scenarios(folder)
    assert reason in refused.value.reason
    assert str(refused.value.path).endswith("vishing/loan.toml")


def test_an_id_used_in_two_files_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, GOOD)
    write_folder(tmp_path, GOOD, label="normal", name="bank.toml")
    with pytest.raises(ScenarioFileError, match=r"bank\.toml, scenario one: the id is used twice"):
        load_scenarios(tmp_path)


def test_a_folder_without_scenarios_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slots.toml").write_text(SLOTS, encoding="utf-8")
    with pytest.raises(ScenarioFileError, match="there is no scenario"):
        load_scenarios(tmp_path)


def test_the_folder_that_ships_is_inside_the_package() -> None:
    assert (SCENARIOS / "slots.toml").is_file()
