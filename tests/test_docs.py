"""The documents against the code: what they say exists, and what exists is said."""

import re
import shlex
import subprocess
import types
from dataclasses import fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

import click
import pytest
import yaml
from pydantic import BaseModel

from bindgram.cli import COMMANDS
from bindgram.data.bins import Column
from bindgram.data.corpus import CONTIG_COLUMNS
from bindgram.data.examples import SCHEMA as EXAMPLES_SCHEMA
from bindgram.data.filters import FILTERS, MERGED, REASONS
from bindgram.data.homology import COLUMNS as HOMOLOG_COLUMNS
from bindgram.data.store import ROW_COLUMNS
from bindgram.data.tiled import TiledLabels
from bindgram.data.tiles import CHROMOSOME_COLUMNS, PROPERTIES, REPEAT_SOURCES
from bindgram.evaluation.audit import COLUMNS as AUDIT_COLUMNS
from bindgram.evaluation.audit import FEATURES
from bindgram.evaluation.collect import COLUMNS as COLLECTED_COLUMNS
from bindgram.evaluation.comparison import COMPARISON_COLUMNS
from bindgram.evaluation.comparison_files import KEYS as COMPARISON_KEYS
from bindgram.evaluation.controls import EFFICIENCY_COLUMNS, PERMUTED_COLUMNS, VERDICT_KEYS
from bindgram.evaluation.evaluate import empty_result
from bindgram.evaluation.metrics import DEFINITION_COLUMNS, METRICS
from bindgram.evaluation.overlap import COLUMNS as OVERLAP_COLUMNS
from bindgram.evaluation.pairs import COLUMNS as PAIR_COLUMNS
from bindgram.evaluation.predictions import SCHEMA as PREDICTIONS_SCHEMA
from bindgram.evaluation.sanity import MEANINGS
from bindgram.evaluation.tiled import empty_tiled_result
from bindgram.models.bundle import BUNDLE_FILES
from bindgram.provenance import make_provenance
from bindgram.report.data import REASON_NAMES
from bindgram.report.reproducibility import RECORD_KEYS
from bindgram.settings import Assembly, Config, Experiment, LanguageModelFile, ModelFile, SplitFile
from bindgram.settings.config import merge
from bindgram.settings.filters import OVERLAP_MODES, parse_filter
from bindgram.training.objectives import OBJECTIVES

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src/bindgram"
CONFIG_README = (REPOSITORY / "config/README.md").read_text()
README = (REPOSITORY / "README.md").read_text()
FORMATS = (REPOSITORY / "docs/formats.md").read_text()
RULES = {
    name: text
    for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk"))
    for name, text in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), flags=re.MULTILINE | re.DOTALL)
}


def markdown_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.split() or [path.relative_to(REPOSITORY) for path in REPOSITORY.glob("*.md")]
    return sorted(REPOSITORY / name for name in names if (REPOSITORY / name).is_file())


def section(text, heading):
    """Text under one `##` heading."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def rows(text):
    """Rows of all tables of a text: the names in backticks in the first cell, and the other cells."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [re.split(r" \| ", line.strip("| ")) for line in lines]
    return [(re.findall(r"`([^`]+)`", first), " | ".join(rest)) for first, *rest in cells]


def first_names(text):
    return {name for names, _ in rows(text) for name in names}


# Settings


def parts_of(annotation):
    """Members of a union, without Annotated and None."""
    if get_origin(annotation) is Annotated:
        return parts_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for member in get_args(annotation) for part in parts_of(member)]
    return [] if annotation is type(None) else [annotation]


def leaves(model, prefix=""):
    """Dotted keys of a settings model with the choices of each, as config/README.md writes them."""
    model.model_rebuild()
    found = {}
    for name, field in model.model_fields.items():
        for part in parts_of(field.annotation):
            key = f"{prefix}{name}"
            if get_origin(part) is list and isinstance(parts_of(get_args(part)[0])[0], type):
                key, part = f"{key}[]", parts_of(get_args(part)[0])[0]
            of_names = parts_of(get_args(part)[1]) if get_origin(part) is dict else []
            if of_names and issubclass(of_names[0], BaseModel):
                key = f"{key}.<name>"
            for kind in of_names or [part]:
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    for inner, choices in leaves(kind, f"{key}.").items():
                        found[inner] = found.get(inner, set()) | choices
                else:
                    key = key.removesuffix("[]")
                    found[key] = found.get(key, set()) | choices_of(part)
    return found


