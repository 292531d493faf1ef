"""Creates ``.venv`` from the lock with nothing but Python: ``python3 tools/bootstrap.py``.

Rebuilt only when the lock changes; a changed project file is installed again. Needs Linux or macOS and Python 3.11 to
3.13.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import venv as environments
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
PROJECT = ROOT / "pyproject.toml"  # names the commands that packages add
STAMP = VENV / ".lock-sha256"
OLDEST = (3, 11)
NEWEST = (3, 13)


def problem(platform: str, version: tuple[int, int]) -> str:
    """Why the suite cannot run on this platform or Python; empty where it can."""
    if platform == "win32":
        return "Windows is not supported (locks, signals): use Linux or macOS, or WSL, which is a Linux."
    if not OLDEST <= version <= NEWEST:
        return f"Python 3.11 to 3.13 is needed, this is {version[0]}.{version[1]}: make PYTHON=python3.12 …"
    return ""


def main() -> int:
    message = problem(sys.platform, sys.version_info[:2])
    if message:
        print(message, file=sys.stderr)
        return 1
    import fcntl  # Windows does not have it

    packages = _digest(LOCK.read_bytes() + sys.version.encode())
    project = _digest(PROJECT.read_bytes())
    with open(ROOT / ".venv.lock", "a") as lock:  # two makes at once: one builds, the other waits
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = STAMP.read_text().split() if STAMP.exists() else []
        if stamp == [packages, project]:
            return 0
        installs = [["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]]
        if stamp[:1] != [packages]:
            installs = [*_create(), *installs]
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for arguments in installs:
            if subprocess.run([*pip, *arguments]).returncode:
                print(
                    f"pip could not install {arguments[0]}; the messages above say why. Run the same command again.",
                    file=sys.stderr,
                )
                return 1
        STAMP.write_text(f"{packages} {project}")
    return 0


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _create() -> list[list[str]]:
    """Create an empty ``.venv``; what pip has to install into it, in this order."""
    pinned = [line.strip() for line in LOCK.read_text().splitlines() if line.strip() and not line.startswith("#")]
    torch = next(line for line in pinned if line.startswith("torch=="))
    if VENV.is_symlink():
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(VENV)
    print(f"creating {VENV} ({len(pinned)} packages)", file=sys.stderr)
    environments.create(VENV, with_pip=True)
    # torch first and alone: pip then takes the build that fits this machine, and nothing after it replaces it
    return [[torch, *shlex.split(os.environ.get("TORCH_PIP_ARGS", ""))], ["--requirement", str(LOCK)]]


if __name__ == "__main__":
    sys.exit(main())
