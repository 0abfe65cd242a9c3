"""Words of texts in one spelling: without case, accents and punctuation."""

import pyarrow as pa
import pyarrow.compute as pc

MAX_CHARACTERS = 200
"""Characters of a text that are looked at."""

_APOSTROPHES, _MARKS, _NO_WORD = "['’`]", r"\p{M}+", r"[^\p{L}\p{N}]+"
_WITHOUT_SPACES = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}])"


def words_of(texts: pa.Array) -> pa.ListArray:
    """The words of each text (strings (n,), nulls have none): lower case, no accents; "O'Neil" is one word, "oneil".

    Scripts that write no spaces between words have one word per character, so that a part of a title is found.
    """
    cut = pc.utf8_slice_codeunits(pc.fill_null(texts.cast(pa.string()), ""), 0, MAX_CHARACTERS)
    plain = pc.utf8_lower(pc.replace_substring_regex(pc.utf8_normalize(cut, form="NFKD"), _MARKS, ""))
    joined = pc.replace_substring_regex(pc.replace_substring(plain, "ß", "ss"), _APOSTROPHES, "")
    apart = pc.replace_substring_regex(joined, _WITHOUT_SPACES, r" \1 ")
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(pc.replace_substring_regex(apart, _NO_WORD, " ")))


def words_of_text(text: str, most: int) -> list[str]:
    """Up to `most` words of one text."""
    return [word for word in words_of(pa.array([text], pa.string()))[0].as_py() if word][:most]
