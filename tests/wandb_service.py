"""A stand-in of the W&B service on this machine: it answers what the client asks and keeps what arrives.

It knows what `wandb sync`, `wandb agent` and a run with tables and an artifact need. An operation that it does not
know is answered with an error and kept in ``unknown``.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = 40 * "a"
ENTITY = "ada"
Variables = dict[str, Any]
NO_EDGES: dict[str, Any] = {"edges": []}
VIEWER = {
    "id": "VXNlcjox", "username": ENTITY, "name": "Ada", "email": "ada@example.org", "entity": ENTITY, "flags": "{}",
    "admin": False, "deletedAt": None, "teams": NO_EDGES, "apiKeys": NO_EDGES,
}  # fmt: skip
VERSIONS = {"max_cli_version": "99", "min_cli_version": "0.1"}
SERVER = {"cliVersionInfo": VERSIONS, "latestLocalVersionInfo": None, "features": []}


@dataclass
class Run:
    """A run as the service has it. ``history`` has one line for each number that the client sends it under."""

    name: str
    about: dict[str, Any] = field(default_factory=dict)  # group, job type, tags, display name
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)
    uploads: int = 0  # times that an upload of this run began


@dataclass
class Artifact:
    """An artifact: its type, name, aliases and its files by path."""

    kind: str
    name: str
    aliases: list[str]
    run: str
    files: dict[str, bytes] = field(default_factory=dict)
    digest: str = ""
    committed: bool = False


class Service:
    """What has arrived. ``commands`` are given to the next agent that shows itself."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, Artifact] = {}  # by id
        self.views: list[dict[str, Any]] = []  # specs of saved workspaces
        self.sweep = ""  # YAML of the one sweep there is
        self.commands: list[dict[str, Any]] = []
        self.heartbeats: list[dict[str, str]] = []
        self.calls: list[str] = []
        self.unknown: list[str] = []
        self.address = ""
        self.lock = threading.RLock()

    def reply(self, query: str, variables: Variables) -> dict[str, Any]:
        """The answer to a GraphQL ``query``."""
        match = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
        name = match.group(1) if match else query
        self.calls.append(name)
        answer: Callable[[Variables], dict[str, Any]] | None = getattr(self, f"on_{name}", None)
        if answer is None:
            self.unknown.append(name)
            return {"errors": [{"message": f"the stand-in does not know {name}"}]}
        return {"data": answer(variables)}

    def on_Viewer(self, _: Variables) -> dict[str, Any]:
        return {"viewer": VIEWER, "serverInfo": SERVER}

    on_GetViewer = on_Viewer
    on_GetDefaultEntity = on_Viewer

    def on_ServerFeaturesQuery(self, _: Variables) -> dict[str, Any]:
        return {"serverInfo": SERVER}

    def on_XXHashDigestsEnabled(self, _: Variables) -> dict[str, Any]:
        return {"entity": {"xxhashDigestsEnabled": False}}

    def on_OrganizationCoreWeaveOrganizationID(self, _: Variables) -> dict[str, Any]:
        return {"entity": None}

    def on_UpsertBucket(self, variables: Variables) -> dict[str, Any]:
        inserted = variables["name"] not in self.runs
        run = self.runs.setdefault(variables["name"], Run(variables["name"]))
        run.uploads += bool(variables.get("program") or variables.get("host"))
        names = ("groupName", "jobType", "tags", "displayName", "project", "sweep")
        run.about |= {name: variables[name] for name in names if variables.get(name)}
        config = json.loads(variables.get("config") or "{}")
        run.config |= {name: entry["value"] for name, entry in config.items()}
        bucket = self._bucket(run) | {
            "description": "",
            "sweepName": variables.get("sweep"),
            "project": self._project(),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def on_RunResumeStatus(self, variables: Variables) -> dict[str, Any]:
        run = self.runs.get(variables["name"])
        return {"model": {**self._project(), "bucket": None if run is None else self._resumed(run)}}

    def _project(self) -> dict[str, Any]:
        return {"id": "project", "name": "project", "entity": {"id": "entity", "name": ENTITY}}

    def _bucket(self, run: Run) -> dict[str, Any]:
        config = json.dumps({name: {"value": value} for name, value in run.config.items()})
        return {
            "id": f"id-{run.name}", "name": run.name, "displayName": run.about.get("displayName"), "config": config,
            "historyLineCount": len(run.history),
        }  # fmt: skip

    def _resumed(self, run: Run) -> dict[str, Any]:
        tail = [json.dumps(run.history[max(run.history)])] if run.history else []
        return self._bucket(run) | {
            "summaryMetrics": json.dumps(run.summary), "logLineCount": 0, "eventsLineCount": 0,
            "historyTail": json.dumps(tail), "eventsTail": "[]", "tags": run.about.get("tags"), "notes": "",
            "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip

    def stream(self, name: str, content: dict[str, Any]) -> dict[str, Any]:
        """Take a part of a run's file stream."""
        run = self.runs[name]
        for file, part in content.get("files", {}).items():
            lines = part["content"]
            if file == "wandb-history.jsonl":
                run.history |= {part["offset"] + i: json.loads(line) for i, line in enumerate(lines)}
            elif file == "wandb-summary.json":
                run.summary = json.loads(lines[-1])
        if content.get("complete"):
            run.exit_codes.append(content["exitcode"])
        return {}

    def on_CreateRunFiles(self, variables: Variables) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": self._url("run", variables["run"], name)} for name in variables["files"]]
        return {"createRunFiles": {"runID": f"id-{variables['run']}", "uploadHeaders": [], "files": files}}

    def on_MarkRunFilesUploaded(self, _: Variables) -> dict[str, Any]:
        return {"markRunFilesUploaded": {"success": True}}

    def _url(self, kind: str, owner: str, name: str) -> str:
        return f"{self.address}/storage/{kind}/{owner}/{name}"

    def store(self, path: str, content: bytes) -> dict[str, Any]:
        """Take a file that is uploaded to an address of ``_url``."""
        _, _, kind, owner, name = path.split("/", 4)
        (self.runs if kind == "run" else self.artifacts)[owner].files[name] = content
        return {}

    def on_FetchArtifactDigestAlgorithm(self, _: Variables) -> dict[str, Any]:
        return {"project": None}

    on_ArtifactType = on_FetchArtifactDigestAlgorithm  # nothing is here before

    def on_CreateArtifact(self, variables: Variables) -> dict[str, Any]:
        about = variables["input"]
        number = f"artifact-{len(self.artifacts)}"
        aliases = [entry["alias"] for entry in about.get("aliases") or []]
        kind = about["artifactTypeName"]
        name = about["artifactCollectionName"]
        self.artifacts[number] = Artifact(kind, name, aliases, about.get("runName") or "", digest=about["digest"])
        artifact = {"id": number, "state": "PENDING", "artifactSequence": {"id": "s", "latestArtifact": None}}
        return {"createArtifact": {"artifact": artifact}}

    def on_CreateArtifactManifest(self, variables: Variables) -> dict[str, Any]:
        return {"createArtifactManifest": {"artifactManifest": self._manifest(variables["artifactID"])}}

    def on_UpdateArtifactManifest(self, variables: Variables) -> dict[str, Any]:
        artifact = variables["artifactManifestID"].removeprefix("manifest-of-")
        return {"updateArtifactManifest": {"artifactManifest": self._manifest(artifact)}}

    def _manifest(self, artifact: str) -> dict[str, Any]:
        url = self._url("artifact", artifact, "manifest")
        return {"id": f"manifest-of-{artifact}", "file": {"id": "m", "uploadUrl": url, "uploadHeaders": []}}

    def on_CreateArtifactFiles(self, variables: Variables) -> dict[str, Any]:
        nodes = []
        for file in variables["input"]["artifactFiles"]:
            url = self._url("artifact", file["artifactID"], file["name"])
            node = {"storagePath": file["name"], "uploadUrl": url, "uploadHeaders": [], "uploadMultipartUrls": None}
            nodes.append({"node": node | {"artifact": {"id": file["artifactID"]}}})
        return {"createArtifactFiles": {"files": {"edges": nodes}}}

    def on_CommitArtifact(self, variables: Variables) -> dict[str, Any]:
        artifact = self.artifacts[variables["artifactID"]]
        artifact.committed = True
        return {"commitArtifact": {"artifact": {"id": variables["artifactID"], "digest": artifact.digest}}}

    def on_UpsertView2(self, variables: Variables) -> dict[str, Any]:
        self.views.append(json.loads(variables["spec"]))
        return {"upsertView": {"view": {"id": "view", "name": variables["name"]}, "inserted": True}}

    def on_SweepWithRuns(self, variables: Variables) -> dict[str, Any]:
        sweep = {"id": "sweep", "name": variables["sweep"], "config": self.sweep, "runs": NO_EDGES}
        return {"project": {"sweep": sweep}}

    def on_CreateAgent(self, _: Variables) -> dict[str, Any]:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def on_Heartbeat(self, variables: Variables) -> dict[str, Any]:
        self.heartbeats.append(json.loads(variables["runState"]))
        commands = self.commands
        self.commands = []
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        with self.service.lock:
            try:
                code, content = 200, self._content(body)
            except (LookupError, TypeError, ValueError) as error:  # the client tries again after a connection is cut
                code, content = 400, {"error": f"{self.path}: {error!r}"}
                self.service.unknown.append(f"{content['error']} {body[:1000]!r}")
        answer = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _content(self, body: bytes) -> dict[str, Any]:
        if self.path == "/graphql":
            request = json.loads(body)
            return self.service.reply(request["query"], request.get("variables") or {})
        if self.path.startswith("/storage/"):
            return self.service.store(self.path, body)
        if self.path.endswith("/file_stream"):
            return self.service.stream(self.path.split("/")[-2], json.loads(body))
        if not self.path.startswith("/sdk/otel/"):  # the client's own metrics
            self.service.unknown.append(f"{self.command} {self.path}")
        return {}

    do_GET = do_POST = do_PUT = _answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """The client cuts connections where it ends: no text about it."""


@contextmanager
def serving() -> Iterator[Service]:
    """A service on a port of this machine."""
    service = Service()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service}))
    service.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
