"""Nothing but the original is kept, whatever a server, an archive, a full disk or a killed process does."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from datamodules import sources
from datamodules.sources import DataError, File, Source, download
from tests.conftest import ROOT, bench
from tests.datamodules.tiny_sets import zipped
from tests.datamodules.toy_source import CONTENT, fetch, offer


class Server(ThreadingHTTPServer):
    """Answers /whole, /ranges (and cuts the first ``cut`` connections short), /empty, /page, /other; counts bytes and
    requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cut = 0
        self.sent = 0
        self.ranges: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what the tests want."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        requested = self.headers.get("Range")
        self.server.ranges.append(requested)
        body = {"empty": b"", "page": b"<!DOCTYPE html><html>moved</html>", "other": b"x" * len(CONTENT)}.get(
            kind, CONTENT
        )
        start = int(requested.removeprefix("bytes=").removesuffix("-")) if requested and kind == "ranges" else 0
        if start and start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Content-Type", "text/html" if kind == "page" else "application/zip")
        self.end_headers()
        body = body[start:]
        if self.server.cut > 0:
            self.server.cut -= 1
            body = body[: len(body) // 2]
        self.server.sent += len(body)
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_download_is_kept_whole(
    places: Path, server: Server, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    file_path = offer(monkeypatch, server.url + "whole", size=size)
    fetch()
    assert file_path.read_bytes() == CONTENT
    assert sources.missing("toy") == [] and sources.verify("toy") == []
    fetch()
    assert server.sent == len(CONTENT), "what is there is not fetched again"


def test_a_broken_connection_goes_on_where_it_stopped(
    places: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_path = offer(monkeypatch, server.url + "ranges")
    server.cut = 2
    fetch()
    assert file_path.read_bytes() == CONTENT
    assert server.sent == len(CONTENT), "no byte was sent twice"
    assert len(server.ranges) == 3


FETCH = """
import json, os, sys
from datamodules import sources
from datamodules.sources import DataError, File, Source, download
offered = json.loads(sys.argv[1])
sources.SOURCES["toy"] = Source("toy", "Toy", files=(File(**offered),), samples={"train": 1})
chunks_left = int(sys.argv[2])
read_chunk = download._read_chunk
def read_or_die(answer):
    global chunks_left
    chunks_left -= 1
    if chunks_left == -1: os.kill(os.getpid(), 9)
    return read_chunk(answer)
download._read_chunk = read_or_die
sources.fetch("toy", print)
"""


def fetching(die_after: int = 10**6) -> subprocess.Popen:
    """``fetch`` in a process of its own, which is killed after ``die_after`` pieces."""
    (file,) = sources.SOURCES["toy"].files
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, json.dumps(asdict(file)), str(die_after)], cwd=ROOT, stdout=subprocess.DEVNULL
    )


def test_a_killed_download_goes_on_where_it_stopped(
    places: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_path = offer(monkeypatch, server.url + "ranges")
    assert fetching(die_after=2).wait() == -signal.SIGKILL
    start_size = file_path.with_name("toy.zip.part").stat().st_size
    assert 0 < start_size < len(CONTENT) and sources.missing("toy"), "what a killed one left is no data"
    fetch()
    assert file_path.read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={start_size}-"]


@pytest.mark.parametrize("kind", ["ranges", "whole"])
@pytest.mark.parametrize("content_before", [b"of another file", CONTENT + b"and more", CONTENT])
def test_the_remains_of_another_file_do_no_harm(
    places: Path, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str, content_before: bytes
) -> None:
    file_path = offer(monkeypatch, server.url + kind)
    file_path.parent.mkdir(parents=True)
    file_path.with_name("toy.zip.part").write_bytes(content_before)
    fetch()
    assert file_path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [
        ("empty", None, "0 bytes"),
        ("page", None, "web page"),
        ("other", None, "not the original"),
        ("whole", 5, "not the original"),
        ("page", len(CONTENT), "web page"),
    ],
)
def test_what_is_not_the_file_is_named_and_the_next_mirror_tried(
    places: Path, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str, size: int | None, message: str
) -> None:
    file_path = offer(monkeypatch, server.url + kind, size=size)
    with pytest.raises(DataError, match=message) as error:
        fetch()
    assert server.url + kind in str(error.value) and str(file_path) in str(error.value)
    assert not file_path.exists()
    if size != 5:
        offer(monkeypatch, "http://127.0.0.1:9/", server.url + kind, server.url + "whole", size=size)
        fetch()
        assert file_path.read_bytes() == CONTENT


def test_a_page_without_its_type_is_recognised_too(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "page").write_bytes(b"\n<html><body>Forbidden</body></html>")
    offer(monkeypatch, f"file://{places}/page")
    with pytest.raises(DataError, match="web page"):
        fetch()


def test_a_file_put_there_by_hand_is_as_good(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = zipped({"toy.h5": b"data", "readme": b"not wanted"})
    file_path = offer(monkeypatch, content=content, unpacks=("toy.h5",))
    file_path.parent.mkdir(parents=True)
    file_path.write_bytes(content)
    assert "data fetch toy" in sources.status("toy")["problems"][0]
    assert sources.missing("toy"), "an archive that nobody checked and unpacked is not data"
    fetch()
    assert (file_path.parent / "toy.h5").read_bytes() == b"data"
    assert not (file_path.parent / "readme").exists()
    assert sources.missing("toy") == []
    file_path.unlink()
    assert sources.missing("toy") == [], "the archive may be deleted afterwards"


def test_a_wrong_file_put_there_by_hand_is_refused(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file_path = offer(monkeypatch, content=zipped({"toy.h5": b"data"}), unpacks=("toy.h5",))
    file_path.parent.mkdir(parents=True)
    file_path.write_bytes(zipped({"toy.h5": b"other"}))
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch()
    assert not (file_path.parent / "toy.h5").exists()


def test_processes_that_fetch_at_once_download_once(
    places: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_path = offer(monkeypatch, server.url + "whole")
    processes = [fetching() for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert file_path.read_bytes() == CONTENT and server.sent == len(CONTENT)


def test_a_full_disk_is_one_message(places: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    file_path = offer(monkeypatch, server.url + "whole")
    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda path: SimpleNamespace(free=1))
        with pytest.raises(DataError, match=r"needs 3,145,745 bytes.*1 free"):
            fetch()

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_store", full)
    with pytest.raises(DataError, match="No space left on device.*free some space or set BENCH_DATA"):
        fetch()
    assert not file_path.exists()


def test_status_verify_and_cache_speak_json_and_exit_codes(places: Path) -> None:
    rows = {row["name"]: row for row in json.loads(bench("data", "status", "--json").stdout)}
    assert rows["shd"]["state"] == "missing" and rows["shd"]["licence"] and rows["shd"]["citation"]
    assert rows["nmnist-subset"]["kind"] == "subset" and rows["delayed-xor"]["state"] == "generated"
    for row in rows.values():
        if row["state"] == "missing":
            assert str(places / "data") in row["problems"][0]
            assert row["mirrors"] or row["kind"] != "full"
    result = bench("data", "verify", "shd")
    assert result.returncode == 1 and "shd_train.h5.zip" in result.stdout
    assert bench("data", "verify", "delayed-xor").returncode == 0
    assert json.loads(bench("data", "cache", "--json").stdout)["entries"] == []
    for arguments, suggestion in ((("verify", "shdd"), "shd"), (("vrify", "shd"), "verify")):
        result = bench("data", *arguments)
        assert (
            result.returncode == 1
            and f"did you mean {suggestion}" in result.stderr
            and "Traceback" not in result.stderr
        )


def test_a_subset_that_differs_in_a_byte_is_not_that_subset(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = places / "data" / "toys"
    for i in range(3):
        path = target / "Train" / str(i) / "1.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes([i] * 5))
    count, size, md5 = sources.digest(target / "Train")
    assert (count, size) == (3, 15)
    monkeypatch.setitem(
        sources.SOURCES, "toy", Source("toy", "Toy", (File("Train", size, md5, count=3),), place="toys", kind="subset")
    )
    sources.check("toy")
    (target / "Train" / "0" / "1.bin").write_bytes(b"x" * 5)
    with pytest.raises(DataError, match="damaged or another"):
        sources.check("toy")
    (target / "Train" / "0" / "1.bin").unlink()
    assert sources.missing("toy")
    with pytest.raises(DataError, match="put it by hand"):
        fetch()


def test_every_record_can_be_fetched_and_cited_and_is_identified_without_its_data(places: Path) -> None:
    for name, source in sources.SOURCES.items():
        assert source.name == name and source.licence and source.citation
        json.dumps(source.identity)
        assert source.kind in ("full", "near-complete", "subset", "stand-in")
        for file in source.files:
            assert len(file.md5) == 32 and file.md5 == file.md5.lower()
            urls = source.urls(file)
            assert source.kind not in ("full", "near-complete") or urls
            assert all(url.startswith(("https://", "http://")) for url in urls)
    assert len({json.dumps(s.identity) for s in sources.SOURCES.values()}) == len(sources.SOURCES)
    figshare = sources.SOURCES["dvs-gesture"].urls(sources.SOURCES["dvs-gesture"].files[0])[0]
    assert figshare == "https://api.figshare.com/v2/file/download/38022171"


def test_the_docs_name_and_cite_every_set() -> None:
    text = (ROOT / "datamodules" / "README.md").read_text()
    cited = text[text.index("## Citations") :]
    for source in sources.SOURCES.values():
        (line,) = (line for line in cited.splitlines() if f"`{source.name}`" in line)
        assert line.partition(": ")[2] in source.citation and f"`{source.name}`" in text[: text.index("## Citations")]
