"""Research notes as HTML: paragraphs, lists, tables, bold, code and links of Markdown. All other text is escaped."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<!\w)\*([^*\s][^*]*)\*(?!\w)"), r"<em>\1</em>"),
)
_LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+)\)")


def inline(text: str) -> str:
    """One line of Markdown as HTML. A link is kept where it leads to a web page."""
    html_text = str(escape(text))
    for pattern, replacement in _INLINE:
        html_text = pattern.sub(replacement, html_text)
    return _LINK.sub(r'<a href="\2">\1</a>', html_text)


def html(markdown: str) -> Markup:
    """Blocks of ``markdown`` as HTML. Each paragraph, list item and table row is one line of it."""
    parts: list[str] = []
    lines = [*markdown.splitlines(), ""]
    start = 0
    while start < len(lines):
        kind = _kind(lines[start])
        end = start + 1
        while end < len(lines) and kind in ("item", "row") and _kind(lines[end]) == kind:
            end += 1
        parts.append(_block(kind, lines[start:end]))
        start = end
    return Markup("\n".join(filter(None, parts)))


def _kind(line: str) -> str:
    if re.match(r"\s*- ", line):
        return "item"
    if line.startswith("|"):
        return "row"
    return "heading" if line.startswith("#") else "text"


def _block(kind: str, lines: list[str]) -> str:
    if kind == "item":
        items = (inline(re.sub(r"^\s*- ", "", line)) for line in lines)
        return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
    if kind == "row":
        return _table(lines)
    if kind == "heading":
        return f"<h4>{inline(lines[0].lstrip('# '))}</h4>"
    return f"<p>{inline(lines[0])}</p>" if lines[0].strip() else ""


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    rows = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    head, *body = ["".join(f"<td>{inline(cell)}</td>" for cell in row) for row in rows]
    head = head.replace("<td>", "<th>").replace("</td>", "</th>")
    table = f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in body)}</table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'
