"""Helpers of the rules: what the configuration asks for, as paths and parameters. No rules here.

The configuration and everything it names are read and checked once, here; the rules ask these functions only.

The values of a rule form one parameter, the mapping `settings`. Snakemake compares parameters as a set of values
without their names, so that two numbers that swap places, or one that becomes equal to another, would not be noticed.
"""

import gc
import hashlib
import json
import shlex
import signal
import sys
import time
from functools import cache
from pathlib import Path
from typing import get_args

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from bindgram.settings import load_project
from bindgram.settings.adaptation import POOLED, Adaptation, group_of, pool_of
from bindgram.settings.base import InputError, read_yaml
from bindgram.settings.costs import estimate
from bindgram.settings.config import GENOMIC_SCHEMES
from bindgram.settings.sheets import POOLED_FORMATS, SEQUENCE_FORMATS, StoredFormat, is_url, slug
from bindgram.settings.variants import PERMUTED, VARIANT
from bindgram.settings.splits import split_of_experiment, why_held_out

# The signal with which a training job saves its state reaches the Snakemake above it too, which must outlive it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
gc.set_threshold(500_000)  # a plan is millions of objects that stay: looking for garbage among them takes 15 % of it


def checked_project():
    """The project, or one message that lists every problem of the configuration."""
    try:
        return load_project(config, check_files=workflow.is_main_process)
    except InputError as error:
        raise WorkflowError(str(error)) from None


def container_image():
    """The image of all jobs under --sdm apptainer, or None. Without an image Snakemake would run them outside any."""
    if DeploymentMethod.APPTAINER not in workflow.deployment_settings.deployment_method:
        return None
    if CONFIG.container is None:
        raise WorkflowError("--sdm apptainer: no image; build one (docs/cluster.md) and name it: container: PATH.sif")
    if "://" not in CONFIG.container and not Path(CONFIG.container).is_file():
        raise WorkflowError(f"container: no such file: {CONFIG.container}; build it (docs/cluster.md)")
    return CONFIG.container


PROJECT = checked_project()
CONFIG = PROJECT.config
REVISIONS = read_yaml(Path("config/revisions.yaml"))

ID = "[A-Za-z0-9_-]+"
SPLITS = CONFIG.split
EXPERIMENTS = list(PROJECT.selected)
SCHEMES = CONFIG.negatives.schemes
NO_VARIANT = rf"(?![A-Za-z0-9_-]*-({VARIANT})\.){ID}"  # names of schemes that are made, not varied
SIZES = [*SCHEMES, *(f"{scheme}-n{n}" for scheme in SCHEMES for n in CONFIG.data_efficiency.positives)]
PERMUTED_SCHEMES = [f"{scheme}-{PERMUTED}" for scheme in SCHEMES]
OTHERS = PROJECT.others  # experiments whose peaks others draw from, selected or not
MODEL_NAMES = "|".join(CONFIG.trained)  # of all networks that are trained
COLOURS = "'#0072B2' '#D55E00' '#009E73' '#CC79A7' '#E69F00' '#56B4E9' '#000000'"  # Okabe and Ito 2008
HOMOLOGS = CONFIG.homology.action != "none"  # whether they are searched for
TEST_SETS = CONFIG.battery.test_sets
HOURS = dict(
    pretrain_language_model=24,
    adapt_language_model=2,
    finetune_classifier=4,
    predict_scores=1,
    score_likelihood=1,
    interpret_model=2,
    score_tiles=4,
)  # at attempt 1
GPUS = 0 if CONFIG.device == "cpu" else 1  # that a job which trains or predicts asks for
PRETRAINING = CONFIG.pretraining
RANKS = PRETRAINING.n_gpus  # processes that pretrain one language model together, each with a GPU of its own
TORCH_ENVIRONMENT = f"../../envs/torch-{'gpu' if GPUS else 'cpu'}.yaml"  # of those jobs, as the rules see it
MODEL_FILES = ("model.safetensors", "config.json")  # of a bundle; config.json is written last
MOTIFS = f"resources/motifs/{CONFIG.motifs.library}.meme"
MOTIFS_RECORD = f"resources/motifs/{CONFIG.motifs.library}.json"
POSITIVES = "results/examples/{split}/{experiment}/positives.parquet"
LABELLED = "results/examples/{split}/{experiment}/labelled/{scheme}.parquet"
NEGATIVES = "results/examples/{split}/{experiment}/negatives/{scheme}.parquet"
TILED_LABELS = "results/battery/{split}/{experiment}/T4.h5"
TILED_SCORES = "results/tiled/{model}/{split}/{experiment}/{scheme}/s{seed}.h5"
TILED_METRICS = "results/tiled/{model}/{split}/{experiment}/{scheme}/s{seed}.json"
METRICS = "results/metrics/{model}/{split}/{experiment}/{scheme}/s{seed}.json"
PREDICTIONS = "results/predictions/{model}/{split}/{experiment}/{scheme}/s{seed}.parquet"
PAIRS = "results/pairs/{split}/{experiment}/{scheme}.tsv"
PUBLISHED = "results/published/{model}/{split}/{experiment}/{scheme}/s{seed}/README.md"
TRAIN_LOG = "results/models/{model}/{split}/{experiment}/{scheme}/s{seed}/train_log.tsv"
MODEL_FOLDER = TRAIN_LOG.rpartition("/")[0]
AUDIT = "results/qc/{split}/{experiment}/audit.tsv"
FIGURE = "results/report/figures/{split}/{experiment}/{scheme}/{figure}.svg"
PANEL = "results/report/panels/{split}/{experiment}/{scheme}.json"
INTERPRETATION = "results/interpretation/{model}/{split}/{experiment}/{scheme}/s{seed}.json"


def minutes(rule):
    """A resource function: run time of a rule with a network, growing with the attempt."""
    return lambda wildcards, attempt: 60 * HOURS[rule] * attempt


def device_options(wildcards, input):
    """Where to compute. A function of `input` is no trigger for Snakemake: another device trains nothing again."""
    return f"--device {CONFIG.device}"


def training_options(wildcards, input):
    """Where to compute, how often to save the state, and how to watch it; no trigger either."""
    logs = CONFIG.logging
    return (
        f"--device {CONFIG.device} --checkpoint-minutes {CONFIG.checkpoint_minutes} --log-every {logs.every_steps}"
        f" {'--tensorboard' if logs.tensorboard else ''} {option('--mlflow', logs.mlflow)} {option('--wandb', logs.wandb)}"
    )


