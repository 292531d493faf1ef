"""The documents are true: their links and commands exist, and their lists are complete."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

import bench
from bench.__main__ import cli as bench_cli
from bench.papers.registry import PAPERS
from bench.spec.task import BUDGETS
from tests.conftest import ROOT
from tests.following_docs import ADDING, DOCS, blocks
from tests.test_structure import PACKAGES, ROOMS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
READMES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("README.md"))]
WITH_COMMANDS = [*PAGES, *READMES]
WITH_LINKS = [*WITH_COMMANDS, ROOT / "CHANGELOG.md"]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


# Links and commands


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path) -> list[str]:
    """Local links of a page to files or headings that do not exist."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        if name.startswith(("http:", "https:", "mailto:")):
            continue
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in headings(file)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", WITH_LINKS, ids=page_id)
def test_local_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](#one) [b](#two) [c](gone.md) [d](https://x.org/gone) [e](page.md#one)\n")
    assert broken_links(page) == ["#two", "gone.md"]


def spans(page: Path) -> Iterator[str]:
    """Code of a page: between backticks, and the lines of its blocks without a language or of shell."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        if block.language in ("", "sh"):
            yield from (line.split("#")[0] for line in block.code.splitlines())
    yield from (
        " ".join(span.split()) for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    )


def unknown_commands(text: str) -> list[str]:
    """Commands, options and modules in ``text`` that do not exist."""
    wrong = []
    for module, rest in re.findall(r"python3? -m ([\w.]+)([^|`)]*)", text):
        if module in ("bench", "sweeps"):
            wrong += [f"python -m {module} {name}" for name in unknown_words(module, rest)]
        elif importlib.util.find_spec(module) is None:
            wrong.append(f"python -m {module}")
    return wrong


def unknown_words(module: str, rest: str) -> Iterator[str]:
    """Of the words after ``python -m <module>``: a command or an option that does not exist."""
    if module == "bench":
        command: click.Command = bench_cli
    else:
        from sweeps.__main__ import cli

        command = cli
    context = click.Context(command)
    for word in rest.replace("[", " ").replace("]", " ").split():
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(context, word)
            if found is None:
                yield word
                return
            command = found
        elif word.startswith("--"):
            options = {name for parameter in command.params for name in parameter.opts}
            free = command.context_settings.get("ignore_unknown_options")
            if word.split("=")[0] not in options | {"--help"} and not free:
                yield word


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=page_id)
def test_commands_in_the_documents_exist(page: Path) -> None:
    assert [wrong for span in spans(page) for wrong in unknown_commands(span)] == []


def test_an_unknown_command_or_option_is_found() -> None:
    text = "`python -m bench lst`, `python -m bench list --jsn`, `python -m bench.gone`, `python -m bench data fetch x`"
    assert unknown_commands(text) == ["python -m bench lst", "python -m bench --jsn", "python -m bench.gone"]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=page_id)
def test_make_targets_in_the_documents_exist(page: Path) -> None:
    rules = re.findall(r"^([a-z%\- ]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    patterns = [re.escape(target).replace("%", ".+") for rule in rules for target in rule.split()]
    named = [target for span in spans(page) for target in re.findall(r"(?:^|\s)make ([a-z][\w-]*)", span)]
    assert [target for target in named if not any(re.fullmatch(pattern, target) for pattern in patterns)] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files_named_in_the_documents_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    added = {block.path for block in blocks(ADDING)}
    named = set(re.findall(r"\b(?:bench|sweeps|datamodules|lightning_modules|tests|tools|docs)/[\w/.]*\.\w+", text))
    assert [name for name in sorted(named - added) if not (ROOT / name).exists()] == []


# docs/environment.md


def environment_variables(path: Path) -> set[str]:
    """Names that a file reads from the environment, or that look like the suite's own."""
    code = path.read_text(encoding="utf-8")
    names = set(re.findall(r"os\.(?:environ\.get\(|environ\.setdefault\(|getenv\(|environ\[)\s*[\"'](\w+)[\"']", code))
    for listed in re.findall(r"^(?:SWITCHES|FEWER_BITS) = \(([^)]*)\)", code, re.MULTILINE):
        names |= set(re.findall(r"\w{2,}", listed))
    return names | set(re.findall(r"[\"'](BENCH_[A-Z_]*[A-Z])[\"']", code))


def test_every_environment_variable_is_explained_and_every_explained_one_is_read() -> None:
    folders = [*PACKAGES, "tools", "tests"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    read = set().union(*(environment_variables(path) for path in files))
    page = (DOCS / "environment.md").read_text(encoding="utf-8")
    explained = {
        name for row in re.findall(r"^\| (`[A-Z].*?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert explained == read


def test_a_variable_that_is_read_is_found(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    reading = ['os.environ.get("A", 1)', 'os.environ["B"]', 'os.environ.setdefault("C", "")', 'folder("BENCH_D")']
    file.write_text("\n".join(reading))
    assert environment_variables(file) == {"A", "B", "C", "BENCH_D"}


# docs/architecture.md


def table_rows(page: Path, title: str) -> list[list[str]]:
    """The cells of the table below the heading ``title``."""
    section = page.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_the_rooms_in_the_architecture_are_those_that_the_structure_test_allows() -> None:
    rows = table_rows(DOCS / "architecture.md", "Rooms of bench")
    assert {row[0].strip("`"): set(row[2].split(", ")) for row in rows} == ROOMS


def test_the_glossary_explains_each_word_once() -> None:
    words = [row[0] for row in table_rows(DOCS / "architecture.md", "Words")]
    assert len(words) == len(set(words))
    wanted = (
        "cell experiment measure reading protocol budget ledger series stand-in subset home study claim verdict plan"
    )
    assert set(wanted.split()) <= set(words)
    assert all(f"`{budget}`" in (DOCS / "architecture.md").read_text(encoding="utf-8") for budget in BUDGETS)


# Citing, versions, dependencies


def test_cite_prints_every_paper_or_the_named_one() -> None:
    everything = CliRunner().invoke(bench_cli, ["cite"]).stdout
    for paper in PAPERS.values():
        one = CliRunner().invoke(bench_cli, ["cite", paper.id]).stdout.strip()
        assert one == paper.bibtex.strip()
        assert one in everything
        assert " ".join(paper.title.split()) in " ".join(one.split())


def test_cite_of_an_unknown_paper_is_one_message_with_the_nearest_name() -> None:
    done = CliRunner().invoke(bench_cli, ["cite", "rols"])
    assert done.exit_code == 1
    assert done.stderr == f"Error: unknown paper 'rols'; did you mean roles? Known: {', '.join(PAPERS)}\n"


def test_the_citation_file_has_this_version_and_names_papers_as_their_bibtex_does() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == bench.__version__
    by_title = {paper.title: paper for paper in PAPERS.values()}
    assert citation["references"]
    for reference in citation["references"]:
        paper = by_title[reference["title"]]
        assert all(f"{a['family-names']}, {a['given-names']}" in paper.bibtex for a in reference["authors"])


def test_the_changelog_has_this_version() -> None:
    assert f"## [{bench.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_declared_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = {normal(line.split("==")[0]) for line in lock if not line.startswith("#")}
    assert {normal(re.split(r"[\s<>=\[;]", name)[0]) for name in declared} - locked == set()


@pytest.mark.parametrize(
    ("platform", "version", "says"),
    [
        ("linux", (3, 11), ""),
        ("darwin", (3, 13), ""),
        ("win32", (3, 12), "Windows is not supported"),
        ("linux", (3, 10), "Python 3.11 to 3.13 is needed, this is 3.10"),
        ("linux", (3, 14), "Python 3.11 to 3.13 is needed, this is 3.14"),
    ],
)
def test_set_up_refuses_what_the_suite_does_not_run_on(platform: str, version: tuple[int, int], says: str) -> None:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    assert spec is not None and spec.loader is not None
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    message = bootstrap.problem(platform, version)
    assert message.startswith(says) and bool(message) == bool(says)
