import io
import zipfile
from pathlib import Path

import pytest

from pipelines.datasets.cards import CardFile
from pipelines.datasets.unpack import unpack
from pipelines.datasets.xlsx import read_sheet
from recsys.errors import DataError
from recsys.progress import silent

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
TEXTS = f"""<?xml version="1.0"?><sst {MAIN}><si><t>Code</t></si><si><t>Sold</t></si><si><t>Price</t></si>
<si><r><t>RED </t></r><r><t>LAMP</t></r><rPh><t>phonetic</t></rPh></si>
<si><t xml:space="preserve"> A &amp; B</t></si></sst>"""
SHEET = f"""<?xml version="1.0"?><worksheet {MAIN}><cols><col/></cols><sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row>
<row r="2"><c r="A2" t="s"><v>3</v></c><c r="B2"><v>40148.322916666664</v></c>
<c r="C2"><v>6.9500000000000002</v></c></row>
<row r="3"/>
<row r="4"><c r="A4"><v>85048</v></c><c r="C4"><v>-12</v></c></row>
<row r="5"><c r="A5" t="s"><v>4</v></c><c r="B5"><v>40148</v></c></row>
<row r="6"><c t="inlineStr"><is><t>direct</t></is></c><c/><c t="str"><v>text</v></c></row>
</sheetData></worksheet>"""
ROWS = [
    ["Code", "Sold", "Price"],
    ["RED LAMP", "2009-12-01 07:45:00", "6.95"],
    ["85048", "", "-12"],
    [" A & B", "2009-12-01 00:00:00"],
    ["direct", "", "text"],
]


def workbook(sheets: list[str], texts: str | None = TEXTS) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        for number, sheet in enumerate(sheets, start=1):
            book.writestr(f"xl/worksheets/sheet{number}.xml", sheet)
        if texts is not None:
            book.writestr("xl/sharedStrings.xml", texts)
    return out


def test_texts_numbers_and_dates() -> None:
    assert list(read_sheet(workbook([SHEET]), sheet=1, dates=["Sold"])) == ROWS


def test_the_sheet_asked_for() -> None:
    other = f'<worksheet {MAIN}><sheetData><row><c t="str"><v>one</v></c></row></sheetData></worksheet>'
    assert list(read_sheet(workbook([SHEET, other], None), sheet=2)) == [["one"]]


def test_columns_beyond_z() -> None:
    wide = f'<worksheet {MAIN}><sheetData><row><c r="AB1"><v>1</v></c></row></sheetData></worksheet>'
    assert list(read_sheet(workbook([wide], None), sheet=1)) == [[""] * 27 + ["1"]]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("book.xlsx", workbook([SHEET]).getvalue())
    return path


def card_file(**changes: object) -> CardFile:
    about = {"columns": {"Code": "", "Sold": "", "Price": ""}, "dates": ("Sold",), "rows": 4} | changes
    return CardFile.model_validate({"name": "o.csv", "what": "w", "member": "book.xlsx", "format": "xlsx"} | about)


def test_a_workbook_in_an_archive_becomes_csv(archive: Path, tmp_path: Path) -> None:
    unpack(archive, card_file(), tmp_path / "o.csv", progress=silent)
    assert (tmp_path / "o.csv").read_text().splitlines() == [
        "Code,Sold,Price",
        "RED LAMP,2009-12-01 07:45:00,6.95",
        "85048,,-12",
        " A & B,2009-12-01 00:00:00,",
        "direct,,text",
    ]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"columns": {"Code": ""}}, r"the columns are \['Code', 'Sold', 'Price'\], expected \['Code'\]"),
        ({"sheet": 2}, "the workbook has no xl/worksheets/sheet2.xml"),
    ],
)
def test_another_workbook_than_the_card_says_is_refused(
    archive: Path, tmp_path: Path, changes: dict[str, object], wanted: str
) -> None:
    with pytest.raises(DataError, match=wanted):
        unpack(archive, card_file(**changes), tmp_path / "o.csv", progress=silent)
