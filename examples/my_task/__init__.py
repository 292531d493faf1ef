"""A data set, a task and a table of one's own: python -m bench run ramps-1 --plugin FOLDER."""

from bench.measures import ACCURACY, ENERGY, LOSS_CURVE, SILHOUETTE
from bench.papers.roles.models import LIF
from bench.spec.model import Model
from bench.spec.own import DataSet
from bench.spec.table import Cell, Paper, Table, figure_cells
from bench.spec.task import Task
from datamodules.sources import Source

from .ramps import ramps

DATA = DataSet(Source("ramps", "Ramps", licence="none", citation="made here"), ramps)
TASK = Task(
    "ramps",
    "Ramps",
    data="ramps",
    data_settings={"steps": 20, "samples": 400},
    layers=(8, 16, 2),
    readout="leaky-readout",
    loss="mean-ce",
    lr=1e-2,
    batch_size=50,
    epochs=10,
    budgets={"laptop": {"epochs": 3}, "smoke": {"epochs": 1, "data_settings": {"samples": 100}}},
    sources={"data": "examples/my_task/ramps.py"},
)
PAPER = Paper("ramps", "Rising and falling inputs", "the author of this file", "unpublished", "@misc{ramps}")
ROWS = {"LIF": LIF, "LIF, recurrent": Model("ramps-recurrent", "LIF, recurrent", recurrent=True)}
COLUMNS = {"Accuracy": ACCURACY, "Energy": ENERGY, "Silhouette": SILHOUETTE}
TABLE = Table(
    "ramps-1",
    PAPER,
    "Accuracy and energy on ramps",
    tuple(
        Cell(row, column, None, measure.unit, TASK, model, measure)
        for row, model in ROWS.items()
        for column, measure in COLUMNS.items()
    ),
)
FIGURE = Table(
    "ramps-fig-1", PAPER, "Test loss on ramps", figure_cells(ROWS, {"Ramps": TASK}, LOSS_CURVE), draw="curves:losses"
)
