"""Signatures: whoever can write into the store cannot make a version that serves, without the key.

A signature is an HMAC-SHA256 of the manifest, which lists the hash of every other file of the version.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recsys.artifacts.files import replace_durably
from recsys.artifacts.manifest import MANIFEST, SIGNATURE
from recsys.errors import ArtifactError, ConfigError
from recsys.plain_files import read_plain

VARIABLE = "RECSYS_SIGNING_KEY"
"""The environment variable of the key, for jobs and services alike."""

LEAST_CHARACTERS = 16
"""Length of the shortest key."""


@dataclass(frozen=True)
class SigningKey:
    """A secret that jobs sign with and services check with. It is never shown.

    Raises ConfigError if it is shorter than `LEAST_CHARACTERS`.
    """

    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < LEAST_CHARACTERS:
            raise ConfigError(f"{VARIABLE}: expected at least {LEAST_CHARACTERS} characters")

    @staticmethod
    def of(environ: Mapping[str, str] = os.environ) -> "SigningKey | None":
        """The key in the environment, None if there is none."""
        secret = environ.get(VARIABLE)
        return None if secret is None else SigningKey(secret)

    def sign(self, folder: Path) -> None:
        """Write the signature of the version in `folder`, durably. Raises OSError."""
        replace_durably(folder / SIGNATURE, self._line(read_plain(folder / MANIFEST)))

    def check(self, folder: Path, manifest: bytes) -> None:
        """Raise ArtifactError unless `manifest`, of the version in `folder`, is signed with this key."""
        path = folder / SIGNATURE
        try:
            found, expected = read_plain(path, most=4096), self._line(manifest)
        except FileNotFoundError as error:
            raise ArtifactError(
                f"{path}: the version is not signed, and {VARIABLE} is set; `recsys sign` signs one that you trust"
            ) from error
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
        if not hmac.compare_digest(found, expected):
            raise ArtifactError(f"{path}: signed with another key, or the manifest has changed since")

    def _line(self, manifest: bytes) -> bytes:
        digest = hmac.new(self.secret.encode(), manifest, hashlib.sha256).hexdigest()
        return f"hmac-sha256 {digest}\n".encode("ascii")
