"""CSV files of the results, read as they were written or refused with file, line and what to do.

One line is one row. Another program may have changed a file: an editor, a spreadsheet, a merge of git or a full disk.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path

from bench.errors import BenchError

MARKERS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")  # of a merge that git could not finish
REMEDY = "nothing was changed; mend the line or take the file back from git"


def read(
    path: Path, header_problem: Callable[[list[str]], str], remedy: str = REMEDY
) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of ``path``, each with as many fields as the header; row 0 is line 2.

    ``header_problem`` says what is wrong with a header, empty where nothing is. Raises ``BenchError`` with ``remedy``.
    """
    lines = read_lines(path, remedy)
    header = fields(lines[0])
    if problem := line_problem(lines[0]) or header_problem(header):
        raise BenchError(f"{path}:1: {problem}; {remedy}")
    rows = [fields(line) for line in lines[1:]]
    width = len(header)
    for number, (line, row) in enumerate(zip(lines[1:], rows, strict=True), start=2):
        suspect = width == 1 or len(row) != width or row == header or line.startswith(MARKERS)
        if suspect and (problem := line_problem(line, header, row)):
            raise BenchError(f"{path}:{number}: {problem}; {remedy}")
    return header, rows


def read_lines(path: Path, remedy: str = REMEDY) -> list[str]:
    """The lines of ``path``, the header first, without their ends.

    Raises ``BenchError`` for a file that is empty, cut off, or no plain UTF-8 text.
    """
    try:
        content = _complete(path)
    except OSError as error:
        raise BenchError(f"cannot read {path} ({error.strerror})") from None
    if not content:
        raise BenchError(f"{path}:1: the file is empty, without its header; {remedy}")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise BenchError(f"{path}:{number}: not UTF-8 text, another program saved it; {remedy}") from None
    if text.startswith("\ufeff"):
        raise BenchError(f"{path}:1: a byte-order mark before the header, as spreadsheets write it; {remedy}")
    if "\0" in text:
        number = text[: text.index("\0")].count("\n") + 1
        raise BenchError(f"{path}:{number}: zero bytes, as a power failure leaves them; {remedy}")
    if not text.endswith("\n"):
        raise BenchError(f"{path}:{text.count(chr(10)) + 1}: the last line is cut off; {remedy}")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return text[:-1].split("\n")


def _complete(path: Path) -> bytes:
    """The content of ``path``, read again for a moment where it ends within a line: another process may be appending
    it.
    """
    for _ in range(10):
        content = path.read_bytes()
        if content.endswith(b"\n"):
            break
        time.sleep(0.02)
    return content


def fields(line: str) -> list[str]:
    """The fields of one line."""
    return line.split(",") if '"' not in line else next(csv.reader([line]), [])


def line_problem(line: str, header: list[str] | None = None, row: list[str] | None = None) -> str:
    """What is wrong with the form of a line below ``header``, empty where nothing is. Without
    ``header`` and ``row`` the number of fields does not count.
    """
    if line.startswith(MARKERS):
        return "a merge conflict marker: keep the lines of both sides and delete the markers"
    if not line.strip():
        return "an empty line"
    if ";" in line and "," not in line:
        return "fields are separated by semicolons, not by commas, as spreadsheets of some languages save them"
    if header is None or row is None:
        return ""
    if row == header:
        return "the header once more"
    if len(row) != len(header):
        return f"{len(row)} fields where {len(header)} are expected"
    return ""
