"""Every error the library raises on purpose.

RecsysError
├── ConfigError          a setting is missing, unknown or out of range
├── DataError            the log, the catalogue or an array is not what it should be
│   └── TooManyRefusedError  more rows were refused than the configuration allows
├── ModelError           a model refuses to be fitted, or cannot answer
├── ArtifactError        a bundle or a store is damaged, missing or of an unknown schema
├── GateError            a gate refused to publish; the version that serves is untouched
├── UnknownUserError     no such user in this version
├── UnknownItemError     no such item in this version
└── InvalidRequestError  a question no version can answer: k or an id outside its bounds

A message names the file, row and field (or the config key), what came and what was expected.
"""


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


class GateError(RecsysError):
    """A gate refused to publish; the version that serves is untouched."""


class UnknownUserError(RecsysError):
    """No such user in this version."""


class UnknownItemError(RecsysError):
    """No such item in this version."""


class InvalidRequestError(RecsysError):
    """A question no version can answer: k or an id outside its bounds.

    The message goes to whoever asked, so it names the parameter and what was expected, never what came.
    """