def pretraining_threads(wildcards, input, threads):
    """CPU threads of each rank. Like all that follows, no trigger: more GPUs train nothing again."""
    return max(1, threads // PRETRAINING.gpus_per_node)


def start_pretraining(wildcards, input, threads):
    """The command, started once for each rank: by torchrun on one node, by SLURM on several."""
    if RANKS == 1:
        return "bindgram pretrain"
    each = PRETRAINING.gpus_per_node
    if PRETRAINING.nodes == 1:
        signals = "--signals-to-handle SIGTERM,SIGINT,SIGUSR1"  # passed on, so that the ranks save what they have
        return f"torchrun --standalone --nproc-per-node {each} {signals} --no-python bindgram pretrain"
    job = "${SLURM_JOB_ID:?needed for pretraining.nodes above 1: use --profile slurm}"
    return (
        f'srun --jobid "{job}" --nodes {PRETRAINING.nodes} --ntasks {RANKS} --ntasks-per-node {each}'
        f" --cpus-per-task {pretraining_threads(wildcards, input, threads)} --kill-on-bad-exit=1 bindgram pretrain"
    )


def on_nodes(value, n_nodes=PRETRAINING.nodes):
    """A resource of pretraining on several nodes, which other jobs do not name."""
    return value if n_nodes > 1 else None


def tell_what_is_not_masked():
    """Say once, as the workflow starts, which test sequences may be in a corpus."""
    if workflow.is_main_process and (notice := PROJECT.mask_notice()):
        print(f"{notice}\n", file=sys.stderr)


def costs():
    """What the run will take on GPUs, in a few lines; a dry run prints them."""
    works = estimate(PROJECT)
    kinds = dict(zip(HOURS, ("pretrain", "adapt", "finetune", "predict", "likelihood")))
    jobs = {rule: sum(work.n_jobs for work in works.works if work.kind == kind) for rule, kind in kinds.items()}
    jobs["interpret_model"] = len(interpretations())  # reads a few hundred sequences: not counted in tokens
    tiles = per_training(TILED_SCORES, experiments=TILED_EXPERIMENTS, baselines=[], seeds=CONFIG.seeds[:1])
    jobs["score_tiles"] = len(tiles) if CONFIG.tiled.in_report else 0
    n_gpus = {"pretrain_language_model": RANKS}
    return works.describe({rule: (n, HOURS[rule] * n_gpus.get(rule, 1)) for rule, n in jobs.items() if n})


# Jobs of a cluster: bundles of the consecutive short CPU steps of one experiment, which share one start of Snakemake.
# A job with a GPU has it for itself. Without GPUs training and all that follows is one bundle, unless language models
# pool experiments, which would tie these to each other. Examples are a bundle of their own: where they are
# audited again and no model is trained again, a bundle of both would depend on itself, which Snakemake refuses. Groups
# of rules: `--groups` does not reach the jobs.
WITH_TRAINING = not GPUS and all(model.adapt not in POOLED for model in PROJECT.models.values())
EXAMPLES_GROUP = "examples"
TRAINING_GROUP = "training" if WITH_TRAINING else None
PREDICTION_GROUP = "training" if WITH_TRAINING else None if GPUS else "evaluation"
EVALUATION_GROUP = "training" if WITH_TRAINING else "evaluation"


# Options of a command


def option(name, value):
    """`name value` for the shell, or nothing where there is no value."""
    return f"{name} {shlex.quote(str(value))}" if value else ""


def options(name, values):
    """`name value` for each value."""
    return " ".join(option(name, value) for value in values)


def genome_options(wildcards, input):
    """Options that give a command the genome, its splits and the peaks, where the rule has them among its inputs."""
    if not input.get("genome"):
        return ""
    return (
        f"--genome {input.genome} --assembly {assembly_of(wildcards)} --split {input.split_file}"
        f" {option('--blacklist', input.blacklist)}"
    )


def background_options(wildcards, input):
    """Options that give a command what negatives are drawn from, where the rule has it among its inputs."""
    if not input.get("genome"):
        return ""
    return " ".join(
        [
            f"{genome_options(wildcards, input)} --tiles {input.tiles} --peaks {input.peaks}",
            f"--peaks-record {input.peaks_record} --format {row(wildcards).stored_format}",
            f"--universe {input.universe} --tf {row(wildcards).tf}" if input.get("universe") else "",
            option("--accessibility", input.get("accessibility")),
            option("--accessibility-record", input.get("accessibility_record")),
        ]
    )


def scheme_options(wildcards, input):
    """Options that schemes are tuned by. A function of `input` is no trigger: `scheme_settings` has what bears on one."""
    settings = CONFIG.negatives
    mixtures = (
        f"{name} {scheme} {share}" for name, shares in settings.mixtures.items() for scheme, share in shares.items()
    )
    return (
        f"--minimum-fraction {settings.minimum_fraction} --exclusion-bp {settings.exclusion_bp}"
        f" --neighbour-bp {settings.neighbour_bp} --gc-bins {settings.gc_bins} --repeat-bins {settings.repeat_bins}"
        + "".join(f" --mixture {mixture}" for mixture in mixtures)
    )


# Assemblies and experiments


def row(wildcards):
    """The sheet's row of an experiment."""
    if wildcards.experiment not in PROJECT.experiments:
        raise WorkflowError(f"{CONFIG.experiments}: no experiment {wildcards.experiment!r}")
    return PROJECT.experiments[wildcards.experiment]


def assembly_of(wildcards):
    """Assembly of an experiment."""
    return row(wildcards).assembly


def assembly_row(wildcards):
    """The sheet's row of an assembly."""
    if wildcards.assembly not in PROJECT.assemblies:
        raise WorkflowError(f"{CONFIG.assemblies}: no assembly {wildcards.assembly!r}")
    return PROJECT.assemblies[wildcards.assembly]


def local_state(source):
    """Time of change (ns) and size of a file on disk, as parameter of the rule that reads it; nothing for a URL.

    It is no input: Snakemake ends the whole run when an input disappears, not only the jobs that need it.
    """
    if source is None or is_url(source) or not Path(source).is_file():
        return None
    status = Path(source).stat()
    return [status.st_mtime_ns, status.st_size]


def local(source):
    """A source that is a file on disk, as input of the rule that reads it; nothing for a URL, which is not watched."""
    return [] if source is None or is_url(source) else [source]


STORED_AS_PUBLISHED = "|".join(format for format in get_args(StoredFormat) if format != "extracted")
SOURCE_KINDS = ("peaks", "bigBed", *POOLED_FORMATS, "chain")  # of files that peaks are taken out of, or lifted with
HELD_OUT = ("valid_sequences", "test_sequences")  # columns of a published set that brings more than one file


def source_file(source, checksum, kind):
    """Where a source that several experiments may share is kept: fetched once, whatever rows name it."""
    key = hashlib.sha256(f"{source} {checksum}".encode()).hexdigest()[:16]
    return f"resources/sources/{key}.{kind}"


def source_of(row):
    """Where the source of an experiment's peaks is kept until they are taken out of it."""
    kind = row.format if row.format in SOURCE_KINDS else "peaks"
    return source_file(row.peaks, row.peaks_checksum, kind)


# Every source that peaks are taken out of, and every chain: file to address and checksum.
SHARED_SOURCES = {
    file: (source, checksum)
    for row in PROJECT.experiments.values()
    if row.stored_format == "extracted"
    for file, source, checksum in (
        (source_of(row), row.peaks, row.peaks_checksum),
        *([(source_file(row.chain, row.chain_checksum, "chain"), row.chain, row.chain_checksum)] if row.chain else []),
    )
}


def shared_source(wildcards):
    """Address and checksum of a shared source, as the sheet has them."""
    return SHARED_SOURCES[f"resources/sources/{wildcards.key}.{wildcards.kind}"]


def extract_inputs(wildcards):
    """What the peaks of an experiment are taken out of, and the chain to lift them with and lengths to compare."""
    experiment = row(wildcards)
    files = dict(source=source_of(experiment))
    if experiment.chain:
        files["chain"] = source_file(experiment.chain, experiment.chain_checksum, "chain")
    records = {f"{name}_record": f"{file}.json" for name, file in files.items()}
    if experiment.chain:
        files["chrom_sizes"] = f"resources/assemblies/{experiment.assembly}/chrom.sizes"
    return files | records


def open_chromatin(row):
    """Where the open chromatin file of an experiment is kept."""
    return source_file(row.accessibility, row.accessibility_checksum, "peaks")


SHARED_SOURCES |= {
    open_chromatin(row): (row.accessibility, row.accessibility_checksum)
    for row in PROJECT.experiments.values()
    if row.accessibility
}


@cache
def others_in(assembly, biosample):
    """Experiments of the universe in a biosample, which is given as it stands in paths."""
    return [row for row in OTHERS.values() if (row.assembly, slug(row.biosample)) == (assembly, biosample)]


def members_of(wildcards):
    """Experiments whose peaks `pool_universe` puts together."""
    found = others_in(wildcards.assembly, wildcards.biosample)
    if not found:
        raise WorkflowError(f"universe: {CONFIG.universe} has no experiment in {wildcards.biosample} to draw from")
    return found


def universe_inputs(wildcards):
    """Peaks of the universe in one biosample, with the records of their download."""
    peaks = [peaks_input(row) for row in members_of(wildcards)]
    return dict(
        peaks=peaks,
        records=[record_of(path) for path in peaks],
        chrom_sizes=f"resources/assemblies/{wildcards.assembly}/chrom.sizes",
    )


def peaks_input(wildcards):
    """Peaks of an experiment on its assembly, or published sequences, as every step reads them."""
    return f"resources/peaks/{wildcards.experiment}.{row(wildcards).stored_format}.gz"


def record_of(packed):
    """Record beside a fetched .gz file."""
    return f"{packed.removesuffix('.gz')}.json"


def held_out_inputs(wildcards):
    """Published sequences of an experiment beside those to train on, by column of the sheet."""
    experiment = row(wildcards)
    return {
        column: f"resources/peaks/{wildcards.experiment}.{column.removesuffix('_sequences')}.{experiment.format}.gz"
        for column in HELD_OUT
        if getattr(experiment, column)
    }


def sequence_options(wildcards, input):
    """Options that give a command the files of a published set, where the rule has them among its inputs."""
    if not input.get("training_sequences"):
        return ""
    files = " ".join(option(f"--{name.replace('_', '-')}", input.get(name)) for name in HELD_OUT)
    return f"--training-sequences {input.training_sequences} {files} --sequence-format {row(wildcards).format}"


def held_out_source(wildcards):
    """Address and checksum of published validation or test sequences."""
    column = f"{wildcards.part}_sequences"
    return getattr(row(wildcards), column), getattr(row(wildcards), f"{column}_checksum")


def genome_files(wildcards):
    """Genome of an experiment, by name of the input: with index, blacklist (where the sheet names one) and splits."""
    assembly = assembly_of(wildcards)
    folder = f"resources/assemblies/{assembly}"
    has_blacklist = assembly in PROJECT.assemblies and PROJECT.assemblies[assembly].blacklist
    return dict(
        genome=f"{folder}/genome.fa",
        fai=f"{folder}/genome.fa.fai",
        blacklist=[f"{folder}/blacklist.bed"] if has_blacklist else [],
        split_file=ancient(f"config/splits/{wildcards.split}.yaml"),
    )


def tiles_file(assembly):
    """Tile table with tiles as wide as the windows of this run."""
    return f"results/tiles/{assembly}.w{CONFIG.positives.width}.h5"


def report_tiles():
    """Tile tables that negatives of this run are drawn from: assembly to path."""
    schemes = schemes_behind([*SCHEMES, *(made.scheme for made in TEST_SETS.values())])
    assemblies = {row.assembly for row in PROJECT.selected.values() if row.has_coordinates}
    return {name: tiles_file(name) for name in sorted(assemblies)} if "genomic_matched" in schemes else {}


def tiles_inputs(wildcards):
    """What the tile table of an assembly is made of: genome with index, blacklist and repeats where there are any."""
    folder = f"resources/assemblies/{wildcards.assembly}"
    files = dict(genome=f"{folder}/genome.fa", fai=f"{folder}/genome.fa.fai", genome_record=f"{folder}/genome.json")
    for name in ("blacklist", "repeats"):
        if getattr(assembly_row(wildcards), name):
            files |= {name: f"{folder}/{name}.bed", f"{name}_record": f"{folder}/{name}.json"}
    return files


# The next three are unpacked into inputs: one function per rule, since Snakemake's calls are most of the time of a plan.


def positives_inputs(wildcards):
    """What positives are made of: peaks on a genome, or published sequences, each with the record of its download."""
    files = dict(peaks=peaks_input(wildcards))
    if row(wildcards).has_coordinates:
        files |= genome_files(wildcards)
        files["genome_record"] = f"{files['genome'].removesuffix('.fa')}.json"
        if CONFIG.positives.needs_tiles:
            files["tiles"] = tiles_file(assembly_of(wildcards))
    else:
        held_out = held_out_inputs(wildcards)
        files |= held_out | {f"{name}_record": record_of(file) for name, file in held_out.items()}
    return files | dict(peaks_record=record_of(files["peaks"]))


def negatives_inputs(wildcards):
    """What negatives of a scheme are drawn from: nothing more for shuffles."""
    if wildcards.scheme == "published" and not row(wildcards).has_coordinates:
        return dict(training_sequences=peaks_input(wildcards), **held_out_inputs(wildcards))
    return background_inputs(wildcards, [wildcards.scheme])


def battery_inputs(wildcards):
    """What the negatives of the test sets are drawn from, and the tiles of T4."""
    return background_inputs(wildcards, [made.scheme for made in TEST_SETS.values()], tiled=True)


def background_inputs(wildcards, schemes, tiled=False):
    """Genome, peaks and candidates of schemes that draw from the genome, or of tiles, where there are coordinates."""
    asked = schemes_behind(schemes)
    if not (tiled or asked & GENOMIC_SCHEMES) or not row(wildcards).has_coordinates:
        return {}
    peaks, assembly, biosample = peaks_input(wildcards), assembly_of(wildcards), slug(row(wildcards).biosample)
    files = genome_files(wildcards) | dict(tiles=tiles_file(assembly), peaks=peaks, peaks_record=record_of(peaks))
    if "other_peaks" in asked and others_in(assembly, biosample):
        files["universe"] = f"results/universe/{assembly}/{biosample}.parquet"
    if "accessible_unbound" in asked and row(wildcards).accessibility:
        files["accessibility"] = open_chromatin(row(wildcards))
        files["accessibility_record"] = f"{files['accessibility']}.json"
    return files


def schemes_behind(names):
    """Schemes that are used by the names of schemes and mixtures."""
    return {scheme for name in names for scheme in CONFIG.negatives.shares_of(name)}


def scheme_settings(wildcards, names):
    """Settings that bear on negatives of these schemes and mixtures, as parameter."""
    settings, asked = CONFIG.negatives, schemes_behind(names)
    bearing = dict(minimum_fraction=settings.minimum_fraction)
    bearing |= {name: settings.shares_of(name) for name in names if name in settings.mixtures}
    if asked & GENOMIC_SCHEMES:
        bearing["exclusion_bp"] = settings.exclusion_bp
    if "genomic_matched" in asked:
        bearing |= dict(gc_bins=settings.gc_bins, repeat_bins=settings.repeat_bins)
    if "neighbour" in asked:
        bearing["neighbour_bp"] = settings.neighbour_bp
    if "other_peaks" in asked:
        bearing["tf"] = row(wildcards).tf
    return bearing


def left_out_options(wildcards):
    """Experiments held out of training, of which training negatives of other factors' peaks take nothing."""
    if "other_peaks" not in schemes_behind([wildcards.scheme]) or not row(wildcards).has_coordinates:
        return ""
    others = others_in(assembly_of(wildcards), slug(row(wildcards).biosample))
    hold_out = split_file(wildcards.split).hold_out
    return options("--leave-out", [row.experiment for row in others if why_held_out(row, hold_out)])


def split_file(split):
    """A checked split file."""
    if split not in PROJECT.splits:
        raise WorkflowError(f"split {split!r} is not configured ({', '.join(SPLITS)}); set split in the configuration")
    return PROJECT.splits[split]


@cache
def split_blocks(split, assembly):
    """Blocks of one assembly, as parameter: a change elsewhere in the split file reruns nothing."""
    if assembly not in split_file(split).assemblies:
        raise WorkflowError(f"config/splits/{split}.yaml: assemblies: {assembly!r} is missing; add its blocks")
    return split_file(split).assemblies[assembly].regions()


def blocks_of_experiment(wildcards):
    """Split blocks that an experiment's tables depend on."""
    return split_blocks(wildcards.split, assembly_of(wildcards)) if row(wildcards).has_coordinates else None


def tiled_block(wildcards):
    """Name of the block that T4 tiles, as parameter; None where there is none."""
    if not row(wildcards).has_coordinates:
        return None
    return split_file(wildcards.split).assemblies[assembly_of(wildcards)].tiled


def held_out_option(wildcards):
    """Split that the whole experiment is held out into and why, or nothing where it may train."""
    split = split_of_experiment(row(wildcards), split_file(wildcards.split).hold_out)
    reason = PROJECT.why_held_out(wildcards.experiment, wildcards.split)
    return f"--held-out {split} {shlex.quote(reason)}" if reason else ""


# Store

# Assembly to its experiments with coordinates.
STORE_EXPERIMENTS = {
    assembly: [name for name, row in PROJECT.selected.items() if row.assembly == assembly and row.has_coordinates]
    for assembly in sorted({row.assembly for row in PROJECT.selected.values() if row.has_coordinates})
}


def store_columns(wildcards):
    """The experiments of a store, each with all of its row that stands there."""
    hold_out = split_file(wildcards.split).hold_out
    rows = [PROJECT.selected[name] for name in STORE_EXPERIMENTS[wildcards.assembly]]
    return {
        row.experiment: [row.tf, row.biosample, row.family, row.stored_format, split_of_experiment(row, hold_out)]
        for row in rows
    }


def store_files():
    """The stores of all assemblies with the configured bins."""
    bins = f"b{CONFIG.store.bin_bp}w{CONFIG.store.window_bp}"
    return expand(f"results/store/{{assembly}}.{{split}}.{bins}.h5", assembly=STORE_EXPERIMENTS, split=SPLITS)


def store_inputs(wildcards):
    """What a store is made of: genome with index, blacklist where there is one, and the peaks of all experiments."""
    if wildcards.assembly not in STORE_EXPERIMENTS:
        raise WorkflowError(f"no selected experiment has coordinates on {wildcards.assembly!r}; a store has no column")
    files = tiles_inputs(wildcards)
    for name in ("repeats", "repeats_record"):
        files.pop(name, None)
    stems = [
        f"resources/peaks/{name}.{PROJECT.selected[name].stored_format}"
        for name in STORE_EXPERIMENTS[wildcards.assembly]
    ]
    return files | dict(peaks=[f"{stem}.gz" for stem in stems], peaks_records=[f"{stem}.json" for stem in stems])


# Audit


def audit_inputs(wildcards):
    """Raw files that the examples of an experiment are checked against, where it has coordinates."""
    if not row(wildcards).has_coordinates:
        return {}
    return genome_files(wildcards) | dict(tiles=tiles_file(assembly_of(wildcards)), peaks=peaks_input(wildcards))


def audit_options(wildcards, input):
    """Options that name the tables of an audit, and the raw files where there are any."""
    labelled = (f"{scheme}={path}" for scheme, path in zip(SCHEMES, input.labelled))
    tables = [options("--labelled", labelled), test_set_options(wildcards)]
    raw = [option(f"--{name}", input.get(name)) for name in ("tiles", "peaks")]
    return " ".join([*tables, options("--filter-table", input.filter_tables), genome_options(wildcards, input), *raw])


def audited_filter_tables(wildcards):
    published = [] if row(wildcards).has_coordinates else [PUBLISHED_FILTER_TABLE]
    return [path.format(**wildcards) for path in [*FILTER_TABLE_TEMPLATES, *published]]


# Test sets


def homology_options(wildcards, output):
    """What becomes of test rows that resemble training positives, where they are searched for."""
    how = CONFIG.homology
    if how.action == "none":
        return ""
    return (
        f"--homology {how.action} --min-identity {how.min_identity} --min-coverage {how.min_coverage}"
        f" --homology-table {output.homology}"
    )


def homologs_input(wildcards):
    """Lists of test rows that resemble training positives, where these rows are in the test sets."""
    if CONFIG.homology.action != "report":
        return []
    kinds = ["homology"] if row(wildcards).has_coordinates else ["homology", "published.homology"]
    return [f"results/battery/{wildcards.split}/{wildcards.experiment}/{kind}.tsv" for kind in kinds]


def homologs_options(wildcards, input):
    return options("--homologs", input.homologs)


def battery_settings(wildcards):
    """What test sets depend on beside scheme and ratio, as parameter."""
    return dict(
        max_positives=option("--max-positives", CONFIG.battery.max_positives),
        schemes=scheme_settings(wildcards, [made.scheme for made in TEST_SETS.values()]),
        seed=CONFIG.seed,
        blocks=blocks_of_experiment(wildcards),
        homology=CONFIG.homology.model_dump() if HOMOLOGS else None,
        revision=REVISIONS["battery"],
    )


def test_sets_of(wildcards):
    """Test sets of an experiment; a published sequence set brings its own beside the configured ones."""
    return [*TEST_SETS, *([] if row(wildcards).has_coordinates else ["published"])]


def battery_file(wildcards, test_set):
    return f"results/battery/{wildcards.split}/{wildcards.experiment}/{test_set}.parquet"


def battery_input(wildcards):
    return [battery_file(wildcards, test_set) for test_set in test_sets_of(wildcards)]


def test_set_options(wildcards):
    return options("--test-set", (f"{name}={battery_file(wildcards, name)}" for name in test_sets_of(wildcards)))


TILED_EXPERIMENTS = [name for name, row in PROJECT.selected.items() if row.has_coordinates]


def tiled_in_report():
    """The table of T4, where the configuration has it in every run."""
    return ["results/tiled.tsv"] if CONFIG.tiled.in_report else []


def tiled_genome(wildcards):
    """Genome and index that the tiles of an experiment are read from."""
    folder = f"resources/assemblies/{assembly_of(wildcards)}"
    return [f"{folder}/genome.fa", f"{folder}/genome.fa.fai"]


# Language models and models


def bundle(folder):
    """Files of a bundle that make up the model."""
    return [f"{folder}/{name}" for name in MODEL_FILES]


def language_model(name):
    """A checked language-model file."""
    if name not in PROJECT.language_models:
        raise WorkflowError(f"language model {name!r}: no configured model uses config/lms/{name}.yaml")
    return PROJECT.language_models[name]


@cache
def language_model_settings(name, *sections):
    """Sections of a language-model file, as parameter: a change in another section or a comment reruns nothing."""
    return language_model(name).model_dump(mode="json", include=set(sections))


READ_ALIKE = ("vocabulary", "direction", "encoder")  # sections that all stages of a language model share


@cache
def model_settings(name):
    """Everything that fine-tuning depends on: the model file, and what it takes over from language-model files."""
    settings = PROJECT.models[name].model_dump(mode="json")
    lms = PROJECT.models[name].language_models
    return settings | dict(language_models=[language_model_settings(lm, *READ_ALIKE) for lm in lms])


def corpus_input(wildcards):
    vocabulary = language_model(wildcards.lm).vocabulary
    return f"results/corpus/{wildcards.assembly}.{wildcards.split}.k{vocabulary.k}s{vocabulary.stride}.h5"


def masked_on(wildcards):
    """Published sets on an assembly whose test sequences its corpora must not hold, from a frozen list."""
    rows = [PROJECT.experiments[name] for name in PROJECT.masked]
    return [row for row in rows if row.assembly == wildcards.assembly]


def mask_inputs(wildcards):
    """Those test sequences, with the records of their download."""
    sequences = [f"resources/peaks/{row.experiment}.test.{row.format}.gz" for row in masked_on(wildcards)]
    return dict(masked=sequences, mask_records=[record_of(path) for path in sequences])


def mask_options(wildcards, input):
    """`--mask EXPERIMENT FORMAT SEQUENCES RECORD` of each."""
    files = zip(masked_on(wildcards), input.masked, input.mask_records)
    return " ".join(f"--mask {row.experiment} {row.format} {path} {record}" for row, path, record in files)


def pretrained_folders(wildcards, model=None):
    """Bundles that fine-tuning starts from, by option: pretrained, adapted, or any bundle given by its path."""
    model = PROJECT.models[model or wildcards.model]
    if "/" in model.pretrained:
        return dict(pretrained=model.pretrained.rstrip("/"))
    place = f"{assembly_of(wildcards)}.{wildcards.split}"
    if model.adapt != "none":
        place = f"{place}.{group_of(row(wildcards), model.adapt)}"
    return {
        name: f"results/lm/{lm}/{place}" for name, lm in zip(("pretrained", "backward_pretrained"), model.starts_from)
    }


def language_model_logs(wildcards):
    """Training logs of the language models that the models of an experiment start from: name to path."""
    logs = {}
    for name, model in PROJECT.models.items():
        for lm, folder in zip(model.starts_from, pretrained_folders(wildcards, name).values()):
            logs[lm] = f"results/lm/{lm}/{assembly_of(wildcards)}.{wildcards.split}/train_log.tsv"
            if model.adapt != "none":
                logs[f"{lm}, adapted"] = f"{folder}/train_log.tsv"
    return logs


def likelihood_bundle(wildcards):
    """The language model of an experiment's assembly, as it was pretrained: without any labels."""
    return f"results/lm/{wildcards.lm}/{assembly_of(wildcards)}.{wildcards.split}"


def finetune_inputs(wildcards):
    """What a model takes over: files of the language models that it names, and the bundles it starts from."""
    lms = zip(("language_model", "backward_language_model"), PROJECT.models[wildcards.model].language_models)
    files = {name: ancient(f"config/lms/{lm}.yaml") for name, lm in lms}
    return files | {name: bundle(folder) for name, folder in pretrained_folders(wildcards).items()}


def start_options(wildcards, input):
    """Options for what a model takes over."""
    return " ".join(
        [
            option("--language-model", input.get("language_model")),
            option("--backward-language-model", input.get("backward_language_model")),
            *(option(f"--{name.replace('_', '-')}", folder) for name, folder in pretrained_folders(wildcards).items()),
        ]
    )


def finetune_options(wildcards, input):
    """Options for what a model takes over, and the seeds."""
    return f"{start_options(wildcards, input)} {options('--seed', CONFIG.seeds)}"


SWEEP_OPTIONS = " ".join(
    [
        option("--seed", CONFIG.seed),
        *(option(f"--{name}", value) for name, value in CONFIG.find_rate.model_dump().items()),
    ]
)


def rate_files():
    """Tables of the learning-rate finder: all language models, and each stage of all models on the first experiment."""
    assemblies = sorted({row.assembly for row in PROJECT.selected.values()})
    stages = [
        (name, number) for name, model in PROJECT.models.items() for number in range(1, len(model.finetune.stages) + 1)
    ]
    return expand(
        "results/rates/lms/{lm}/{assembly}.{split}.tsv",
        lm=PROJECT.language_models,
        assembly=assemblies,
        split=SPLITS[0],
    ) + [
        f"results/rates/models/{name}/{SPLITS[0]}/{EXPERIMENTS[0]}/{SCHEMES[0]}.stage{number}.tsv"
        for name, number in stages
    ]


def adaptation_files(template):
    """An input function: `template` of the experiments that a language model adapts to."""
    return lambda wildcards: [
        template.format(split=wildcards.split, experiment=experiment)
        for experiment in adaptation_experiments(wildcards)
    ]


@cache
def adaptation_pools():
    """Every group that a language model may adapt to: assembly and name to experiments."""
    universe = [PROJECT.experiments[experiment] for experiment in PROJECT.universe]
    groups = {
        (row.assembly, group_of(row, how)): (row, how)
        for how in get_args(Adaptation)
        if how != "none"
        for row in PROJECT.experiments.values()
    }
    return {key: [other.experiment for other in pool_of(row, how, universe)] for key, (row, how) in groups.items()}


def adaptation_experiments(wildcards):
    """Experiments that a language model adapts to: one, or those of a TF or its families in the frozen universe.

    Experiments held out of training are left out of the pool; where all are, they tell the command why it is skipped.
    """
    chosen = adaptation_pools().get((wildcards.assembly, wildcards.group))
    if not chosen:
        raise WorkflowError(
            f"{wildcards.group}: no experiment of {CONFIG.experiments} on {wildcards.assembly} adapts to this, or "
            f"{CONFIG.universe} has none to pool"
        )
    trained = [experiment for experiment in chosen if not PROJECT.why_held_out(experiment, wildcards.split)]
    return trained or chosen


# Results

LIKELIHOODS = [f"likelihood_{name}" for name in PROJECT.causal_language_models] if CONFIG.likelihood else []
BASELINES = [*CONFIG.fitted, *LIKELIHOODS]  # that are not trained, and have the first seed only


def of_seeds(template):
    """`template` of every training seed, other wildcards left open."""
    return [template.replace("{seed}", str(seed)) for seed in CONFIG.seeds]


# Settings of the baselines that are fitted to examples; those of gapped k-mers take hours and have a rule of their own.
FITTED = {name: baseline.model_dump() for name, baseline in CONFIG.fitted.items()}
GAPPED_KMERS = [name for name, settings in FITTED.items() if settings["kind"] == "gapped_kmer_svm"]
QUICK = [name for name in FITTED if name not in GAPPED_KMERS]


def of_baselines(template, names):
    """`template` of fitted baselines, which have the first seed only; other wildcards left open."""
    return [template.replace("{model}", name).replace("{seed}", str(CONFIG.seeds[0])) for name in names]


def baseline_options(names, outputs, wildcards):
    """`--baseline NAME SETTINGS OUTPUT` of fitted baselines, `outputs` being paths with wildcards."""
    return " ".join(
        f"--baseline {name} {shlex.quote(json.dumps(FITTED[name]))} {path.format(**wildcards)}"
        for name, path in zip(names, outputs)
    )


# The library of known motifs and its record, where a baseline scans for them.
SCANNED_MOTIFS = [MOTIFS, MOTIFS_RECORD] if any(item["kind"] == "motif" for item in FITTED.values()) else []


def motif_options(wildcards):
    """Options that name the factor of an experiment and the library, where a baseline scans for motifs."""
    return f"{option('--tf', row(wildcards).tf)} --motifs {' '.join(SCANNED_MOTIFS)}" if SCANNED_MOTIFS else ""


def pairs(name, inputs, outputs, wildcards):
    """`name INPUT OUTPUT` for every pair of paths with wildcards."""
    return " ".join(f"{name} {one} {other}".format(**wildcards) for one, other in zip(inputs, outputs))


SEED_FOLDERS = of_seeds(TRAIN_LOG.rpartition("/")[0])
SEED_PREDICTIONS = of_seeds(PREDICTIONS)
SEED_METRICS = of_seeds(METRICS)
BASELINE_TILED_SCORES = of_baselines(TILED_SCORES, FITTED)
BASELINE_PREDICTIONS = of_baselines(PREDICTIONS, QUICK)
BASELINE_METRICS = of_baselines(METRICS, QUICK)
EVALUATION_SETTINGS = dict(**CONFIG.evaluation.model_dump(), seed=CONFIG.seed, revision=REVISIONS["evaluate"])


def per_training(
    template,
    splits=SPLITS,
    experiments=EXPERIMENTS,
    schemes=SCHEMES,
    models=CONFIG.trained,
    baselines=BASELINES,
    seeds=CONFIG.seeds,
):
    """`template` of every split, trained model, scheme and seed; baselines that are not trained have the first only."""
    learners = [(model, seed) for model in models for seed in seeds]
    learners += [(baseline, CONFIG.seeds[0]) for baseline in baselines]
    return [
        template.format(model=model, split=split, experiment=experiment, scheme=scheme, seed=seed)
        for split in splits
        for experiment in experiments
        for scheme in schemes
        for model, seed in learners
    ]


def of_experiment(template, *, baselines):
    """An input function: `template` of every model, baseline and seed of one split, experiment and scheme."""
    return lambda wildcards: per_training(
        template, [wildcards.split], [wildcards.experiment], [wildcards.scheme], baselines=baselines
    )


def pair_results(wildcards, input):
    """`--result MODEL SEED PREDICTIONS` of every training."""
    trainings = ((Path(path).parts[2], Path(path).stem.removeprefix("s"), path) for path in input.predictions)
    return " ".join(f"--result {model} {seed} {path}" for model, seed, path in trainings)


def published_data(wildcards):
    """Options that tell the card of a published model about its experiment, its splits and its negatives."""
    experiment = row(wildcards)
    facts = dict(experiment=experiment.experiment, factor=experiment.tf, biosample=experiment.biosample)
    if experiment.has_coordinates:
        facts["assembly"] = experiment.assembly
        blocks = blocks_of_experiment(wildcards)
        facts |= {f"{part} blocks": ", ".join(blocks[part]) for part in ("train", "valid", "test")}
    facts["split file"] = wildcards.split
    facts["negatives of training"] = f"{wildcards.scheme}, {CONFIG.negatives.ratio:g} for each positive"
    labels = options("--data", (f"{name}={value}" for name, value in facts.items()))
    return f"{labels} {option('--dataset', experiment.experiment)} {option('--tag', experiment.tf)}"


def published_costs(wildcards, input):
    """Options that name the benchmark files of the jobs behind a model, as far as they are there."""
    training = "results/benchmarks/finetune_classifier/{model}/{split}/{experiment}/{scheme}.tsv".format(**wildcards)
    files = {"fine-tuning, all seeds": training}
    for lm in PROJECT.models[wildcards.model].starts_from:
        stem = f"{lm}/{assembly_of(wildcards)}.{wildcards.split}.tsv"
        files[f"pretraining of {lm}, once for all"] = f"results/benchmarks/pretrain_language_model/{stem}"
    return options("--benchmark", (f"{name}={path}" for name, path in files.items() if Path(path).is_file()))


def interpretations():
    """Interpretations of the models that the configuration names, with the first seed."""
    return expand(
        INTERPRETATION,
        model=CONFIG.interpreted,
        split=SPLITS,
        experiment=EXPERIMENTS,
        scheme=SCHEMES,
        seed=CONFIG.seeds[0],
    )


def figure_files():
    """One figure of each experiment and scheme: the job that draws it draws the others too."""
    return expand(FIGURE, split=SPLITS, experiment=EXPERIMENTS, scheme=SCHEMES, figure="curves")


def tss_input(wildcards):
    """Transcription start sites of an experiment's assembly, where the sheet names genes."""
    assembly = assembly_of(wildcards)
    has_genes = row(wildcards).has_coordinates and PROJECT.assemblies[assembly].genes
    return f"resources/assemblies/{assembly}/tss.bed" if has_genes else []


def example_sets(input):
    """`NAME=FILE` of the negatives of training and of each test set."""
    return [f"training={input.negatives}", *(f"{Path(path).stem}={path}" for path in input.test_sets)]


def figure_title(wildcards):
    return f"{row(wildcards).tf} in {row(wildcards).biosample} ({wildcards.experiment})"


SHEET_FACTS = ("experiment", "tf", "family", "biosample", "treatment", "assembly", "accession", "lab", "frip", "tier")


def panel_facts(wildcards):
    """`NAME=VALUE` of what an experiment's panel in the report says first."""
    experiment = row(wildcards)
    facts = {name: getattr(experiment, name) for name in SHEET_FACTS}
    facts |= dict(split=wildcards.split, scheme=wildcards.scheme)
    return [f"{name}={value}" for name, value in facts.items() if value is not None]


def figure_group(wildcards):
    """Heading under which the report lists an experiment's figures."""
    return f"{row(wildcards).tf} in {row(wildcards).biosample}"


def figure_labels(figure):
    """Labels of one figure in the report's list."""
    return lambda wildcards: {
        "experiment": wildcards.experiment,
        "trained against": wildcards.scheme.replace("_", " "),
        "figure": figure,
        **of_split(wildcards),
    }


def motif_labels(wildcards):
    """Labels of the logos of a model in the report's list."""
    return figure_labels("motifs")(wildcards) | {"model": wildcards.model}


def of_split(wildcards):
    """The label that tells figures of several splits apart."""
    return {"split": wildcards.split} if len(SPLITS) > 1 else {}


# Quality control


@cache
def experiments_on(assembly):
    """Selected experiments that have coordinates on an assembly, in the order of the sheet."""
    return [row.experiment for row in PROJECT.selected.values() if row.assembly == assembly and row.has_coordinates]


@cache
def experiments_with_signal(assembly):
    """Those of them that have a signal track."""
    return [name for name in experiments_on(assembly) if PROJECT.selected[name].signal]


def qc_files():
    """Files of quality control that the configuration asks for, beside the figures of each training."""
    assemblies = sorted({row.assembly for row in PROJECT.selected.values()})
    several = [assembly for assembly in assemblies if len(experiments_on(assembly)) > 1]
    files = (
        expand("results/qc/{split}/overlap.{assembly}.svg", split=SPLITS, assembly=several) if CONFIG.qc.overlap else []
    )
    if CONFIG.qc.signal:
        signals = {assembly: experiments_with_signal(assembly) for assembly in assemblies}
        several = [assembly for assembly, experiments in signals.items() if len(experiments) > 1]
        drawn = [experiment for experiments in signals.values() for experiment in experiments]
        files += expand("results/qc/{split}/{experiment}/signal_heatmap.png", split=SPLITS, experiment=drawn)
        files += expand("results/qc/{split}/signal_correlation.{assembly}.png", split=SPLITS, assembly=several)
    return files


def signal_labels(figure):
    """Labels of a figure of the signal, in the list of an experiment's figures."""
    return lambda wildcards: {
        "experiment": wildcards.experiment,
        "trained against": "(all)",
        "figure": figure,
        **of_split(wildcards),
    }


def assembly_labels(content):
    """Labels of a file that compares the experiments of an assembly."""
    return lambda wildcards: {"content": f"{content} on {wildcards.assembly}", **of_split(wildcards)}


def correlation_look(n):
    """Options for the size of a correlation heatmap of n experiments (cm), and whether numbers fit into its cells."""
    side = min(max(12, 0.7 * n), 80)
    return f"--plotHeight {side} --plotWidth {side + 4} {'--plotNumbers' if n <= 20 else ''}"


def collect_options(template, experiments, seeds, baselines, schemes=SCHEMES):
    """Options of `bindgram collect` that do not depend on what was computed already."""
    return " ".join(
        [
            option("--experiments", ",".join(experiments)),
            option("--models", ",".join(CONFIG.trained)),
            option("--baselines", ",".join(baselines)),
            option("--schemes", ",".join(schemes)),
            option("--seeds", ",".join(map(str, seeds))),
            option("--splits", ",".join(SPLITS)),
            option("--template", template),
            option("--floor", CONFIG.floor),
        ]
    )


COLLECTED = collect_options(METRICS, EXPERIMENTS, CONFIG.seeds, BASELINES)
# Options of `bindgram compare-models` that do not depend on what was computed already.
COMPARED = " ".join(
    [
        option("--experiments", ",".join(EXPERIMENTS)),
        option("--models", ",".join(CONFIG.models)),
        option("--schemes", ",".join(SCHEMES)),
        option("--splits", ",".join(SPLITS)),
        option("--template", PAIRS),
        option("--confidence", CONFIG.evaluation.confidence),
        option("--headline-test-set", CONFIG.headline.test_set),
        option("--headline-metric", CONFIG.headline.metric),
    ]
)

CORPORA = sorted({f"k{lm.vocabulary.k}s{lm.vocabulary.stride}" for lm in PROJECT.language_models.values()})

# Logs in the order of the rules: the report of an unfinished run quotes the last that exists.
LOG_TEMPLATES = [
    f"results/logs/prepare_motifs/{CONFIG.motifs.library}.log",
    "results/logs/fetch_genome/{assembly}.log",
    "results/logs/fetch_blacklist/{assembly}.log",
    "results/logs/fetch_repeats/{assembly}.log",
    "results/logs/index_genome/{assembly}.log",
    f"results/logs/tile_genome/{{assembly}}.w{CONFIG.positives.width}.log",
    *(f"results/logs/tokenize_genome/{{assembly}}.{{split}}.{name}.log" for name in CORPORA),
    *(f"results/logs/pretrain_language_model/{lm}/{{assembly}}.{{split}}.log" for lm in PROJECT.language_models),
    *(
        f"results/logs/fetch_peaks/{{experiment}}.{format}.log"
        for format in sorted({row.stored_format for row in PROJECT.selected.values()} - {"extracted"})
    ),
    "results/logs/extract_peaks/{experiment}.log",
    *(
        f"results/logs/fetch_held_out_sequences/{{experiment}}.{part}.{format}.log"
        for part in ("valid", "test")
        for format in SEQUENCE_FORMATS
    ),
    "results/logs/make_positives/{split}/{experiment}.log",
    "results/logs/pool_universe/{assembly}/{biosample}.log",
    *(
        f"results/logs/adapt_language_model/{lm}/{{assembly}}.{{split}}.{group}.log"
        for lm in PROJECT.language_models
        for group in ("experiment-{experiment}", "tf-{tf}", "family-{family}")
    ),
    "results/logs/make_negatives/{split}/{experiment}/{scheme}.log",
    "results/logs/make_battery/{split}/{experiment}.log",
    "results/logs/make_published_test_set/{split}/{experiment}.log",
    "results/logs/audit_examples/{split}/{experiment}.log",
    "results/logs/score_baselines/{split}/{experiment}/{scheme}.log",
    "results/logs/score_gapped_kmers/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    "results/logs/score_likelihood/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    "results/logs/finetune_classifier/{model}/{split}/{experiment}/{scheme}.log",
    "results/logs/predict_scores/{model}/{split}/{experiment}/{scheme}.log",
    "results/logs/interpret_model/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    "results/logs/evaluate_scores/{model}/{split}/{experiment}/{scheme}.log",
]

FILTER_TABLE_TEMPLATES = [
    "results/examples/{split}/{experiment}/positives.filter.tsv",
    *(f"results/examples/{{split}}/{{experiment}}/labelled/{scheme}.filter.tsv" for scheme in SCHEMES),
    "results/battery/{split}/{experiment}/battery.filter.tsv",
]
PUBLISHED_FILTER_TABLE = "results/battery/{split}/{experiment}/published.filter.tsv"
FILTER_TABLE_OPTIONS = options("--filter-template", [*FILTER_TABLE_TEMPLATES, PUBLISHED_FILTER_TABLE])
COST_TEMPLATES = [
    f"results/benchmarks/{rule}/{{model}}/{{split}}/{{experiment}}/{{scheme}}.tsv"
    for rule in ("finetune_classifier", "predict_scores")
] + ["results/benchmarks/score_baselines/{split}/{experiment}/{scheme}.tsv"]
# Options that name what the report is made of beside the metrics; it takes what is there.
REPORT_SOURCES = " ".join(
    [
        FILTER_TABLE_OPTIONS,
        option("--audit-template", AUDIT),
        option("--positives-template", POSITIVES),
        option("--panel-template", PANEL),
        option("--interpretation-template", INTERPRETATION),
        options("--benchmark-template", COST_TEMPLATES),
        *(f"--tiles {assembly} {path}" for assembly, path in report_tiles().items()),
        options("--tiled", tiled_in_report()),
        # Of targets that nobody need ask for: no inputs, so what is there when the page is written is shown.
        "--data-efficiency results/data_efficiency.tsv --permuted-control results/permuted_control.json",
    ]
)

# Of the selected rows: the report, which gives their digest, is written again when one of them changes, and nothing else.
SHEET_DIGEST = hashlib.sha256("".join(row.model_dump_json() for row in PROJECT.selected.values()).encode()).hexdigest()


def filter_tables():
    """Tables of counts per filter reason of all experiments."""
    published = [name for name in EXPERIMENTS if not PROJECT.selected[name].has_coordinates]
    return expand(FILTER_TABLE_TEMPLATES, split=SPLITS, experiment=EXPERIMENTS) + expand(
        PUBLISHED_FILTER_TABLE, split=SPLITS, experiment=published
    )
