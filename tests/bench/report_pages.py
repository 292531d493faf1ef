"""Reads pages of the report as a browser does: their cells, ids, links and what they load."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br"}
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}


class Page(HTMLParser):
    """``cells``: address -> text of a cell of a grid. ``texts``: those of all cells of grids. ``words``: the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: set[str] = set()
        self.cells: dict[str, str] = {}
        self.texts: list[str] = []
        self.words = ""
        self._grid = False
        self._cell: list[str] | None = None
        self._address = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if tag in ("a", "use") and "href" in values:
            self.links.append(values["href"])
        if tag in LOADING and LOADING[tag] in values:
            self.loaded.append(values[LOADING[tag]])
        if tag == "table":
            self._grid = "grid" in values.get("class", "").split()
        if tag == "td" and self._grid:
            self._cell = []
            self._address = ""
        if tag == "a" and self._cell is not None:
            self._address = values.get("href", "").partition("#")[2]

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._cell is not None:
            text = " ".join(" ".join(self._cell).split())
            self.texts.append(text)
            if self._address:
                self.cells[self._address] = text
            self._cell = None
