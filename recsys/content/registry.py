"""Every encoder by name. A new one touches two files: its own, with its table, fit and entry, and ENCODERS here."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import SerializeAsAny, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import InitErrorDetails, PydanticCustomError

from recsys.content.config import EncoderConfig
from recsys.content.encoder import EncoderKind
from recsys.content.encoders.attributes import ATTRIBUTES
from recsys.content.encoders.doc2vec import DOC2VEC
from recsys.content.encoders.fasttext import FASTTEXT
from recsys.content.encoders.glove import GLOVE
from recsys.content.encoders.image import IMAGE
from recsys.content.encoders.sentence import SENTENCE
from recsys.content.encoders.static import STATIC
from recsys.content.encoders.tfidf import TFIDF
from recsys.content.encoders.vectors import VECTORS
from recsys.content.encoders.word2vec import WORD2VEC
from recsys.content.encoders.words import WORDS
from recsys.suggestions import nearest_name, unknown_key_hint

ENCODERS: dict[str, EncoderKind] = {
    "tfidf": TFIDF,
    "attributes": ATTRIBUTES,
    "vectors": VECTORS,
    "static": STATIC,
    "words": WORDS,
    "word2vec": WORD2VEC,
    "fasttext": FASTTEXT,
    "doc2vec": DOC2VEC,
    "sentence": SENTENCE,
    "image": IMAGE,
    "glove": GLOVE,
}

DEFAULT = "tfidf"
"""The encoder of a `[[content]]` table that names none."""


def content_config(tree: Mapping[str, Any]) -> EncoderConfig:
    """A `[[content]]` table of plain values, for the encoder that it names or DEFAULT. Raises ValidationError."""
    name = tree.get("encoder", DEFAULT)
    if isinstance(name, str) and name in ENCODERS:
        return ENCODERS[name].config.model_validate(tree)
    unknown = PydanticCustomError("encoder", _expected(name))
    details = InitErrorDetails(type=unknown, loc=("encoder",), input=name)
    raise ValidationError.from_exception_data("content", [details])


def explain_content_key(tree: Mapping[str, Any], key: str) -> str:
    """The message for a `key` that the table must not have: which encoders have it, or the nearest known key."""
    name = tree.get("encoder", DEFAULT)
    owners = [repr(other) for other, each in ENCODERS.items() if key in each.config.model_fields]
    if owners:
        return f"not a key of {name!r}; {' and '.join(owners)} {'has' if len(owners) == 1 else 'have'} it"
    return f"unknown key{unknown_key_hint(key, ENCODERS[name].config.model_fields)}"


def _by_encoder(value: Any, handler: ValidatorFunctionWrapHandler) -> EncoderConfig:
    if isinstance(value, EncoderConfig):
        return value
    if isinstance(value, Mapping):
        return content_config(value)
    table: EncoderConfig = handler(value)  # raises pydantic's own error
    return table


ContentConfig = Annotated[SerializeAsAny[EncoderConfig], WrapValidator(_by_encoder)]
"""One `[[content]]` table: that of the encoder that it names."""


def kind_of_encoder(config: EncoderConfig) -> EncoderKind:
    """The registry's entry for the encoder of `config`."""
    return ENCODERS[config.encoder]


def _expected(name: object) -> str:
    nearest = nearest_name(str(name), ENCODERS)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    return f"expected any of {', '.join(ENCODERS)}{hint}"
