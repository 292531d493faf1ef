"""Sentences of the documents are short: their readers' first language is often not English."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from bench.report import claims_page
from tests.conftest import ROOT

PAGES = (
    "README.md",
    "docs/commands.md",
    "docs/report.md",
    "docs/results.md",
    "sweeps/README.md",
    "datamodules/README.md",
    "results/README.md",
)
MOST_WORDS = 30


def prose(text: str) -> Iterator[str]:
    """Paragraphs, list items and cells of tables of a Markdown page, without code, headings and citations."""
    text = re.sub(r"```.*?```|<!--.*?-->", "", text.partition("## Citations")[0], flags=re.DOTALL)
    text = re.sub(r"`[^`]+`", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for block in re.split(r"\n\s*\n", text):
        for part in re.split(r"\n(?=\s*- |\|)", block):
            if part.lstrip().startswith("|"):
                yield from (cell.strip() for cell in part.strip().strip("|").split("|"))
            elif not part.lstrip().startswith("#"):
                yield " ".join(part.split()).removeprefix("- ")


def long_sentences(text: str) -> list[str]:
    """The sentences of ``text`` with more than ``MOST_WORDS`` words."""
    sentences = (sentence for part in prose(text) for sentence in re.split(r"(?<=[.!?])\s+", part))
    return [sentence for sentence in sentences if len(re.findall(r"[^\W_]+", sentence)) > MOST_WORDS]


@pytest.mark.parametrize("name", PAGES)
def test_no_sentence_of_a_page_has_more_than_thirty_words(name: str) -> None:
    assert long_sentences((ROOT / name).read_text(encoding="utf-8")) == []


def test_no_sentence_above_the_claims_has_more_than_thirty_words() -> None:
    assert long_sentences("\n".join(claims_page.INTRODUCTION)) == []


def test_a_long_sentence_is_found() -> None:
    words = " ".join(["word"] * (MOST_WORDS + 1))
    page = (
        f"# {words}\n\nShort. {words}.\n\n- an item\n- {words}\n\n| a | {words} |\n| --- | --- |\n\n```\n{words}\n```\n"
    )
    assert [len(sentence.split()) for sentence in long_sentences(page)] == [MOST_WORDS + 1] * 3


def test_the_first_screen_of_the_readme_says_what_was_found_and_how_to_start() -> None:
    screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:60])
    assert re.search(r"^(None|\d+) of the \d+ published numbers (is|are) reproduced", screen, re.MULTILINE)
    for part in ("| **sum** |", "make demo", "make test", "docs/report-table.png", "from bench import api"):
        assert part in screen
