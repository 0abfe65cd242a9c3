"""The service itself."""
# mypy: disable-error-code="empty-body"

from collections.abc import Mapping
from typing import Any

from recsys.client.endpoint import endpoint
from recsys.client.replies import Alive, ModelReply, Ready, Serving, StoresReady


def _names_a_version(given: Mapping[str, Any]) -> bool:
    """Without a version, a rollback that is sent twice goes back twice."""
    return given["version"] is not None


class ServiceEndpoints:
    """The service itself."""

    @endpoint("GET", "/v1/model")
    def get_model(self) -> ModelReply:
        """The version that serves: its age, settings, metrics and index."""

    @endpoint("GET", "/livez")
    def livez(self) -> Alive:
        """Whether the process answers."""

    @endpoint("GET", "/readyz", repeatable=False)
    def readyz(self) -> Ready | StoresReady:
        """Whether a model is loaded. Raises UnavailableError, at once, if not."""

    @endpoint("GET", "/metrics")
    def get_metrics(self) -> str:
        """All metrics in Prometheus' text format."""

    @endpoint("POST", "/admin/reload", repeatable=True, for_operator=True, in_query=True)
    def reload(self) -> Serving:
        """Look at the store now. Needs the API key."""

    @endpoint("POST", "/admin/rollback", repeatable=_names_a_version, for_operator=True, in_query=True)
    def rollback(self, *, version: str | None = None) -> Serving:
        """Let an earlier version serve, by default the one before. Needs the API key."""
