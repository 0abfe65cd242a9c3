"""A worksheet of an .xlsx workbook as rows of text."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import IO

from python_calamine import load_workbook

from recsys.errors import DataError

Cell = int | float | str | bool | time | date | datetime | timedelta

# Day 0 of the 1900 date system, moved back a day because the format counts a 29 February 1900 that never was.
_DAY_ZERO = datetime(1899, 12, 30)


def read_sheet(workbook: IO[bytes], *, sheet: int, dates: Sequence[str] = ()) -> Iterator[list[str]]:
    """Rows of worksheet number `sheet` (from 1), the header first; empty rows are left out.

    Numbers come out in their shortest form, dates and the numbers in the columns `dates` as "2009-12-01 07:45:00",
    an empty cell as "". Every row is as long as the widest. The whole worksheet is held in memory.
    Raises DataError if the workbook has no such worksheet, CalamineError if it cannot be read.
    """
    with load_workbook(workbook) as book:
        if sheet > len(book.sheet_names):
            raise DataError(f"the workbook has no worksheet {sheet}; it has {', '.join(map(repr, book.sheet_names))}")
        rows = filter(any, (list(map(_text, row)) for row in book.get_sheet_by_index(sheet - 1).iter_rows()))
        header = next(rows, [])
        yield header
        dated = [at for at, name in enumerate(header) if name in dates]
        for cells in rows:
            for at in dated:
                cells[at] = _date(cells[at])
            yield cells


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.15g}"
    return str(_whole_seconds(cell)) if isinstance(cell, datetime) else str(cell)


def _date(text: str) -> str:
    """A date that came as the number of days since day 0; every other text as it is."""
    try:
        return str(_whole_seconds(_DAY_ZERO + timedelta(days=float(text))))
    except ValueError:
        return text


def _whole_seconds(moment: datetime) -> datetime:
    return (moment + timedelta(seconds=0.5)).replace(microsecond=0)
