"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, sync: bool = True) -> None:
    """Replace ``path`` by ``content``, on disk when this returns if ``sync``.

    Raises ``OSError``, and then leaves no file of its own.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as file:
            temporary = file.name
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)
        raise
