"""Pages that compare over tables: claims with their values, and published against measured (parity)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from markupsafe import Markup

from bench.ledger.index import Index
from bench.report import claims, comparable, parity
from bench.report.claims import Judgement, PartJudgement
from bench.report.page import drawing
from bench.report.page.addresses import Addresses
from bench.report.page.grid import kind_of
from bench.report.verdict import Finding
from bench.spec.claim import SOURCES, Claim, Part
from bench.spec.estimates import Estimate
from bench.spec.predicates import HOLDS

DATA_TITLES = {"published": "paper's own numbers", "full": "measured", "subset": "subset", "stand-in": "stand-in"}


@dataclass(frozen=True)
class ClaimValue:
    """One compared value, with a strip of its interval and the link to its cell."""

    name: str
    text: str
    seeds: str
    link: str
    strip: Markup


@dataclass(frozen=True)
class ClaimPart:
    """One part of a claim on one kind of data."""

    data: str
    part: PartJudgement
    values: tuple[ClaimValue, ...]


@dataclass(frozen=True)
class ClaimEntry:
    """One claim. ``verdicts`` has the verdict by kind of data, "–" where it cannot be judged."""

    claim: Claim
    source: str
    verdict: str
    verdicts: dict[str, str]
    parts: tuple[ClaimPart, ...]
    left_out: tuple[str, ...]


def entries(judged: list[Judgement], own: bool, index: Index, addresses: Addresses) -> list[ClaimEntry]:
    """The paper's claims, or questions of this suite (``own``), failing and undecided ones first."""
    by_place = {(j.claim.id, j.data): j for j in judged}
    made = []
    for j in claims.by_verdict(judged, "full", own):
        of_claim = {data: by_place[j.claim.id, data] for data in claims.DATA if (j.claim.id, data) in by_place}
        verdicts = {data: of_claim[data].verdict if data in of_claim else "–" for data in claims.DATA}
        ordered = sorted(of_claim.items(), key=lambda item: item[0] != "full")
        parts = tuple(part for data, other in ordered for part in _parts(other, data, index, addresses))
        made.append(ClaimEntry(j.claim, SOURCES[j.claim.source], j.verdict, verdicts, parts, j.left_out))
    return made


def _parts(j: Judgement, data: str, index: Index, addresses: Addresses) -> Iterator[ClaimPart]:
    if data == "published":
        yield from (ClaimPart(data, part, ()) for part in j.parts if part.verdict != HOLDS)
        return
    moved = [part for of_claim in j.claim.parts if (part := claims.on_data(of_claim, data))]
    for part, judgement in zip(moved, j.parts, strict=True):
        yield ClaimPart(data, judgement, tuple(_values(part, index, addresses, j.claim.paper)))


def _values(part: Part, index: Index, addresses: Addresses, paper: str) -> Iterator[ClaimValue]:
    """The compared values of a part, and links alone to the cells of one that cannot be judged."""
    estimates = comparable.values(part.cells, index).estimates
    if not estimates:
        yield from (
            ClaimValue(name, "no value to compare", "", addresses.find(cell, paper), Markup(""))
            for cell, name in list(zip(part.cells, comparable.cell_names(part.cells), strict=True))[:3]
        )
        return
    low, high = drawing.strip_range([(e.value, e.half) for e in estimates])
    for cell, e in zip(part.cells, estimates, strict=True):
        yield ClaimValue(
            e.name, str(e), _seeds(e), addresses.find(cell, paper), drawing.strip(e.value, e.half, low, high)
        )


def _seeds(e: Estimate) -> str:
    if not e.n:
        return "exact"
    return f"{e.n} seed{'s' if e.n > 1 else ''}"


@dataclass(frozen=True)
class Distance:
    """How far the measured values of one table and budget lie from the published ones; the farthest with its link."""

    table: str
    budget: str
    unit: str
    number: int
    mean: str
    median: str
    farthest: str
    link: str


@dataclass(frozen=True)
class Panel:
    """A picture of parity of all cells with one unit."""

    unit: str
    picture: Markup
    number: int


def panels(findings: Mapping[str, list[Finding]], addresses: Addresses) -> list[Panel]:
    """Published against measured of all cells of one paper, by unit, the largest first."""
    points: dict[str, list[drawing.Point]] = {}
    bands: dict[str, float] = {}
    for pair in parity.pairs(findings):
        f = pair.finding
        kind = kind_of(f)
        name = f"{pair.table}, {f.cell.row}, {f.cell.column}: {pair.measured:g}, published {pair.published:g} ({kind})"
        point = drawing.Point(pair.published, pair.measured, kind, name, addresses.link(pair.table, f.cell))
        points.setdefault(f.cell.unit, []).append(point)
        bands[f.cell.unit] = f.cell.measure.tolerance if f.cell.measure else 0.0
    ordered = sorted(points.items(), key=lambda item: -len(item[1]))
    return [Panel(unit, drawing.parity(group, unit, bands[unit]), len(group)) for unit, group in ordered]


def distances(findings: Mapping[str, list[Finding]], addresses: Addresses) -> list[Distance]:
    """The distance of measured from published values by table, budget and unit."""
    groups: dict[tuple[str, str, str], list[tuple[float, Finding]]] = {}
    for pair in parity.pairs(findings):
        f = pair.finding
        key = pair.table, f.budget or "computed", f.cell.unit
        groups.setdefault(key, []).append((pair.measured - pair.published, f))
    made = []
    for (table, budget, unit), group in groups.items():
        differences = [difference for difference, _ in group]
        farthest, of_cell = max(group, key=lambda item: abs(item[0]))
        made.append(
            Distance(
                table,
                budget,
                unit,
                len(group),
                _signed(fmean(differences)),
                f"{median(map(abs, differences)):.2f}",
                f"{_signed(farthest)} ({of_cell.cell.row}, {of_cell.cell.column})",
                addresses.link(table, of_cell.cell),
            )
        )
    return made


def _signed(number: float) -> str:
    return f"{number:+.2f}".replace("-", "−")
