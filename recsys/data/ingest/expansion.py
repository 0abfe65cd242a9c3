"""Expansion: how many bytes a compressed file may become, so that a small one cannot fill a night."""

from dataclasses import dataclass

from recsys.config import FileFormat
from recsys.data.ingest.input_files import InputFile
from recsys.errors import DataError

FREE_BYTES = 256 << 20
"""A file that becomes no more than this is read whatever its ratio."""


@dataclass(frozen=True)
class ExpansionLimit:
    """`ratio`: bytes out per byte in. `most`: bytes out in all. `section`: of the configuration, for messages."""

    ratio: float
    most: float
    section: str = "log"

    @staticmethod
    def of(layout: FileFormat, section: str) -> "ExpansionLimit":
        """The limits that the configuration sets."""
        return ExpansionLimit(layout.max_expansion, layout.max_decompressed_gib * 2**30, section)

    def check(self, path: InputFile, out: float, read: float) -> None:
        """Raise DataError, with the file and the key, if `read` bytes of `path` have become too many: `out`."""
        if out > self.most:
            key, allowed = "max_decompressed_gib", f"{self.most / 2**30:g} GiB"
        elif out > FREE_BYTES and out > self.ratio * read:
            key, allowed = "max_expansion", f"{self.ratio:g} times"
        else:
            return
        raise DataError(
            f"{path}: {read / 2**20:,.1f} MiB of it become more than {out / 2**30:,.2f} GiB; {self.section}.{key} "
            f"allows {allowed}; is the file what it should be? If it is, set {self.section}.{key} higher"
        )


NO_LIMIT = ExpansionLimit(float("inf"), float("inf"))
