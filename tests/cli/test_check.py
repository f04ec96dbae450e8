"""`bindgram check`: all problems of a configuration at once."""

import shutil
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.errors import InputError


@pytest.fixture
def project(tmp_path, monkeypatch, repository):
    """A copy of the demo's configuration and data sources, to be spoilt."""
    shutil.copytree(repository / "config", tmp_path / "config")
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources/demo").symlink_to(repository / "resources/demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*configfiles):
    command = [sys.executable, "-c", "from bindgram.cli import main; main()", "check"]
    return subprocess.run(
        [*command, *(f"--configfile={path}" for path in configfiles)], capture_output=True, text=True, check=False
    )


def test_shipped_configurations_are_right(project):
    result = CliRunner().invoke(cli, ["check", "--configfile", "config/config.yaml"], catch_exceptions=False)
    assert "OK: 517 of 982 experiments" in result.output
    demo = ["check", "--configfile", "config/config.yaml", "--configfile", "config/demo.yaml"]
    result = CliRunner().invoke(cli, demo, catch_exceptions=False)
    assert "OK: 4 of 12 experiments" in result.output
    assert (
        "4 experiments, 1 model(s), 2 baseline(s) to train, 1 scheme(s) of negatives, 1 seed(s): 12 classifiers"
        in result.output
    )


def test_all_problems_come_in_one_message_without_a_traceback(project):
    sheet = project / "config/demo_experiments.tsv"
    text = sheet.read_text()
    sheet.write_text(text + text.splitlines()[1] + "\n")
    (project / "mine.yaml").write_text(
        yaml.safe_dump({"floor": "nothing", "models": ["cnn_dmeo"], "headline": {"test_set": "T9", "metric": "auroc"}})
    )
    result = check("config/config.yaml", "config/demo.yaml", "mine.yaml")
    assert result.returncode == 1
    assert result.stdout == ""
    message = result.stderr
    assert message.startswith("Error: configuration: 4 problem(s)")
    assert "config/demo_experiments.tsv:14: experiment 'CEBPB_clusters' repeats line 2" in message
    assert "config/models/cnn_dmeo.yaml: no such file" in message
    assert "floor: 'nothing' is not a baseline" in message
    assert "headline.test_set: 'T9'" in message
    assert "Traceback" not in message


def test_changes_alone_are_checked_over_the_complete_configuration(project):
    result = check("config/demo.yaml")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == check("config/config.yaml", "config/demo.yaml").stdout


def test_misspelt_key_is_named(project):
    (project / "mine.yaml").write_text("positives: {widht: 100}\n")
    result = check("config/config.yaml", "config/demo.yaml", "mine.yaml")
    assert result.returncode == 1
    assert "positives.widht: unknown key" in result.stderr


def test_without_a_file_the_configuration_of_the_checkout_is_checked(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository)
    alone = CliRunner().invoke(cli, ["check"], catch_exceptions=False)
    named = CliRunner().invoke(cli, ["check", "--configfile", "config/config.yaml"], catch_exceptions=False)
    assert alone.exit_code == 0
    assert alone.output == named.output
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"config/config\.yaml: no such file"):
        CliRunner().invoke(cli, ["check"], catch_exceptions=False)
