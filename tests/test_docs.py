"""The documents say nothing that isn't there: files, folders, links, commands, options, functions and numbers."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.tables import metadata
from models.corpus.reader import read_calls
from models.text.window import expected_words

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(path for pattern in ("*.md", "docs/*.md", "docs/decisions/*.md") for path in ROOT.glob(pattern))
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in DOCUMENTS}

PRODUCT = ("models", "fl_client", "fl_server", "api", "simulations")
PACKAGES = (*PRODUCT, "tests", "docs")

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"python -m (\w+)((?: [^`#\n]*)?)")
_MAKE = re.compile(r"\bmake ([a-z-]+)\b")
_CONSTANT = re.compile(r"\| ([0-9.e-]+) \| `([\w/]+\.py):([A-Z_]+)` \|")
_NAME = re.compile(r"[a-z]+(?:_[a-z0-9]+)+|(?:[A-Z][a-z]+){2,}")
_NUMBERED = re.compile(r"(\d{3})-[a-z0-9-]+\.md")


def _joined(text: str) -> str:
    """Return a text with shell lines that go on joined."""
    return re.sub(r"\\\n\s*", " ", text)


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _missing_links(name: str, text: str) -> Iterator[str]:
    for link in _LINK.findall(text):
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = (ROOT / name).parent / place if place else ROOT / name
        known = anchor == "" or (target.is_file() and anchor in _anchors(target.read_text(encoding="utf-8")))
        if not target.exists() or not known:
            yield link


def _missing_paths(text: str) -> Iterator[str]:
    for code in _CODE.findall(text):
        path = code.partition(":")[0]
        ours = re.fullmatch(r"[\w./-]+/[\w./-]*", path) and path.split("/")[0] in PACKAGES
        if ours and not (ROOT / path).exists():
            yield path


def _commands_in(text: str) -> list[tuple[str, list[str]]]:
    """Return each command of ours with its words: the module and what follows."""
    return [(module, shlex.split(rest)) for module, rest in _COMMAND.findall(_joined(text)) if module in PACKAGES]


def _refusal(module: str, words: list[str]) -> str | None:
    """Return why a command of the documents can't be given, None where it can."""
    parser: argparse.ArgumentParser = importlib.import_module(f"{module}.__main__")._parser()
    subparsers = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction)).choices
    if not words:
        return None
    if words[0] not in subparsers:
        return f"{module} has no command {words[0]}"
    known = set(subparsers[words[0]]._option_string_actions)
    unknown = [word for word in words if word.startswith("--") and word not in known]
    return f"{module} {words[0]} has no option {unknown[0]}" if unknown else None


def _refused_commands(text: str) -> list[str]:
    return [refusal for module, words in _commands_in(text) if (refusal := _refusal(module, words))]


def _sources() -> str:
    """Return the code of the product, to look names up in."""
    return "\n".join(path.read_text(encoding="utf-8") for name in PRODUCT for path in (ROOT / name).rglob("*.py"))


def _unknown_names(text: str, sources: str) -> list[str]:
    """Return the functions, fields and classes of the documents that the code doesn't have."""
    names = [code for code in _CODE.findall(text) if _NAME.fullmatch(code)]
    return [name for name in names if not re.search(rf"\b{name}\b", sources)]


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _terms() -> list[str]:
    return re.findall(r"^\*\*([^*]+)\*\*", TEXTS["docs/glossary.md"], re.MULTILINE)


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_leads_somewhere(name: str) -> None:
    assert list(_missing_links(name, TEXTS[name])) == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_file_and_folder_that_is_named_is_there(name: str) -> None:
    assert list(_missing_paths(TEXTS[name])) == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_and_option_that_is_named_can_be_given(name: str) -> None:
    assert _refused_commands(TEXTS[name]) == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_make_target_that_is_named_is_there(name: str) -> None:
    # "make" is also an English verb: only what stands in code is a target.
    code = " ".join([*_CODE.findall(TEXTS[name]), *re.findall(r"^    make .*$", TEXTS[name], re.MULTILINE)])
    assert set(_MAKE.findall(code)) <= _make_targets()


def test_every_function_and_class_that_is_named_is_in_the_code() -> None:
    sources = _sources()
    assert {name: unknown for name, text in TEXTS.items() if (unknown := _unknown_names(text, sources))} == {}


def test_the_checks_of_names_can_fail() -> None:
    assert list(_missing_links("README.md", "[x](docs/none.md) [y](docs/privacy.md#none)"))
    assert list(_missing_paths("`models/none.py`"))
    assert _refused_commands("`python -m models conjure`")
    assert _refused_commands("`python -m api serve --nowhere x`")
    assert _unknown_names("`conjure_detector`", _sources())


def test_the_documents_name_commands_at_all() -> None:
    assert sum(len(_commands_in(text)) for text in TEXTS.values()) > 10


def test_the_glossarys_terms_are_sorted_and_each_stands_once() -> None:
    terms = [term.casefold() for term in _terms()]
    assert len(terms) > 30
    assert terms == sorted(set(terms))


def test_the_numbers_of_the_privacy_page_are_those_of_the_code() -> None:
    rows = _CONSTANT.findall(TEXTS["docs/privacy.md"])
    assert len(rows) >= 10
    for number, path, name in rows:
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        assert float(number) == getattr(module, name), f"docs/privacy.md says {name} is {number}"


def test_the_privacy_page_tells_of_every_column_of_the_database() -> None:
    told = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|(?: [^|]+ \|){3}$", TEXTS["docs/privacy.md"], re.MULTILINE)
    assert sorted(told) == sorted(str(column) for table in metadata.tables.values() for column in table.columns)


def test_the_words_per_window_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| \d+ \| (\d+) \| \d+ \|$", TEXTS["docs/architecture.md"], re.MULTILINE)
    assert [int(seconds) for seconds, _ in rows] == [10, 20, 30, 60, 120, 180]
    assert [expected_words(float(seconds)) for seconds, _ in rows] == [int(words) for _, words in rows]


def test_the_readmes_example_of_a_call_file_can_be_read(tmp_path: Path) -> None:
    example = re.search(r"<!-- example: calls -->\n```json\n(.*?)```", TEXTS["README.md"], re.DOTALL)
    assert example is not None
    (tmp_path / "calls.jsonl").write_text(example[1], encoding="utf-8")
    assert sorted(call.label for call in read_calls(tmp_path / "calls.jsonl")) == [0, 1]
    assert all(json.loads(line)["id"] for line in example[1].splitlines())


def test_decisions_are_numbered_without_gaps_and_say_what_was_rejected() -> None:
    names = sorted(path.name for path in (ROOT / "docs/decisions").iterdir())
    numbers = [int(match[1]) for name in names if (match := _NUMBERED.fullmatch(name))]
    assert numbers == list(range(1, len(names) + 1))
    for name, number in zip(names, numbers, strict=True):
        text = TEXTS[f"docs/decisions/{name}"]
        assert text.startswith(f"# {number}. ")
        assert "**Decided.**" in text
        assert "**Rejected.**" in text


@pytest.mark.parametrize("name", ["report.png", "dashboard.png", "dashboard-overview.png", "dashboard-phone.png"])
def test_the_pictures_are_small_enough_to_load_quickly(name: str) -> None:
    assert 10_000 < (ROOT / "docs" / name).stat().st_size < 300_000


def test_no_document_names_a_place_on_somebodys_machine() -> None:
    assert [name for name, text in TEXTS.items() if re.search(r"/(work|home|Users|tmp)/", text)] == []
