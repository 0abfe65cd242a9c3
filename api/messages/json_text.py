"""JSON of a body, read strictly: what other readers would take in two ways is refused by name."""

import json
import re

from recsys.errors import InvalidRequestError

MAX_KEYS = 1_000
"""The most keys of one object."""

MAX_BRACES, MAX_COMMAS = 30_000, 200_000
"""How often `{` and `,` may stand in a body, in texts too: this bounds its objects and values before it is read."""

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


class DuplicateKeyError(InvalidRequestError):
    """An object has one key twice. `key` may be one that the client made up."""

    def __init__(self, key: str) -> None:
        super().__init__("body: an object holds one key twice; expected each key once")
        self.key = key


def parse_json(raw: bytes) -> object:
    """What `raw` holds. Raises InvalidRequestError, DuplicateKeyError among them.

    Refused are bytes that are not UTF-8, text that is not JSON, a key twice in one object, numbers of more than 4,300
    digits, half a surrogate pair, deep nesting, and more keys, braces or commas than a body may hold: this is found
    while it is read, not afterwards. NaN and Infinity are left to the model, which knows the field.
    """
    for sign, most in ((b",", MAX_COMMAS), (b"{", MAX_BRACES)):
        if len(raw) > most < raw.count(sign):
            raise InvalidRequestError(f"body: holds `{sign.decode()}` more than {most} times; expected fewer values")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"body: byte {error.start} is not UTF-8") from None
    tree = _parsed(text)
    if _SURROGATE_ESCAPE.search(raw):
        _check_surrogates(tree)
    return tree


def _parsed(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidRequestError(
            f"body: invalid JSON, line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise InvalidRequestError("body: lists and objects are nested too deep") from None
    except InvalidRequestError:
        raise
    except ValueError:  # of int: the only other one
        raise InvalidRequestError("body: holds a number of more than 4300 digits") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Called for each object when it is complete, inner ones first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DuplicateKeyError(_first_repeated(pairs))
    if len(pairs) > MAX_KEYS:
        raise InvalidRequestError(f"body: an object holds {len(pairs)} keys; expected at most {MAX_KEYS}")
    return found


def _first_repeated(pairs: list[tuple[str, object]]) -> str:
    seen = set[str]()
    return next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def _check_surrogates(tree: object) -> None:
    try:
        json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidRequestError("body: holds half of a surrogate pair, which UTF-8 cannot encode") from None


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
