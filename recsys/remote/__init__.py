"""Files in object stores and on web servers: their addresses, what lies below them, and their bytes."""

from recsys.remote.remote_path import SCHEMES, FileState, RemotePath

__all__ = ["SCHEMES", "FileState", "RemotePath"]
