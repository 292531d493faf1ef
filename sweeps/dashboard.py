"""optuna-dashboard over the storage of the queue and the searches."""

from __future__ import annotations

import sys
from collections.abc import Container
from copy import copy
from typing import TYPE_CHECKING, Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from bench import paths
from bench.errors import BenchError
from bench.ledger import store
from bench.ledger.locks import folder_key
from sweeps import addresses
from sweeps.database import Database
from sweeps.journal import Journal
from sweeps.optuna_private import FrozenStudy, study_id
from sweeps.storage import connect
from sweeps.trials import UNFINISHED

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PARAMETERS = ("task", "model", "seed", "budget")  # user attributes that tell the experiments of a queue apart


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@BaseStorage.register
class View:
    """A storage as the dashboard shows it. Searches and methods without a definition here are those of the storage.

    The trials of a queue have ``PARAMETERS``, which tables, plots and importances go by. A trial that was stopped,
    withdrawn or lost with its worker is pruned, not failed. The queues of this checkout are named after their results.
    """

    def __init__(self, storage: Database | Journal) -> None:
        self.storage = storage
        runs = store.folder().name
        folders = (paths.results(), paths.exploratory())
        self.names = {f"ledger-{folder_key(folder / runs)}": f"queue of {folder}" for folder in folders}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    def get_all_studies(self) -> list[FrozenStudy]:
        studies = [copy(study) for study in self.storage.get_all_studies()]
        for study in studies:
            study.study_name = self.names.get(study.study_name, study.study_name)
        return sorted(studies, key=study_id)

    def get_study_name_from_id(self, study_id: int) -> str:
        name = self.storage.get_study_name_from_id(study_id)
        return self.names.get(name, name)

    def get_study_id_from_name(self, study_name: str) -> int:
        stored = {title: name for name, title in self.names.items()}
        return self.storage.get_study_id_from_name(stored.get(study_name, study_name))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if not self._is_queue(study_id):
            return self.storage.get_all_trials(study_id, deepcopy, states)
        trials = self._with_parameters(study_id, self.storage.get_all_trials(study_id, deepcopy))
        return [trial for trial in trials if states is None or trial.state in states]

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        best = self.storage.get_best_trial(study_id)
        return self._with_parameters(study_id, [best])[0] if self._is_queue(study_id) else best

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Raises ``BenchError``: renaming a study would store its trials as they are shown."""
        raise BenchError("the dashboard adds no trials and renames no study that has some")

    def _is_queue(self, study_id: int) -> bool:
        return "schema" in self.storage.get_study_user_attrs(study_id)

    def _with_parameters(self, study_id: int, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """``trials`` of a queue, for the page. A value keeps its place among the choices: new ones come after it."""
        queued = self.storage.queued(
            study_id, *PARAMETERS
        )  # read after the trials: then it has the values of all of them
        space: dict[str, BaseDistribution] = {}
        for name in PARAMETERS:
            if values := dict.fromkeys(q.attributes[name] for q in queued if name in q.attributes):
                space[name] = CategoricalDistribution(tuple(values))
        return [_parametrised(trial, space) for trial in trials]


def _parametrised(trial: FrozenTrial, space: dict[str, BaseDistribution]) -> FrozenTrial:
    view = copy(trial)
    attributes = trial.user_attrs
    view.params = {name: attributes[name] for name in space if name in attributes}
    view.distributions = {name: space[name] for name in view.params}
    view.system_attrs = trial.system_attrs | {"fixed_params": view.params}  # the page reads them of waiting trials
    view.user_attrs = {key: value for key, value in attributes.items() if key not in view.params}
    if trial.state == TrialState.FAIL and attributes.get("status") in UNFINISHED:
        view.state = TrialState.PRUNED
    return view


def application(address: str) -> WSGIApplication:
    """The dashboard of the storage at ``address``. Raises ``BenchError`` where optuna-dashboard is missing."""
    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise BenchError("the dashboard needs optuna-dashboard: pip install optuna-dashboard") from None
    return wsgi(cast(BaseStorage, View(connect(address))))


def serve(storage: str | None, port: int) -> None:
    """Serve until Ctrl-C. Raises ``BenchError`` where optuna-dashboard is missing or the port is taken."""
    address = addresses.address(storage)
    app = application(address)
    try:
        server = make_server("127.0.0.1", port, app, WSGIServer, _SilentHandler)
    except OSError as error:
        raise BenchError(f"port {port} cannot be used ({error.strerror}): --port") from None
    print(f"{addresses.masked(address)} at http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    with server:
        server.serve_forever()
