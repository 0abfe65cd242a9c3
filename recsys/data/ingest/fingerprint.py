"""The fingerprint of a log: the same files with the same bytes give the same one."""

import hashlib
import os
from pathlib import Path

from recsys.config import LogConfig
from recsys.data.ingest.log_files import log_files


def fingerprint_log(log: LogConfig) -> str:
    """sha256, in hexadecimal, over the name, size and content of every file of the log.

    Names count from the deepest folder that holds them all, so that a log may move as a whole.
    Raises DataError as `read_log` does where files are missing or empty.
    """
    files = log_files(log.paths)
    base = Path(os.path.commonpath([file.parent for file in files]))
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        total.update(f"{file.relative_to(base).as_posix()}\0{file.stat().st_size}\0{digest}\n".encode())
    return total.hexdigest()
