import pytest

from recsys.content.plain_text import plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        ("<p>Red <b>shirt</b></p>", "Red  shirt"),
        ("Salt &amp; Pepper &#233;", "Salt & Pepper é"),
        ("<style>p {color: red}</style>Hat", "Hat"),
        ("<SCRIPT>if (a < b) {}</SCRIPT >Hat", "Hat"),
        ("a<!-- not <b>shown</b> -->b", "a b"),
        ("a < b and c > d", "a < b and c > d"),
        ("&lt;b&gt;", "<b>"),
        ("<br/>", ""),
        ("<script>a", "a"),
        ("x<script>a</script>y<!-- z -->w", "x y w"),
        ("<script>" * 50_000 + "a", "a"),
        ("<" * 50_000, "<" * 50_000),
        ("<a " * 20_000, ("<a " * 20_000).strip()),
    ],
)
def test_html_is_left_out_and_text_stays(text: str, plain: str) -> None:
    assert plain_text(text) == plain
