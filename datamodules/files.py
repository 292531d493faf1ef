"""Files that are written whole or not at all, through links, with the rights that their folder's users expect."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

JUNK = (".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", ".directory")  # file managers put them anywhere


def is_junk(name: str) -> bool:
    """Whether a file of this ``name`` is a file manager's, or macOS's second half of a file ("._NAME")."""
    return name in JUNK or name.startswith(("._", ".nfs"))


def write_atomically(path: Path, content: bytes, sync: bool = True) -> None:
    """Replace ``path`` by ``content``, on disk when this returns if ``sync``. A link stays, and what it points to is
    replaced.

    A new file has the rights of the umask and the folder's group; one that was there keeps its rights and group.
    Raises ``OSError``, and then leaves no file of its own.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = target.with_name(f".part-{uuid.uuid4().hex[:12]}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        _keep_rights(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _keep_rights(old: Path, new: Path) -> None:
    """Give ``new`` mode and group of ``old``, where there is such a file and its group may be given."""
    try:
        present = old.stat()
    except FileNotFoundError:
        return
    if present.st_gid != new.stat().st_gid:
        with suppress(OSError):
            os.chown(new, -1, present.st_gid)
    os.chmod(new, present.st_mode & 0o7777)
