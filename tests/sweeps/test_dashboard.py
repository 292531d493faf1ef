"""What the dashboard makes of a queue: parameters, endings, importances and names, by what its page asks for."""

from __future__ import annotations

import csv
import io
import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from optuna.trial import TrialState

from bench import paths
from bench.ledger.new_lines import new_lines
from bench.plan import Job
from sweeps import addresses
from sweeps.dashboard import PARAMETERS, application
from sweeps.queue import Queue
from sweeps.status import status
from sweeps.trials import UNFINISHED, WITHDRAWN, WORKER_DIED
from tests.sweeps.conftest import enqueue, job, ok

importance = pytest.importorskip("optuna_dashboard._importance", reason="optuna-dashboard is not installed")


class Page:
    """The dashboard of a storage, without a server."""

    def __init__(self, storage: str) -> None:
        importance.param_importance_cache.clear()  # it knows studies by id, of whatever storage
        self.application = application(addresses.address(storage))

    def answer(self, path: str, method: str = "GET", **sent: Any) -> tuple[int, bytes]:
        """Status and body."""
        path, _, query = path.partition("?")
        body = json.dumps(sent).encode()
        environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method, "HTTP_ACCEPT_ENCODING": "gzip"}
        environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
        setup_testing_defaults(environ)
        codes: list[int] = []

        def start(line: str, *_: object) -> Any:
            codes.append(int(line.split()[0]))

        answer = self.application({**environ, "wsgi.input": io.BytesIO(body)}, start)
        return codes[0], b"".join(answer)

    def get(self, path: str) -> Any:
        code, body = self.answer(path)
        assert code == 200, (path, code, body)
        return json.loads(body)

    def studies(self) -> dict[str, int]:
        """Ids by name."""
        return {s["study_name"]: s["study_id"] for s in self.get("/api/studies")["study_summaries"]}


def run(queue: Queue, planned: Job, ending: str) -> None:
    """Queue ``planned`` and bring it to its ``ending``: "ok", another status of the ledger, or one without a line."""
    enqueue(queue, planned, seconds=1.0 + planned.experiment.seed)  # claimed before earlier ones that wait again
    if ending == WITHDRAWN:
        queue.withdraw([planned.experiment.id])
        return
    claim = queue.claim()
    assert claim is not None
    assert claim.job == planned
    if ending == WORKER_DIED:
        claim.lock.close()
        queue.reap(force=True)
        return
    lines = new_lines(planned.experiment, planned.measures, ending, "an error")
    assert queue.finish(claim, ok(planned, 40.0 + planned.experiment.seed) if ending == "ok" else lines)


# of seeds 0, 1, …; the last two wait again
ENDINGS = ("ok", "ok", "ok", "failed", "diverged", WITHDRAWN, WORKER_DIED, "preempted")


def filled(queue: Queue, endings: tuple[str, ...] = ENDINGS) -> Queue:
    for seed, ending in enumerate(endings):
        run(queue, job(seed, ("lif", "plif-ff")[seed % 2]), ending)
    return queue


def test_everything_that_the_page_of_a_queue_asks_for_is_answered(storage: str, study: str) -> None:
    filled(Queue(storage, study))
    page = Page(storage)
    study_id = page.studies()[study]
    overview, rest = f"/dashboard/studies/{study_id}", f"/api/studies/{study_id}?after=3"
    for path in ("/dashboard", overview, "/static/bundle.js", "/api/meta", rest):
        assert page.answer(path)[0] == 200, path
    detail = page.get(f"/api/studies/{study_id}")
    assert [trial["number"] for trial in detail["trials"]] == list(range(len(ENDINGS) + 2))
    assert [trial["number"] for trial in detail["best_trials"]] == [2]
    assert detail["best_trials"][0]["params"] == detail["trials"][2]["params"]
    for space in (detail["union_search_space"], detail["intersection_search_space"]):
        assert [parameter["name"] for parameter in space] == sorted(PARAMETERS)
    (importances,) = page.get(f"/api/studies/{study_id}/param_importances")["param_importances"]
    assert {entry["name"] for entry in importances} == set(PARAMETERS)
    code, text = page.answer(f"/csv/{study_id}")
    assert code == 200
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    assert [row["Param model"] for row in rows[:3]] == ["lif", "plif-ff", "lif"]


def test_what_was_stopped_taken_back_or_lost_with_its_worker_is_no_failure(storage: str, study: str) -> None:
    queue = filled(Queue(storage, study))
    page = Page(storage)
    trials = page.get(f"/api/studies/{page.studies()[study]}")["trials"]
    endings = [
        next((entry["value"] for entry in trial["user_attrs"] if entry["key"] == "status"), "") for trial in trials
    ]
    assert Counter(endings) == Counter(ENDINGS + ("", ""))
    states = {"ok": "Complete", "failed": "Fail", "diverged": "Fail", "": "Waiting"}
    states |= dict.fromkeys(UNFINISHED, "Pruned")
    assert [trial["state"] for trial in trials] == [states[ending] for ending in endings]
    counts = Counter(trial["state"] for trial in trials)
    counted = status(queue)["tables"]["roles-6"]
    assert (counted["done"], counted["failed"], counted["left"]) == (
        counts["Complete"],
        counts["Fail"],
        counts["Waiting"],
    )
    for trial in trials:
        assert [entry["name"] for entry in trial["fixed_params"]] == list(PARAMETERS)
    stored = queue.storage.get_all_trials(queue.study_id)
    assert [trial["trial_id"] for trial in trials] == [trial._trial_id for trial in stored]
    assert Counter(trial.state.name for trial in stored)["FAIL"] == 5  # the queue itself stays as it is
    assert not any(trial.params for trial in stored)