def choices_of(annotation):
    if get_origin(annotation) is Literal:
        return {str(value) for value in get_args(annotation)}
    return set().union(*(choices_of(part) for part in get_args(annotation) if part is not annotation), set())


def language_model_leaves():
    """`adapt` takes the keys of `pretrain`, which stand once."""
    found = leaves(LanguageModelFile)
    adapt = {key.removeprefix("adapt.") for key in found if key.startswith("adapt.")}
    assert adapt == {key.removeprefix("pretrain.") for key in found if key.startswith("pretrain.")}
    return {key: choices for key, choices in found.items() if not key.startswith("adapt.")} | {"adapt": set()}


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("config.yaml", leaves(Config)),
        ("Sheet of assemblies", leaves(Assembly)),
        ("Sheet of experiments", leaves(Experiment)),
        ("splits", leaves(SplitFile)),
        ("lms", language_model_leaves()),
        ("models", leaves(ModelFile)),
    ],
)
def test_config_readme_has_every_key_with_its_choices_and_no_other(heading, expected):
    described = {name: rest for names, rest in rows(section(CONFIG_README, heading)) for name in names}
    assert set(described) == set(expected)
    missing = {
        key: [choice for choice in choices if f"`{choice}`" not in described[key]] for key, choices in expected.items()
    }
    assert {key: choices for key, choices in missing.items() if choices} == {}


def test_every_filter_is_described_as_it_is_written():
    written = [name for names, _ in rows(section(CONFIG_README, "Filters of positives")) for name in names]
    settings = [parse_filter(yaml.safe_load(name)) for name in written]
    assert {setting.name for setting in settings} == set(FILTERS)
    assert [setting.value for setting in settings if setting.name == "overlap"] == list(OVERLAP_MODES)
    assert len(settings) == len(FILTERS) + 1


def test_walking_the_settings_finds_nested_keys_and_choices():
    """The test above sees nothing if this is wrong."""
    found = leaves(ModelFile) | leaves(Config)
    assert {"finetune.stages[].unfrozen", "encoder.same_as", "battery.test_sets.<name>.ratio", "seeds"} <= set(found)
    assert {"awd_lstm", "conv", "danq"} <= found["encoder.name"]
    assert {"genomic_matched", "dinucleotide_shuffle"} <= found["negatives.schemes"]


@pytest.mark.parametrize(
    ("model", "heading"), [(Assembly, "Sheet of assemblies"), (Experiment, "Sheet of experiments")]
)
def test_required_columns_are_called_required(model, heading):
    described = {names[0]: rest for names, rest in rows(section(CONFIG_README, heading))}
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required == {
        name
        for name, rest in described.items()
        if "required" in rest and name not in ("valid_sequences", "test_sequences")
    }


def test_every_file_of_config_is_described():
    patterns = [re.sub("<.*?>", "*", name) for name in first_names(CONFIG_README.split("## ")[0])]
    files = [path for path in (REPOSITORY / "config").rglob("*") if path.is_file() and path.suffix in (".tsv", ".yaml")]
    assert len(files) > 10
    for path in files:
        name = str(path.relative_to(REPOSITORY / "config"))
        assert any(fnmatch(name, pattern) for pattern in patterns), name


# Formats


def output_paths(text):
    """Outputs of a rule as path patterns."""
    block = re.search(r"^    output:\n(.*?)(?=^    \w)", text, flags=re.MULTILINE | re.DOTALL)
    if not block:
        return []
    literal = re.findall(r'"((?:results|resources)/[^"]+)"', block[1])
    named = [path for name, path in path_constants().items() if re.search(rf"\b{name}\b", block[1])]
    return [path.replace("{{", "{").replace("}}", "}") for path in literal] + named


def path_constants():
    """Constants of the rules that hold one path pattern for every seed or baseline."""
    common = (REPOSITORY / "workflow/rules/common.smk").read_text()
    templates = dict(re.findall(r'^(\w+) = "(results/[^"]+)"', common, flags=re.MULTILINE))
    derived = re.findall(r"^(\w+) = of_(?:seeds|baselines)\((\w+)", common, flags=re.MULTILINE)
    return {name: templates[template] for name, template in derived}


@pytest.mark.parametrize("rule", [name for name in RULES if output_paths(RULES[name])])
def test_every_output_of_a_rule_has_its_row_in_the_formats(rule):
    described = {names[0]: rest for names, rest in rows(section(FORMATS, "Paths"))}
    for path in output_paths(RULES[rule]):
        pattern = path.replace("{baseline}", "{model}")
        folder, _, name = pattern.rpartition("/")
        key = pattern if pattern in described else f"{folder}/"
        assert key in described, path
        assert f"`{rule}`" in described[key], path
        assert key == pattern or name in BUNDLE_FILES


