"""Every error the library raises on purpose.

RecsysError
├── ConfigError          a setting is missing, unknown or out of range
├── DataError            the log, the catalogue or an array is not what it should be
│   └── TooManyRefusedError  more rows were refused than the configuration allows
├── ModelError           a model refuses to be fitted, or cannot answer
├── ArtifactError        a bundle or a store is damaged, missing or of an unknown schema
│   ├── SupersededError  another version was published meanwhile, so this one is not
│   ├── ConflictError    another process changed the store between a look at it and the change
│   ├── ObjectStoreError an object store does not answer, refuses, or fails
│   └── ForgottenError   a version holds people who are to be forgotten, so it does not begin to serve
├── StorageError         a folder is full, read-only or missing
├── ComputeError         the cluster that works for a job failed
├── DoesNotFitError      a job clearly needs more memory or disk than there is
├── EventStoreError      the database of events is away, full, read-only or busy
├── ExportError          lists could not be written to a target; what it held before is untouched
├── PostedFullError      there are as many posted items as there may be
├── GateError            a gate refused to publish; the version that serves is untouched
├── UnknownUserError     no such user in this version
├── UnknownItemError     no such item in this version
├── NoContentError       this version has no vectors of content
├── NoUserVectorsError   this version was loaded without its users' vectors
├── NoTextSearchError    this version has no encoder that reads a text
├── IncompleteAnswerError  a strict question whose list would be a fallback or short
└── InvalidRequestError  a question that no version can answer: k or an id outside its bounds
    └── FilterError      a filter that cannot be read, or does not fit the items

A message names the file, row and field (or the config key), what came and what was expected.
"""

from typing import Literal, TypeAlias


class RecsysError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(RecsysError):
    """A setting is missing, unknown or out of range."""


class DataError(RecsysError):
    """The log, the catalogue or an array is not what it should be."""


class TooManyRefusedError(DataError):
    """More rows were refused than `log.max_refused_share` allows."""


class ModelError(RecsysError):
    """A model refuses to be fitted, or cannot answer."""


class ArtifactError(RecsysError):
    """A bundle or a store is damaged, missing or of an unknown schema."""


class SupersededError(ArtifactError):
    """Another version began to serve since a night was compared with the serving one; that one goes on serving."""


class ConflictError(ArtifactError):
    """Another process changed the store between a look at it and the change, which was not made."""


ObjectFault: TypeAlias = Literal["unavailable", "denied", "missing", "damaged", "failed"]
"""What is wrong with an object store: it does not answer or breaks off, access is denied, the bucket is missing, what
came is not what was written, or it refuses for another reason."""


class ObjectStoreError(ArtifactError):
    """An object store failed. `reason`: what is wrong with it; the message holds no secret."""

    def __init__(self, message: str, reason: ObjectFault) -> None:
        super().__init__(message)
        self.reason = reason


class ForgottenError(ArtifactError):
    """A version holds people who were forgotten after its log was read; it must not begin to serve as it is."""


class MissingPackageError(ArtifactError):
    """A part of a version cannot be used, because a package that reads it is not installed here."""


class StorageError(RecsysError):
    """A file cannot be written, or a folder is full, read-only or missing."""


class ComputeError(RecsysError):
    """The cluster that works for a job failed, or lost what it was given."""


class DoesNotFitError(RecsysError):
    """A job clearly needs more memory or disk than there is, by its forecast; nothing was done."""


StoreFault: TypeAlias = Literal["unavailable", "full", "read_only", "busy", "damaged", "failed"]
"""What is wrong with a database: it cannot be reached, has no room, may only be read, is in use for too long, holds
what is no database, or refuses for another reason."""


class EventStoreError(RecsysError):
    """The database of the event store failed. `reason`: what is wrong with it; the message holds no secret."""

    def __init__(self, message: str, reason: StoreFault) -> None:
        super().__init__(message)
        self.reason = reason


class ExportError(RecsysError):
    """Lists could not be written to a database, an object store or a server; what it held before is untouched."""


class PostedFullError(RecsysError):
    """There are as many posted items as there may be."""


class GateError(RecsysError):
    """A gate refused to publish; the version that serves is untouched. `gates`: the names of those that did."""

    def __init__(self, message: str, gates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.gates = gates


class UnknownUserError(RecsysError):
    """No such user in this version: `user_id`, which the message names."""

    def __init__(self, user_id: str) -> None:
        super().__init__(f"no such user in this version: {user_id!r}")
        self.user_id = user_id


class UnknownItemError(RecsysError):
    """No such items in this version: `item_ids`, of which the message names the first few."""

    def __init__(self, *item_ids: str) -> None:
        named = ", ".join(repr(item_id) for item_id in item_ids[:_MOST_NAMED])
        more = f" and {len(item_ids) - _MOST_NAMED} more" if len(item_ids) > _MOST_NAMED else ""
        super().__init__(f"no such item{'s' if len(item_ids) > 1 else ''} in this version: {named}{more}")
        self.item_ids = item_ids


class NoContentError(RecsysError):
    """This version has no vectors of content, because it was made without `[[content]]`."""

    def __init__(self) -> None:
        super().__init__("this version has no vectors of content; add [[content]] to the configuration and run again")


class NoUserVectorsError(RecsysError):
    """This version was loaded without the vectors of its users, so users are not compared."""

    def __init__(self) -> None:
        super().__init__(
            'users are folded in from their histories here (users = "fold_in"), so there are no vectors to compare; '
            'expected users = "stored"'
        )


class NoTextSearchError(RecsysError):
    """No encoder of this version can make a vector of a text."""

    def __init__(self) -> None:
        super().__init__(
            "this version has no encoder that reads a text; add a [[content]] table such as tfidf and run again"
        )


class IncompleteAnswerError(RecsysError):
    """The answer to a strict question would be a fallback or short; the message is the answer's warnings."""


class InvalidRequestError(RecsysError):
    """A question that no version can answer: k or an id outside its bounds.

    The message names the parameter and what was expected, never what came: the HTTP service sends it on.
    """


class FilterError(InvalidRequestError):
    """A filter that cannot be read, or does not fit the items' attributes.

    `position`: the character it is about, from 0, or None if it is about the whole filter. The message counts from 1
    and does not repeat the filter; `pointing` does.
    """

    def __init__(self, expected: str, *, position: int | None = None) -> None:
        where = "filter" if position is None else f"filter, character {position + 1}"
        super().__init__(f"{where}: {expected}")
        self.position = position

    def pointing(self, text: str) -> str:
        """The message, and below it the part of the filter `text` that it is about, with a mark at the character."""
        if self.position is None:
            return str(self)
        start = max(0, self.position - _SHOWN_AROUND)
        shown = "".join(it if it.isprintable() else " " for it in text[start : self.position + _SHOWN_AROUND])
        return f"{self}\n  {shown}\n  {' ' * (self.position - start)}^"


_SHOWN_AROUND = 40
_MOST_NAMED = 5
