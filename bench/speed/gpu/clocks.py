"""The clock and the power of a card while it works, as ``nvidia-smi`` reads them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

COLUMNS = ("clock_mhz", "max_clock_mhz", "power_w")
FIELDS = "clocks.sm,clocks.max.sm,power.draw"
TIMEOUT = 10.0  # seconds


def while_busy(work: Callable[[], Any], uuid: str) -> dict[str, str]:
    """``COLUMNS`` of the card ``uuid``, read while ``work`` is repeated."""
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, uuid)
        while not reading.done():
            work()
    return reading.result()


def read(uuid: str) -> dict[str, str]:
    """``COLUMNS``, each empty where ``nvidia-smi`` does not give it."""
    command = ["nvidia-smi", f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits", f"--id={uuid}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return dict.fromkeys(COLUMNS, "")
    values = [value.strip() for value in done.stdout.strip().split(",")]
    if len(values) != len(COLUMNS):
        return dict.fromkeys(COLUMNS, "")
    return {name: value if _is_number(value) else "" for name, value in zip(COLUMNS, values, strict=True)}


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