def test_formats_name_no_path_that_no_rule_makes():
    made = {path.replace("{baseline}", "{model}") for text in RULES.values() for path in output_paths(text)}
    made |= {f"{path.rpartition('/')[0]}/" for path in made if path.rpartition("/")[2] in BUNDLE_FILES}
    others = {"results/report/bindgram.html", "results/logs/{rule}/...log", "results/benchmarks/{rule}/...tsv"}
    assert first_names(section(FORMATS, "Paths")) - made == others


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Example table", EXAMPLES_SCHEMA.names),
        ("Predictions", PREDICTIONS_SCHEMA.names),
        ("metrics.tsv", COLLECTED_COLUMNS),
        ("Bundle", BUNDLE_FILES),
        ("What all files share", [*make_provenance("x", 1, {}), "digest"]),
        ("Filter tables", REASON_NAMES),
        ("Overlap table", OVERLAP_COLUMNS),
        ("Homologs", HOMOLOG_COLUMNS),
        ("Controls", [*EFFICIENCY_COLUMNS, *PERMUTED_COLUMNS, *VERDICT_KEYS]),
        ("Pairs of models", [*PAIR_COLUMNS, "q_value"]),
        ("Comparison", [*COMPARISON_COLUMNS, *COMPARISON_KEYS, "provenance"]),
        ("Audit", [*AUDIT_COLUMNS, *FEATURES]),
        ("Sanity checks", MEANINGS),
        ("Reproducibility record", RECORD_KEYS),
    ],
)
def test_formats_have_every_column_key_and_reason_and_no_other(heading, names):
    assert first_names(section(FORMATS, heading)) == set(names)


def test_reasons_of_the_filters_are_among_those_described():
    assert {*REASONS.values(), MERGED} <= set(REASON_NAMES)


def test_formats_have_every_key_of_the_metrics():
    described = section(FORMATS, "Metrics")
    for key in empty_result("none"):
        name = re.sub(rf"^({'|'.join(METRICS)})(?=\.|$)", "<metric>", key)
        assert f"`<test_set>.{name}`" in described, key


def test_formats_name_every_metric_in_the_order_of_the_registry():
    described = section(FORMATS, "Metric definitions")
    assert first_names(described) == set(DEFINITION_COLUMNS)
    assert re.findall(r"^- `(\w+)`", described, flags=re.MULTILINE) == list(METRICS)


def test_formats_have_every_key_of_the_metrics_of_tiles():
    described = section(FORMATS, "Tiled test block")
    for key in empty_tiled_result("none"):
        name = re.sub(rf"^({'|'.join(METRICS)})(?=\.|$)", "<metric>", key)
        assert f"`T4.{name}`" in described, key
    for field in fields(TiledLabels):
        assert f"`{field.name}`" in described, field.name


def test_formats_have_every_count_and_column_of_the_corpus():
    described = section(FORMATS, "Corpus")
    counts = set(re.findall(r'"(n_\w+)"', (SOURCE / "data/corpus.py").read_text()))
    assert len(counts) > 10
    for name in counts | set(CONTIG_COLUMNS):
        assert re.search(rf"`(counts\.)?{name}`", described), name


def test_formats_have_every_part_of_the_tile_table():
    described = section(FORMATS, "Tile table")
    for name in (*CHROMOSOME_COLUMNS, *PROPERTIES, "repeat_start", "repeat_end", *REPEAT_SOURCES):
        assert f"`{name}`" in described, name


def test_formats_have_every_part_of_the_store():
    described = section(FORMATS, "Store")
    counts = {f"n_{value}_<split>" for value in ("positive", "negative", "unknown")} | {"n_peaks"}
    for name in ("labels", *ROW_COLUMNS, "chromosomes", "experiments", *Column._fields, *counts):
        assert f"`{name}`" in described, name


@pytest.mark.parametrize("module", ["pretrain", "finetune"])
def test_formats_have_every_column_of_the_training_logs(module):
    described = section(FORMATS, "Bundle")
    text = (SOURCE / f"training/{module}.py").read_text()
    logged = re.search(r"self\.rows\.append\(\s*\{(.*?)\n\s*\}", text, flags=re.DOTALL)[1]
    summary = re.search(r"def metrics\(self\).*?return \{(.*?)\n\s*\}", text, flags=re.DOTALL)[1]
    written = re.findall(r'"([\w{}]+)":', logged + summary)
    names = {
        name.format(metric=objective.metric, reference=objective.reference)
        for name in written
        for objective in OBJECTIVES.values()
    }
    assert len(names) > 8
    assert [name for name in names if f"`{name}`" not in described] == []


