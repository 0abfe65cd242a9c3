"""What lies below a remote folder: every file with its state, by one listing."""

from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow.fs as pa_fs

from recsys.errors import DataError
from recsys.remote.failures import attempted, failure, remote_errors
from recsys.remote.file_systems import ATTEMPTS, object_store, web_server
from recsys.remote.remote_path import WEB, FileState, RemotePath


def file_state(path: RemotePath) -> FileState:
    """The state of one file. Raises DataError if there is none, or it cannot be read."""
    with remote_errors(path):
        if path.target.kind == WEB:
            return _web_state(path)
        system, place = object_store(path)
        found = system.get_file_info(place)
        if found.type != pa_fs.FileType.File:
            list_below(replace(path, state=None))  # says if there is no such bucket
            raise DataError(f"{path}: {'is a folder' if found.type == pa_fs.FileType.Directory else 'no such file'}")
        return _state(found)


def list_below(path: RemotePath) -> dict[str, FileState]:
    """The files at or below `path`, by their names relative to it; "" is the file `path` itself.

    One request per thousand files. Empty if there are none. Raises DataError if the bucket is missing or refuses.
    """
    with remote_errors(path):
        if path.target.kind == WEB:
            return {"": _web_state(path)}
        system, place = object_store(path)
        if path.key and (found := system.get_file_info(place)).type == pa_fs.FileType.File:
            return {"": _state(found)}
        try:
            below = system.get_file_info(pa_fs.FileSelector(place, recursive=True))
        except FileNotFoundError:
            return {}
        cut = len(place) + 1
        return {each.path[cut:]: _state(each) for each in below if each.type == pa_fs.FileType.File}


def _state(found: pa_fs.FileInfo) -> FileState:
    return FileState(found.size, found.mtime_ns or 0)


def _web_state(path: RemotePath) -> FileState:
    found = attempted(partial(_web_info, path), attempts=ATTEMPTS)
    if path.target.url.startswith("https:") and str(found.get("url", "https:")).startswith("http:"):
        raise DataError(f"{path}: the server sends on to an address with http://, where the file may be changed")
    if found["size"] is None:
        raise DataError(
            f"{path}: the server does not say how long the file is, so that a part cannot be told from it"
        )
    return FileState(int(found["size"]), version=str(found.get("ETag") or found.get("Last-Modified") or ""))


def _web_info(path: RemotePath) -> dict[str, Any]:
    try:
        return dict(web_server().info(path.target.url))
    except FileNotFoundError as error:  # which fsspec raises, whatever happened
        raise failure(path, error) from None
