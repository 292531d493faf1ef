"""Addresses of storages and numbers from variables: understood in one way, or refused without showing a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import paths
from bench.errors import BenchError
from datamodules import cache
from sweeps import addresses, pool


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("study.db", "sqlite:///{here}/study.db"),
        ("sqlite:///study.db", "sqlite:///{here}/study.db"),
        ("sqlite:////tmp/study.db", "sqlite:////tmp/study.db"),
        ("sqlite:///~/study.db", "sqlite:///{home}/study.db"),
        ("~/runs.journal", "journal:///{home}/runs.journal"),
        ("journal:///runs.journal", "journal:///{here}/runs.journal"),
        ("postgresql+psycopg://u:p@h:5432/b", "postgresql://u:p@h:5432/b"),
    ],
)
def test_a_file_is_relative_to_the_working_folder_unless_it_starts_with_a_slash(
    text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert addresses.address(text) == expected.format(here=tmp_path, home=tmp_path / "home")


@pytest.mark.parametrize(
    "text",
    [
        "localhost:5432/bench",
        "u@host/bench",
        "host=h user=u password=secret dbname=b",
        "mysql://u:secret@h/b",
        "sqlite:///",
        "sqlite://study.db",
        "postgresql://",
    ],
)
def test_what_is_no_address_is_refused_and_never_becomes_a_file(text: str) -> None:
    with pytest.raises(BenchError, match="is not an address; known: sqlite:///FILE") as caught:
        addresses.address(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:secret@h/b",
        "postgresql://u:se:secret:cret@h/b",
        "postgresql://u:se@secret@h/b",
        "postgresql://u:secret/x?y@h:5432/b",
        "postgresql://h/b?user=u&password=secret",
        "postgresql://h/b?password=secret&user=u",
        "host=h password=secret user=u",
        "host=h password = 'a secret' user=u",
    ],
)
def test_a_password_is_never_shown(address: str) -> None:
    masked = addresses.masked(address)
    assert "secret" not in masked and "***" in masked and "h" in masked


def test_an_address_without_a_password_is_shown_whole() -> None:
    for address in ("postgresql://u@h/b", "sqlite:////tmp/a@b.db", "postgresql:///b?host=h"):
        assert addresses.masked(address) == address


@pytest.mark.parametrize("variable", ["BENCH_GRACE", "BENCH_PATIENCE", "BENCH_DEATHS"])
@pytest.mark.parametrize("text", ["abc", "10m", "many", "nan", "inf", "-1"])
def test_a_variable_that_is_no_number_is_one_message(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(BenchError, match=f"{variable} must be a number of [01] or more, got '{text}'"):
        addresses.check_variables()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("BENCH_GRACE", "BENCH_PATIENCE", "BENCH_DEATHS"):
        monkeypatch.setenv(variable, " ")
    assert (addresses.grace(), addresses.patience(), addresses.deaths()) == (120, 600, 3)


@pytest.mark.parametrize("length", [40, 78, 200])
def test_sockets_of_workers_fit_into_the_temporary_folder(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("/tmp") / ("x" * (length - 5))
    monkeypatch.setattr(pool.tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    pool._shorten_temporary_folder()
    assert len(pool.tempfile.gettempdir()) <= pool.LONGEST_TMPDIR
    assert pool.os.environ["TMPDIR"] == (str(folder) if length == 40 else "/tmp")


@pytest.mark.parametrize(
    ("text", "expected"), [("~/x", "{user}/x"), ("", "{root}/.bench"), ("relative", "{here}/relative")]
)
def test_home_is_one_folder_for_all_packages(
    text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("BENCH_HOME", text)
    home = Path(expected.format(user=tmp_path / "user", root=paths.ROOT, here=tmp_path))
    assert (paths.home(), cache.folder()) == (home, home / "cache")
