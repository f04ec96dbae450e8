"""The order of imports, read from the import statements: what DESIGN calls "imports point down"."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src/bindgram"

# What each part of the package may import from the package, besides itself.
BASE = {"errors", "provenance", "settings"}
ALLOWED = {
    "errors": set(),
    "provenance": {"errors"},
    "settings": {"errors", "provenance"},
    "genome": BASE,
    "sequence": BASE,
    "data": BASE | {"genome", "sequence"},
    "batch": BASE,
    "models": BASE | {"batch"},
    "training": BASE | {"genome", "sequence", "data", "batch", "models"},
    "evaluation": BASE | {"genome", "sequence", "data", "batch", "models", "training"},
    "interpretation": BASE | {"genome", "sequence", "data", "batch", "models", "training", "evaluation"},
    "report": BASE | {"genome", "sequence", "data", "evaluation", "interpretation"},
    "cli": BASE
    | {"genome", "sequence", "data", "batch", "models", "training", "evaluation", "interpretation", "report"},
}
TORCH = {"torch", "lightning", "pytorch_lightning", "torchmetrics", "safetensors"}
WITHOUT_TORCH = {"errors", "provenance", "settings", "genome", "sequence", "data"}
MODULES = sorted(SOURCE.rglob("*.py"))
WORKFLOW = [REPOSITORY / "workflow/Snakefile", *sorted((REPOSITORY / "workflow/rules").glob("*.smk"))]


def part_of(path: Path) -> str:
    """Subpackage or top-level module that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of all modules that a piece of code imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; write the whole name"
            names.add(node.module)
            if node.module == "bindgram":
                names |= {f"bindgram.{alias.name}" for alias in node.names}
    return names


def module_level(tree: ast.Module) -> ast.Module:
    """The same code without the bodies of its functions."""
    kept = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return ast.Module(body=kept, type_ignores=[])


def parts_imported(names: set[str]) -> set[str]:
    """Parts of bindgram among the imported modules."""
    return {name.split(".")[1] for name in names if name.startswith("bindgram.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path):
    if path == SOURCE / "__init__.py":
        assert not parts_imported(imported(ast.parse(path.read_text())))
        return
    part = part_of(path)
    upwards = parts_imported(imported(ast.parse(path.read_text()))) - ALLOWED[part] - {part}
    assert not upwards, f"{part} may not import {', '.join(sorted(upwards))}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_package_does_not_know_snakemake(path):
    roots = {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}
    assert "snakemake" not in roots


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parent != SOURCE and part_of(path) in WITHOUT_TORCH], ids=str
)
def test_torch_stays_out_of_the_parts_without_it(path):
    roots = {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}
    assert not roots & TORCH


@pytest.mark.parametrize("path", sorted((SOURCE / "cli").glob("*.py")), ids=lambda path: path.name)
def test_commands_import_torch_and_the_upper_parts_inside_their_bodies(path):
    names = imported(module_level(ast.parse(path.read_text())))
    assert not {name.split(".")[0] for name in names} & TORCH
    assert not parts_imported(names) & {"models", "training", "batch"}


def test_only_the_bundle_module_of_models_touches_disk():
    """`open`, `read_*`, `write_*`, `save_*` and `load_*` belong to bundle.py."""
    pattern = re.compile(r"^(open|(read|write|save|load)_(?!state_dict).*)$")
    for path in sorted((SOURCE / "models").glob("*.py")):
        if path.name == "bundle.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                assert not pattern.match(name), f"{path.name}:{node.lineno}: {name}"


@pytest.mark.parametrize("path", WORKFLOW, ids=lambda path: path.name)
def test_workflow_imports_nothing_of_the_package_but_settings(path):
    lines = re.findall(r"^\s*(?:from|import)\s+(bindgram[\w.]*)", path.read_text(), flags=re.MULTILINE)
    assert {".".join(line.split(".")[:2]) for line in lines} <= {"bindgram.settings"}


@pytest.mark.parametrize("path", WORKFLOW, ids=lambda path: path.name)
def test_rules_call_commands_by_shell_only(path):
    directives = re.findall(r"^ +(run|script|notebook|wrapper|cwl):", path.read_text(), flags=re.MULTILINE)
    assert directives == []


@pytest.mark.parametrize("path", WORKFLOW[1:], ids=lambda path: path.name)
def test_every_rule_with_a_command_has_log_benchmark_conda_and_resources(path):
    rules = re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]
    for text in rules:
        name = text.split(":")[0]
        given = set(re.findall(r"^    (\w+):", text, flags=re.MULTILINE))
        if "shell" in given:
            assert {"log", "benchmark", "conda", "resources"} <= given, name
            assert "attempt" in text, f"{name}: resources do not grow with the attempt"


def test_common_helpers_have_no_rules():
    text = (REPOSITORY / "workflow/rules/common.smk").read_text()
    assert not re.search(r"^(rule|checkpoint|localrules)\b", text, flags=re.MULTILINE)


def test_no_module_is_a_drawer_for_everything():
    names = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    assert not names & {"utils", "util", "helpers", "helper", "misc"}
