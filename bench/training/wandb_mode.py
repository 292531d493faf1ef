"""Whether W&B tracks what is trained: decided once where a command starts, its processes inherit the decision. No
torch.

``BENCH_WANDB`` (off, offline, online) comes before W&B's own ``WANDB_MODE``. Without either, W&B is online where it
finds a key. Online needs one answer of the service within ``LIMIT_S`` seconds; without it all of the run is offline.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import paths

PROJECT = "spiking-sequence-benchmarks"
LIMIT_S = 15  # for the service's answer, with the import of wandb
CHOICES = {"off": "disabled", "offline": "offline", "online": "online"}  # of BENCH_WANDB
MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}
NOT_IN_A_PROJECT = "/\\#?%:"
LONGEST_PROJECT = 128
# asks W&B who the key belongs to; wandb reads it from the environment, its own settings and ~/.netrc
_QUESTION = """
import json, sys
from wandb import Api
try:
    print(json.dumps({"user": Api(timeout=5).viewer.username}))
except Exception as error:
    print(json.dumps({"problem": str(error)}))
"""


@dataclass(frozen=True)
class Decision:
    """``mode`` as ``WANDB_MODE`` takes it, and one ``line`` for the user."""

    mode: str
    line: str


def decide() -> Decision:
    """What the environment asks for, as far as it can be had. A wrong setting makes the run an offline one."""
    wanted, problem = _wanted()
    if wanted == "disabled":
        return Decision("disabled", "W&B: off")
    problem = problem or _project_problem(os.environ.get("WANDB_PROJECT", ""))
    if wanted == "offline" or problem:
        return Decision("offline", _offline(problem))
    answer = _ask()
    if "user" in answer:
        project = os.environ.get("WANDB_PROJECT") or PROJECT
        return Decision("online", f"W&B: online as {answer['user']}, project {project}")
    return Decision("offline", _offline(answer["problem"]))


def settle() -> str:
    """Decide for this process and those that it starts. Returns the line for the user.

    What W&B itself would refuse is taken out of the environment: an experiment never fails for its tracking.
    """
    decision = decide()
    os.environ["WANDB_MODE"] = decision.mode
    if _project_problem(os.environ.get("WANDB_PROJECT", "")):
        del os.environ["WANDB_PROJECT"]
    return decision.line


def mode() -> str:
    """The mode that was settled. A process that no command of the suite has started settles it for itself; an agent of
    W&B is online.
    """
    if os.environ.get("WANDB_MODE") not in MODES:
        if os.environ.get("WANDB_SWEEP_ID"):
            return "online"
        print(settle(), file=sys.stderr)
    return MODES[os.environ["WANDB_MODE"]]


def _wanted() -> tuple[str, str]:
    """The mode that is asked for, and what is wrong with how it is asked for."""
    choice = os.environ.get("BENCH_WANDB", "").strip()
    if choice:
        problem = f"BENCH_WANDB must be one of {', '.join(CHOICES)}, got {choice!r}"
        return (CHOICES[choice], "") if choice in CHOICES else ("offline", problem)
    chosen = os.environ.get("WANDB_MODE", "").strip()
    if chosen:
        problem = f"WANDB_MODE must be one of online, offline, disabled, got {chosen!r}"
        return (MODES[chosen], "") if chosen in MODES else ("offline", problem)
    return ("online" if _may_have_key() else "offline"), ""


def _may_have_key() -> bool:
    """Whether it is worth asking wandb, whose import takes a second, for a key."""
    netrc = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    return bool(os.environ.get("WANDB_API_KEY")) or netrc.exists() or netrc.with_name("_netrc").exists()


def _project_problem(project: str) -> str:
    if len(project) > LONGEST_PROJECT:
        return f"WANDB_PROJECT has {len(project)} characters, W&B takes {LONGEST_PROJECT}"
    if found := [character for character in NOT_IN_A_PROJECT if character in project]:
        hint = "; the team belongs into WANDB_ENTITY" if found == ["/"] else ""
        return f"WANDB_PROJECT {project!r} has {' '.join(found)}, which W&B takes in no project{hint}"
    return ""


def _ask() -> dict[str, str]:
    """The ``user`` that the service knows, or the ``problem``."""
    command = [sys.executable, "-c", _QUESTION]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=paths.ROOT)
        answer: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"problem": f"W&B did not answer within {LIMIT_S} s"}
    except (OSError, ValueError, IndexError):
        return {"problem": "wandb cannot be started"}
    if "problem" in answer:
        return {"problem": " ".join(answer["problem"].split())[:200]}
    return answer


def _offline(problem: str) -> str:
    """The line of an offline run. Without a key there is no problem."""
    if not problem or "No API key" in problem or "No authentication" in problem:
        problem = ""
    reason = f" ({problem.rstrip('.')})" if problem else ""
    return f"W&B: offline{reason}; runs are kept in {paths.home() / 'wandb'}, `make wandb-sync` uploads them"
