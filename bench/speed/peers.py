"""The other libraries that training steps are compared with, in a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from bench import paths

PEERS = {"spikingjelly": "spikingjelly==2.0.0", "snntorch": "snntorch==1.0.0"}  # name: requirement


def python() -> Path:
    """The interpreter of ``.bench/peers-venv``, which is built on first use.

    The environment adds the libraries to this project's packages and never replaces its torch. Raises
    ``CalledProcessError`` if they cannot be installed.
    """
    venv = paths.home() / "peers-venv"
    interpreter = venv / "bin" / "python"
    if not (venv / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        site = subprocess.run(
            [interpreter, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
            check=True,
            capture_output=True,
            text=True,
        )
        (Path(site.stdout.strip()) / "project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        install: list[str | Path] = [
            interpreter,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            *PEERS.values(),
            "loguru",
        ]
        subprocess.run(install, check=True)
        (venv / "complete").touch()
    return interpreter
