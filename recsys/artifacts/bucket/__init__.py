"""A store in an object store: one pointer object, moved under a condition, and the sealed versions that it names."""

from recsys.artifacts.bucket.download import download_version
from recsys.artifacts.bucket.pointer import Pointer, ReadPointer, Upload, read_pointer
from recsys.artifacts.bucket.upload import upload_version

__all__ = ["Pointer", "ReadPointer", "Upload", "download_version", "read_pointer", "upload_version"]
