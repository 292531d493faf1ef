"""The CSV of a table: one value a column."""

from __future__ import annotations

import csv
import io
import math

from bench.ledger import store
from bench.ledger.index import Index
from bench.papers.registry import TABLES
from bench.report.csv_table import to_csv
from bench.report.findings import find_results


def test_every_column_of_numbers_in_the_csv_has_numbers_alone() -> None:
    lines = Index(store.read())
    for table in TABLES.values():
        for row in csv.DictReader(io.StringIO(to_csv(table, find_results(table, lines)))):
            for column in ("published", "measured", "difference", "ci_low", "ci_high", "n", "epochs_min", "epochs"):
                assert row[column] == "" or math.isfinite(float(row[column])), (table.id, row["row"], column)


def test_a_computed_number_is_in_the_unit_of_the_published_one_and_words_are_in_their_own_column() -> None:
    table = TABLES["celif-1"]
    rows = {
        (row["row"], row["column"]): row for row in csv.DictReader(io.StringIO(to_csv(table, find_results(table, []))))
    }
    counted = rows["LSTM | Recurrent | 66.5k", "Parameters"]
    assert (counted["published"], counted["unit"], counted["measured"]) == ("66.5", "k", "66.56")
    words = rows["LSTM | Recurrent | 66.5k", "Architecture"]
    assert (words["published"], words["published_text"]) == ("", "Recurrent")
    assert (words["measured"], words["measured_text"]) == ("", "Recurrent")
