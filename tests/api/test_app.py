import logging

import pytest

from api.app import create_app
from api.settings import Settings
from recsys.errors import ConfigError


def test_without_settings_the_environment_counts(monkeypatch, caplog):
    monkeypatch.setenv("RECSYS_POLL_SECONDS", "never")
    monkeypatch.setenv("RECSYS_POLLSECONDS", "1")
    with caplog.at_level(logging.WARNING), pytest.raises(ConfigError, match="RECSYS_POLL_SECONDS"):
        create_app()
    assert "did you mean RECSYS_POLL_SECONDS?" in caplog.text


def test_given_settings_the_environment_does_not_count(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("RECSYS_POLL_SECONDS", "never")
    create_app(Settings(store=tmp_path))
    assert not caplog.records


def test_a_store_that_is_gone_is_no_reason_not_to_start(start, tmp_path):
    service = start(Settings(store=tmp_path / "nowhere"))
    assert service.get("/livez").status_code == 200
    assert service.get("/readyz").status_code == 503
