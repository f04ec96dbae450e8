"""Settings to spoil: the shipped configuration, and small files."""

import copy

import pytest
import yaml


@pytest.fixture(scope="session")
def shipped_config(repository):
    return yaml.safe_load((repository / "config/config.yaml").read_text())


@pytest.fixture
def config(shipped_config):
    """A copy of config/config.yaml as a dict."""
    return copy.deepcopy(shipped_config)


@pytest.fixture
def write(tmp_path):
    """Write a text file; returns its path."""

    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_file
