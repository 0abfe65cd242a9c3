"""From a download to a file the readers know: a member of an archive, converted, as CSV with a header."""

import csv
import gzip
import io
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast

from python_calamine import CalamineError

from pipelines.datasets.cards import CardFile
from pipelines.datasets.xlsx import read_sheet
from recsys.errors import DataError
from recsys.progress import Progress

_BLOCK = 1 << 20
_REPORT_ROWS = 100_000

# What is raised when an archive, a workbook or a text in it is not what it says it is.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    CalamineError,
    UnicodeDecodeError,
    EOFError,
)


def unpack(archive: Path, file: CardFile, target: Path, *, progress: Progress) -> None:
    """Write `target`, gzipped if its name ends in .gz, from a download as its card says.

    Names inside an archive never become paths. Raises DataError if the archive is damaged or lacks the
    member, or if columns or number of rows differ from the card.
    """
    try:
        with _member(archive, file.member) as source, _opened(target) as out:
            stage = f"unpack {file.name}"
            write = _copied if file.format == "csv" else _converted
            rows = write(source, file, out, stage, progress)
    except _DAMAGE as error:
        raise DataError(f"cannot be unpacked into {file.name}: {error}") from error
    if file.rows is not None and rows != file.rows:
        raise DataError(f"{file.name} has {rows} rows, expected {file.rows}: another file is published there now")


@contextmanager
def _member(archive: Path, member: str | None) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        if member is None:
            yield stack.enter_context(archive.open("rb"))
        elif zipfile.is_zipfile(archive):
            zipped = stack.enter_context(zipfile.ZipFile(archive))
            if member not in zipped.namelist():
                raise _lacks(member, zipped.namelist())
            yield stack.enter_context(zipped.open(member))
        else:
            yield _tar_member(stack.enter_context(tarfile.open(archive)), member)


def _tar_member(tar: tarfile.TarFile, member: str) -> IO[bytes]:
    try:
        source = tar.extractfile(member)
    except KeyError:
        source = None
    if source is None:
        raise _lacks(member, tar.getnames())
    return source


def _lacks(member: str, names: list[str]) -> DataError:
    return DataError(f"the archive holds no file {member!r}; it holds {', '.join(sorted(names)[:10])}")


@contextmanager
def _opened(target: Path) -> Iterator[IO[bytes]]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as raw:
        if target.suffix != ".gz":
            yield raw
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed:
            yield cast(IO[bytes], packed)


def _copied(source: IO[bytes], file: CardFile, out: IO[bytes], stage: str, progress: Progress) -> int:
    """Copy everything after the header byte for byte."""
    line = source.readline().decode(file.encoding)
    header = next(csv.reader([line]), [])
    _check_header([file.renamed.get(name, name) for name in header], file)
    out.write(_csv_line(file.columns))
    rows, ended = 0, True
    for block in iter(lambda: source.read(_BLOCK), b""):
        out.write(block)
        rows, ended = rows + block.count(b"\n"), block.endswith(b"\n")
        progress(stage, rows, file.rows)
    return rows + (not ended)


def _check_header(header: list[str], file: CardFile) -> None:
    if header != list(file.columns):
        raise DataError(f"{file.name}: the columns are {header}, expected {list(file.columns)}")


def _csv_line(fields: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()


def _converted(source: IO[bytes], file: CardFile, out: IO[bytes], stage: str, progress: Progress) -> int:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(file.columns)
    n = 0
    for n, row in enumerate(_rows(source, file), start=1):
        writer.writerow(row)
        if n % _REPORT_ROWS == 0:
            progress(stage, n, file.rows)
    text.detach()
    progress(stage, n, n)
    return n


def _rows(source: IO[bytes], file: CardFile) -> Iterator[list[str]]:
    if file.format == "xlsx":
        yield from _worksheet_rows(source, file)
        return
    # A carriage return or another of Unicode's line ends is part of a field here, so only \n ends a line.
    with io.TextIOWrapper(source, encoding=file.encoding, newline="\n") as lines:
        for line in filter(str.strip, lines):
            fields = line.rstrip("\r\n").split(" " if file.format == "adjacency" else file.separator)
            if file.format == "adjacency":
                yield from ([fields[0], item] for item in fields[1:] if item)
            else:
                yield _flagged(fields, file.flags)


def _flagged(fields: list[str], flags: tuple[str, ...]) -> list[str]:
    if not flags:
        return fields
    kept, raised = fields[: -len(flags)], fields[-len(flags) :]
    return [*kept, "|".join(name for name, flag in zip(flags, raised, strict=False) if flag == "1")]


def _worksheet_rows(source: IO[bytes], file: CardFile) -> Iterator[list[str]]:
    with TemporaryFile() as seekable:
        shutil.copyfileobj(source, seekable)
        seekable.seek(0)
        rows = read_sheet(seekable, sheet=file.sheet, dates=file.dates)
        _check_header(next(rows, []), file)
        yield from rows
