"""optuna-dashboard over the storage of the queue and the searches."""

from __future__ import annotations

import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from bench.errors import BenchError
from sweeps import storage as storages


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(storage: str | None, port: int) -> None:
    """Serve until Ctrl-C. Raises ``BenchError`` where optuna-dashboard is missing or the port is taken."""
    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise BenchError("the dashboard needs optuna-dashboard: pip install optuna-dashboard") from None
    where = storages.address(storage)
    try:
        server = make_server("127.0.0.1", port, wsgi(storages.connect(where)), WSGIServer, _Quiet)
    except OSError as error:
        raise BenchError(f"port {port} cannot be used ({error.strerror}): --port") from None
    print(f"{storages.public(where)} at http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    with server:
        server.serve_forever()
