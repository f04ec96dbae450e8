"""`--help` of the command and of every subcommand: there, and instant."""

import json
import subprocess
import sys

import click
import pytest
import yaml
from click.testing import CliRunner

from bindgram.cli import COMMANDS, cli

HEAVY = ("torch", "lightning", "seqpro", "numba", "sklearn", "scipy", "matplotlib", "h5py", "numpy", "pandas")
HEAVY += ("pyarrow", "h5py", "pysam", "requests")
PROGRAM = """
import json, sys
from click.testing import CliRunner
from bindgram.cli import COMMANDS, cli
for arguments in [["--help"], *([command.name, "--help"] for command in COMMANDS)]:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, (arguments, result.output)
print(json.dumps(sorted(sys.modules)))
"""


def options_of(command):
    """Those with a name; an argument stands in the text of the command."""
    return [option for option in command.params if isinstance(option, click.Option)]


def test_help_imports_nothing_heavy():
    result = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in json.loads(result.stdout)}
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_option_says_what_it_is(command):
    assert command.help
    assert [option.name for option in options_of(command) if not option.help] == []
    arguments = [given for given in command.params if isinstance(given, click.Argument)]
    assert [given.name for given in arguments if given.make_metavar(None).strip("[]") not in command.help] == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_no_option_has_a_default_in_code(command):
    optional = [option for option in options_of(command) if not option.required and not option.multiple]
    assert [option.name for option in optional if not option.is_flag and option.to_info_dict()["default"]] == []


def test_commands_stand_in_alphabetical_order():
    names = [command.name for command in COMMANDS]
    assert names == sorted(names)


def test_every_command_of_a_rule_has_a_revision(repository):
    revisions = yaml.safe_load((repository / "config/revisions.yaml").read_text())
    with_revision = {c.name for c in COMMANDS if any(option.name == "revision" for option in c.params)}
    assert with_revision == set(revisions)


def test_unknown_command_is_refused():
    result = CliRunner().invoke(cli, ["pretrian"])
    assert result.exit_code == 2
    assert "No such command" in result.output
