"""Text without the HTML that descriptions of products are written in."""

import html
import re

_OPENING = re.compile(r"<(?:(script|style)\b[^<>]{0,2000}>|!--)", re.IGNORECASE)
_CLOSING = {
    "script": re.compile(r"</script\s{0,9}>", re.IGNORECASE),
    "style": re.compile(r"</style\s{0,9}>", re.IGNORECASE),
    "": re.compile("-->"),
}
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")


def plain_text(text: str) -> str:
    """`text` without tags, scripts, styles and comments; entities (`&amp;`) are the characters that they stand for.

    A "<" that begins no tag stays, as in "a < b". Takes time in proportion to the text, whatever it holds.
    """
    if "<" in text:
        text = _TAG.sub(" ", _without_hidden(text))
    return (html.unescape(text) if "&" in text else text).strip()


def _without_hidden(text: str) -> str:
    """`text` without scripts, styles and comments that end; each kind is looked for until it ends no more."""
    parts, at, endless = list[str](), 0, set[str]()
    for opening in _OPENING.finditer(text):
        kind = (opening[1] or "").lower()
        if opening.start() < at or kind in endless:
            continue
        if (closing := _CLOSING[kind].search(text, opening.end())) is None:
            endless.add(kind)
        else:
            parts.append(text[at : opening.start()])
            at = closing.end()
    return " ".join([*parts, text[at:]])
