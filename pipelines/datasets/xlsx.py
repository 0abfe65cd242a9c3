"""A worksheet of an .xlsx workbook as rows of text: enough of the format (ECMA-376) to read plain tables."""

import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import IO
from xml.etree import ElementTree

from recsys.errors import DataError

_NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

# Day 0 of the 1900 date system, moved back a day because the format counts a 29 February 1900 that never was.
_DAY_ZERO = datetime(1899, 12, 30)


def read_sheet(workbook: IO[bytes], *, sheet: int, dates: Sequence[str] = ()) -> Iterator[list[str]]:
    """Rows of worksheet number `sheet` (from 1), the header first; one row is in memory at a time.

    Numbers come out in their shortest form; columns named in `dates` as "2009-12-01 07:45:00". An empty cell is
    "", a row ends with its last filled cell. Raises DataError where the workbook has no such sheet.
    """
    with zipfile.ZipFile(workbook) as book:
        name = f"xl/worksheets/sheet{sheet}.xml"
        if name not in book.namelist():
            raise DataError(f"the workbook has no {name}")
        texts = list(_shared_texts(book))
        with book.open(name) as source:
            rows = filter(any, (_cells(row, texts) for row in _elements(source, "row")))
            header = next(rows, [])
            yield header
            dated = [at for at, name in enumerate(header) if name in dates]
            for cells in rows:
                for at in filter(len(cells).__gt__, dated):
                    cells[at] = _date(cells[at])
                yield cells


def _elements(source: IO[bytes], name: str) -> Iterator[ElementTree.Element]:
    parents: list[ElementTree.Element] = []
    for event, element in ElementTree.iterparse(source, events=("start", "end")):
        if event == "start":
            parents.append(element)
            continue
        parents.pop()
        if element.tag == f"{_NAMESPACE}{name}":
            yield element
            parents[-1].remove(element)


def _shared_texts(book: zipfile.ZipFile) -> Iterator[str]:
    if "xl/sharedStrings.xml" in book.namelist():
        with book.open("xl/sharedStrings.xml") as source:
            for element in _elements(source, "si"):
                yield _text(element)


def _text(element: ElementTree.Element) -> str:
    """The text of a string, without the phonetic hints beside it."""
    runs = [*element.findall(f"{_NAMESPACE}t"), *element.findall(f"{_NAMESPACE}r/{_NAMESPACE}t")]
    return "".join(run.text or "" for run in runs)


def _cells(row: ElementTree.Element, texts: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.findall(f"{_NAMESPACE}c"):
        at = _column(cell.get("r", "")) if cell.get("r") else len(cells)
        cells += [""] * (at - len(cells)) + [_value(cell, texts)]
    return cells


def _column(reference: str) -> int:
    """Position of a cell such as AB12 in its row, from 0."""
    number = 0
    for letter in filter(str.isalpha, reference):
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _value(cell: ElementTree.Element, texts: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(map(_text, cell.findall(f"{_NAMESPACE}is")))
    value = cell.findtext(f"{_NAMESPACE}v") or ""
    if kind == "s":
        return texts[int(value)]
    return f"{float(value):.15g}" if kind == "n" and value else value


def _date(number: str) -> str:
    return str(_DAY_ZERO + timedelta(seconds=round(float(number) * 86_400))) if number else ""