# README


def shell_blocks(text):
    """Lines of all bash blocks, with continued lines joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_readme_names_every_command_and_no_other():
    named = set(re.findall(r"\bbindgram ([a-z]+(?:-[a-z]+)?)\b", "\n".join(re.findall(r"`[^`\n]+`", README))))
    assert named - {"X"} == {command.name for command in COMMANDS}


def test_commands_of_the_readme_have_known_and_all_required_options():
    known = {command.name: command for command in COMMANDS}
    calls = [shlex.split(line)[1:] for line in shell_blocks(README) if line.startswith("bindgram ")]
    assert len(calls) >= 8
    for name, *words in calls:
        options = {word for word in words if word.startswith("--")}
        named = [option for option in known[name].params if isinstance(option, click.Option)]
        assert options <= {text for option in named for text in option.opts}, name
        assert {text for option in named if option.required for text in option.opts} <= options, name


def test_commands_of_the_readme_give_the_revisions_of_the_configuration():
    revisions = yaml.safe_load((REPOSITORY / "config/revisions.yaml").read_text())
    for line in shell_blocks(README):
        if line.startswith("bindgram ") and "--revision" in line:
            words = shlex.split(line)
            assert int(words[words.index("--revision") + 1]) == revisions[words[1]], line


def test_make_targets_and_profiles_of_the_readme_exist():
    targets = set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:`|^|&& )make (\w+)", README, flags=re.MULTILINE))
    assert {"demo", "test", "lint"} <= named <= targets
    profiles = set(re.findall(r"--profile ([\w/]+)", README))
    assert profiles == {"slurm", "profiles/demo"}
    assert all((REPOSITORY / profile / "config.yaml").is_file() for profile in profiles)


def test_readme_describes_the_models_baselines_and_test_sets_of_the_demo():
    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    demo = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text())
    table = section(README, "What comes out")
    kinds = {name: item["kind"] for name, item in merge(config, demo)["baselines"].items() if item}
    for name in (*demo["models"], *(name for name, kind in kinds.items() if kind != "likelihood")):
        assert f"| `{name}` |" in table
    for name in demo["battery"]["test_sets"]:
        assert f"| test set {name} |" in table
    assert f"`{config['floor']}` | the **floor**" in table


def test_own_data_of_the_readme_fit_the_demo_sheet():
    """The row that a newcomer appends has the columns of the sheet, and the edit finds its place."""
    line = next(line for line in shell_blocks(README) if line.startswith("printf"))
    row = shlex.split(line)[1].encode().decode("unicode_escape").removesuffix("\n").split("\t")
    header = (REPOSITORY / "config/demo_experiments.tsv").read_text().splitlines()[0].split("\t")
    values = {name: value for name, value in zip(header, row, strict=True) if value}
    assert Experiment.model_validate(values).assembly == "hg38_chr22"
    assert (REPOSITORY / "config/demo.yaml").read_text().count("tfs: [") == 1


def test_every_rule_is_in_the_picture_or_named_as_not_drawn():
    drawn = set(re.findall(r"<text [^>]*>(\w+)</text>", (REPOSITORY / "docs/rulegraph.svg").read_text()))
    assert drawn <= set(RULES)
    not_drawn = set(RULES) - drawn - {"fetch_all", "report_available"}
    assert {name for name in RULES if f"`{name}`" in section(README, "The workflow")} == not_drawn


# All documents


def anchors(text):
    """Anchors that a page has for its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_relative_links_lead_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        found = path.parent / target if target else path
        assert found.exists(), link
        assert not anchor or anchor in anchors(found.read_text()), link


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_documents_name_no_folder_of_a_machine(path):
    assert re.findall(r"(?<![\w.}/*])/(?:home|root|work|tmp|mnt|scratch|Users)\b\S*", path.read_text()) == []


def test_citation_and_changelog_have_the_version_of_the_package():
    project = (REPOSITORY / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.*)"', project, flags=re.MULTILINE)[1]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == version
    assert citation["license"] in project
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert f"## {version}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_every_reference_of_the_citation_is_in_the_methods():
    method = (REPOSITORY / "docs/method.md").read_text()
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert len(citation["references"]) > 5
    for reference in citation["references"]:
        assert reference.get("doi", reference.get("url")) in method, reference["title"]