def test_parameters_tell_experiments_apart_and_keep_their_place_as_a_queue_grows(storage: str, study: str) -> None:
    queue = filled(Queue(storage, study), ("ok", "failed"))

    def parameters() -> list[dict[str, dict[str, Any]]]:
        page = Page(storage)
        trials = page.get(f"/api/studies/{page.studies()[study]}")["trials"]
        assert not {entry["key"] for trial in trials for entry in trial["user_attrs"]} & set(PARAMETERS)
        return [{entry["name"]: entry for entry in trial["params"]} for trial in trials]

    def places(trials: list[dict[str, dict[str, Any]]]) -> list[tuple[str, int]]:
        parameters = [entry for trial in trials for entry in trial.values()]
        return [(entry["param_external_value"], entry["param_internal_value"]) for entry in parameters]

    before = parameters()
    values = {name: entry["param_external_value"] for name, entry in before[1].items()}
    assert values == {"task": "xor", "model": "plif-ff", "seed": "1", "budget": "smoke"}
    enqueue(queue, job(7, "celif-84k"))
    after = parameters()
    assert len(after) == 3
    assert places(after)[: len(places(before))] == places(before)
    for name in PARAMETERS:
        assert after[0][name]["distribution"] == after[1][name]["distribution"] == after[2][name]["distribution"]


@pytest.mark.parametrize("endings", [(), ("preempted",), ("ok",), ("ok", "ok"), ("failed", "failed")], ids=" ".join)
def test_importances_are_answered_however_few_experiments_are_done(places: Path, endings: tuple[str, ...]) -> None:
    filled(Queue(), endings)
    page = Page("")
    (study_id,) = page.studies().values()
    page.get(f"/api/studies/{study_id}")
    (importances,) = page.get(f"/api/studies/{study_id}/param_importances")["param_importances"]
    assert bool(importances) == (endings == ("ok", "ok"))


def test_a_queue_is_named_after_its_results_and_a_search_stays_as_it_is(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = filled(Queue())
    with monkeypatch.context() as patched:
        patched.setenv("BENCH_RESULTS", str(paths.exploratory()))
        filled(Queue(), ("ok",))
    search = optuna.create_study(storage=queue.storage, study_name="search lif on xor (smoke)")
    search.add_trial(optuna.create_trial(state=TrialState.FAIL, user_attrs={"status": "preempted"}))
    search.optimize(lambda trial: trial.suggest_float("leak", 0.0, 1.0), 2)
    page = Page("")
    studies = page.studies()
    assert list(studies) == [f"queue of {places / 'results'}", f"queue of {paths.exploratory()}", search.study_name]
    for name, study_id in studies.items():
        assert page.get(f"/api/studies/{study_id}")["name"] == name
        page.get(f"/api/studies/{study_id}/param_importances")
        assert page.answer(f"/csv/{study_id}")[0] == 200
    trials = page.get(f"/api/studies/{studies[search.study_name]}")["trials"]
    assert [trial["state"] for trial in trials] == ["Fail", "Complete", "Complete"]
    assert [entry["name"] for trial in trials for entry in trial["params"]] == ["leak", "leak"]


def test_a_queue_is_not_renamed_to_what_is_shown_of_it(storage: str, study: str) -> None:
    queue = filled(Queue(storage, study))
    page = Page(storage)
    before = page.studies()
    assert page.answer(f"/api/studies/{before[study]}/rename", "POST", study_name=f"{study} again")[0] == 500
    assert page.studies() == before
    assert queue.claim() is not None


@contextmanager
def served(page: Page) -> Iterator[str]:
    """The address of ``page`` on a port of this machine."""

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with make_server("127.0.0.1", 0, page.application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
def test_a_browser_shows_no_error_on_any_page_of_a_queue(places: Path) -> None:
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no Chromium (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    filled(Queue())
    page = Page("")
    (study_id,) = page.studies().values()
    urls: list[str] = []
    with served(page) as address, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1400, "height": 1600})
        tab.on("request", lambda request: urls.append(request.url))
        for path, text in (
            ("", "Hyperparameter Importance"),
            ("/analytics", "Param budget"),
            ("/trials?numbers=5", "status taken back"),
            ("/smartSelection", "Param task"),
        ):
            tab.goto(f"{address}/dashboard/studies/{study_id}{path}")
            tab.wait_for_selector(f"text={text}", timeout=60_000)
            tab.wait_for_load_state("networkidle")
            assert not tab.query_selector_all(".notistack-MuiContent-error"), (path, tab.inner_text("body"))
        browser.close()
    assert all(url.startswith((address, "data:", "blob:")) for url in urls)
