import io
import zipfile
from pathlib import Path

import pytest

from pipelines.datasets.cards import CardFile
from pipelines.datasets.unpack import unpack
from pipelines.datasets.xlsx import read_sheet
from recsys.errors import DataError
from recsys.progress import silent

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TEXTS = f"""<sst xmlns="{MAIN}"><si><t>Code</t></si><si><t>Sold</t></si><si><t>Price</t></si>
<si><r><t xml:space="preserve">RED </t></r><r><t>LAMP</t></r><rPh><t>phonetic</t></rPh></si>
<si><t xml:space="preserve"> A &amp; B</t></si></sst>"""
# Cells of style 1 are dates; the others are numbers, dates in a column of dates among them.
STYLES = (
    f"""<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>"""
)
SHEET = f"""<worksheet xmlns="{MAIN}"><sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row>
<row r="2"><c r="A2" t="s"><v>3</v></c><c r="B2" s="1"><v>40148.322916666664</v></c>
<c r="C2"><v>6.9500000000000002</v></c></row>
<row r="3"/>
<row r="4"><c r="A4"><v>85048</v></c><c r="C4"><v>-12</v></c></row>
<row r="5"><c r="A5" t="s"><v>4</v></c><c r="B5"><v>40148</v></c></row>
<row r="6"><c r="A6" t="inlineStr"><is><t>direct</t></is></c><c r="B6"/><c r="C6" t="str"><v>text</v></c></row>
<row r="7"><c r="A7"><v>0</v></c></row>
</sheetData></worksheet>"""
ROWS = [
    ["Code", "Sold", "Price"],
    ["RED LAMP", "2009-12-01 07:45:00", "6.95"],
    ["85048", "", "-12"],
    [" A & B", "2009-12-01 00:00:00", ""],
    ["direct", "", "text"],
    ["0", "", ""],
]


def workbook(sheets: list[str], texts: str | None = TEXTS) -> io.BytesIO:
    numbers = range(1, len(sheets) + 1)
    listed = "".join(f'<sheet name="Year {n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    kinds = [(f"worksheets/sheet{n}.xml", "worksheet") for n in numbers]
    others = [("styles.xml", "styles"), *([("sharedStrings.xml", "sharedStrings")] if texts else [])]
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/{kind}" Target="{name}"/>'
        for n, (name, kind) in enumerate([*kinds, *others], start=1)
    )
    root = f'<Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
    files = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}">{root}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{related}</Relationships>',
        "xl/styles.xml": STYLES,
        **{f"xl/{name}": sheet for (name, _), sheet in zip(kinds, sheets, strict=True)},
        **({"xl/sharedStrings.xml": texts} if texts else {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        for name, content in files.items():
            book.writestr(name, content)
    out.seek(0)
    return out


def test_texts_numbers_and_dates() -> None:
    assert list(read_sheet(workbook([SHEET]), sheet=1, dates=["Sold"])) == ROWS


def test_the_sheet_asked_for() -> None:
    row = '<row r="1"><c r="A1" t="str"><v>one</v></c></row>'
    other = f'<worksheet xmlns="{MAIN}"><sheetData>{row}</sheetData></worksheet>'
    assert list(read_sheet(workbook([SHEET, other]), sheet=2)) == [["one"]]


def test_columns_beyond_z() -> None:
    cells = '<c r="A1" t="str"><v>a</v></c><c r="AB1"><v>1</v></c>'
    wide = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1">{cells}</row></sheetData></worksheet>'
    assert list(read_sheet(workbook([wide], None), sheet=1)) == [["a", *[""] * 26, "1"]]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("book.xlsx", workbook([SHEET]).getvalue())
    return path


def card_file(**changes: object) -> CardFile:
    about = {"columns": {"Code": "", "Sold": "", "Price": ""}, "dates": ("Sold",), "rows": 5} | changes
    return CardFile.model_validate({"name": "o.csv", "what": "w", "member": "book.xlsx", "format": "xlsx"} | about)


def test_a_workbook_in_an_archive_becomes_csv(archive: Path, tmp_path: Path) -> None:
    unpack(archive, card_file(), tmp_path / "o.csv", progress=silent)
    assert (tmp_path / "o.csv").read_text().splitlines() == [
        "Code,Sold,Price",
        "RED LAMP,2009-12-01 07:45:00,6.95",
        "85048,,-12",
        " A & B,2009-12-01 00:00:00,",
        "direct,,text",
        "0,,",
    ]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"columns": {"Code": ""}}, r"the columns are \['Code', 'Sold', 'Price'\], expected \['Code'\]"),
        ({"sheet": 2}, "the workbook has no worksheet 2; it has 'Year 1'"),
    ],
)
def test_another_workbook_than_the_card_says_is_refused(
    archive: Path, tmp_path: Path, changes: dict[str, object], wanted: str
) -> None:
    with pytest.raises(DataError, match=wanted):
        unpack(archive, card_file(**changes), tmp_path / "o.csv", progress=silent)


@pytest.mark.parametrize(
    "content", [b"no workbook", workbook([SHEET]).getvalue()[:-60]], ids=["no workbook", "cut short"]
)
def test_a_damaged_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("book.xlsx", content)
    with pytest.raises(DataError, match=r"cannot be unpacked into o\.csv"):
        unpack(archive, card_file(), tmp_path / "o.csv", progress=silent)
