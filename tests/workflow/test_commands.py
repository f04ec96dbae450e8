"""Rules against the command line: every command that a rule writes exists and gets the options it needs."""

import gzip
import itertools
import json
import re
import shlex

import pytest
import yaml

from bindgram.cli import COMMANDS
from bindgram.settings.sheets import slug

pytestmark = pytest.mark.workflow

OPTIONS = {command.name: {name: option for option in command.params for name in option.opts} for command in COMMANDS}


def planned_commands(project, *arguments):
    """Words of every `bindgram` command of a dry run."""
    result = project.snakemake("--dry-run", "--printshellcmds", *arguments)
    assert result.returncode == 0, result.stdout
    text = "\n".join(re.findall(r"^Shell command: (.*)$", result.stdout, flags=re.MULTILINE))
    commands = re.findall(r"bindgram (.*?)(?: && |\)? > results/logs)", text)
    assert len(commands) == text.count("bindgram ")
    return [shlex.split(command) for command in commands]


@pytest.fixture
def every_kind_of_job(fresh_project):
    """The tiny project with adapted models, all that a sheet may name, several schemes and a universe."""
    root = fresh_project.root
    for name in ("signal.bw", "genes.gtf"):
        (root / f"data/{name}").write_bytes(b"")
    for name in ("published", "published_test"):
        with gzip.open(root / f"data/{name}.seq.gz", "wt") as handle:
            handle.write("FoldID\tEventID\tseq\tBound\n")
    for name in ("train.csv", "dev.csv", "test.csv", "clusters.bed", "old.chain"):
        (root / "data" / name).touch()
    for name in ("blacklist", "repeats"):
        (root / f"data/{name}.bed").write_text("chrA\t0\t100\n")
    (root / "config/assemblies.tsv").write_text(
        "assembly\tfasta\tchrom_sizes\tblacklist\trepeats\tgenes\n"
        "toy\tdata/genome.fa\tdata/chrom.sizes\tdata/blacklist.bed\tdata/repeats.bed\tdata/genes.gtf\n"
    )
    (root / "config/experiments.tsv").write_text(
        "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\tvalid_sequences\ttest_sequences\tpeak_name\t"
        "lift_from\tchain\tsignal\taccessibility\tfamily\n"
        "planted\tPLANTED\tK562's (old) batch\ttoy\tnarrowPeak\tdata/planted.narrowPeak\t\t\t\t\t\t"
        "data/signal.bw\tdata/few.narrowPeak\tEts; AT hook\n"
        "control\tPLANTED\tcells\ttoy\tnarrowPeak\tdata/control.narrowPeak\t\t\t\t\t\t"
        "data/signal.bw\tdata/few.narrowPeak\tEts\n"
        "published\tPLANTED\tcells\ttoy\tdeepbind\tdata/published.seq.gz\t\tdata/published_test.seq.gz\t\t\t\t\t\tEts\n"
        "gue\tPLANTED\tcells\ttoy\tgue\tdata/train.csv\tdata/dev.csv\tdata/test.csv\t\t\t\t\t\tEts\n"
        "pooled\tPLANTED\tcells\ttoy\tencode_clusters\tdata/clusters.bed\t\t\t\t\t\t\t\tAT hook\n"
        "lifted\tPLANTED\tcells\ttoy\tencode_clusters\tdata/clusters.bed\t\t\tit's one\ttoy 1\tdata/old.chain\t\t\t\n"
    )
    lm = yaml.safe_load((root / "config/lms/tiny.yaml").read_text())
    (root / "config/lms/tiny.yaml").write_text(yaml.safe_dump(lm | {"adapt": lm["pretrain"]}))
    model = yaml.safe_load((root / "config/models/tiny_lstm.yaml").read_text())
    for group in ("experiment", "tf", "family"):
        (root / f"config/models/by_{group}.yaml").write_text(yaml.safe_dump(model | {"adapt": group}))
    (root / "config/lms/back.yaml").write_text(yaml.safe_dump(lm | {"adapt": lm["pretrain"], "direction": "backward"}))
    pair = {"adapt": "experiment", "backward": "back"}
    (root / "config/models/by_pair.yaml").write_text(yaml.safe_dump(model | pair))
    (root / "config/models/random_pair.yaml").write_text(yaml.safe_dump(model | {"backward": "back", "pretrained": "none"}))
    (root / "config/universe.txt").write_text("planted\npublished\n")
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    config |= {"models": [*config["models"], "by_experiment", "by_tf", "by_family", "by_pair", "random_pair"], "universe": "config/universe.txt"}
    config["negatives"]["mixtures"] = {"mixed": {"neighbour": 0.5, "accessible_unbound": 0.5}}
    config["negatives"]["schemes"] = ["genomic_matched", "dinucleotide_shuffle", "mixed", "published"]
    config["battery"]["test_sets"]["T3"] = {"scheme": "other_peaks", "ratio": 1.0}
    config["corpus"]["mask"] = "config/masked.txt"
    (root / "config/masked.txt").write_text("published\ngue\n")
    config["positives"]["strongest"] = 100
    config["battery"]["max_positives"] = 50
    (root / "config/config.yaml").write_text(yaml.safe_dump(config))
    return fresh_project


def test_every_planned_command_has_known_and_all_required_options(every_kind_of_job):
    commands = [*planned_commands(every_kind_of_job), *planned_commands(every_kind_of_job, "report_available")]
    commands += planned_commands(every_kind_of_job, "store_all", "tiled", "find_rates", "publish")
    commands += planned_commands(every_kind_of_job, "data_efficiency", "permuted_control")
    for name, *words in commands:
        given = {word for word in words if word.startswith("--")}
        assert given <= set(OPTIONS[name]), name
        required = {option for option, parameter in OPTIONS[name].items() if parameter.required}
        assert required <= given, name
    assert {name for name, *_ in commands} == set(OPTIONS) - {"check", "compare", "export", "folds", "predict", "verify"}


def planned_pretraining(project, **pretraining):
    """Words that start the pretraining in a dry run, up to its options; its threads; and the resources it asks for."""
    result = project.snakemake(
        *("--dry-run", "--printshellcmds", "--set-threads", "pretrain_language_model=16", "--cores", "16"),
        *("results/lm/tiny/toy.blocks/config.json", "--config", f"pretraining={json.dumps(pretraining)}"),
    )
    assert result.returncode == 0, result.stdout
    job = result.stdout.partition("rule pretrain_language_model:")[2]
    start, given = re.search(r"^Shell command: exec (.*?) --language-model (.*)", job, flags=re.MULTILINE).groups()
    resources = dict(item.split("=") for item in re.search(r"resources: (.*)", job)[1].split(", "))
    return start, re.search(r"--threads (\d+)", given)[1], resources


def test_pretraining_is_started_once_for_each_gpu(fresh_project):
    with_gpus = (fresh_project.root / "config/config.yaml").read_text().replace("device: cpu", "device: cuda")
    (fresh_project.root / "config/config.yaml").write_text(with_gpus)
    start, threads, asked = planned_pretraining(fresh_project, gpus_per_node=1)
    assert (start, threads, asked["gpu"], asked["mem_mb"]) == ("bindgram pretrain", "16", "1", "16000")
    assert not {"nodes", "tasks", "mpi", "gres", "cpus_per_task"} & set(asked)
    start, threads, asked = planned_pretraining(fresh_project, gpus_per_node=4)
    assert re.fullmatch(r"torchrun --standalone --nproc-per-node 4 .* --no-python bindgram pretrain", start)
    assert (threads, asked["gpu"], asked["nodes"], asked["mem_mb"]) == ("4", "4", "1", "64000")
    assert not {"tasks", "mpi", "gres"} & set(asked)
    start, threads, asked = planned_pretraining(fresh_project, nodes=2, gpus_per_node=4)
    assert re.match(r'srun --jobid "\$\{SLURM_JOB_ID:\?.*\}" --nodes 2 --ntasks 8 --ntasks-per-node 4 ', start)
    assert start.endswith("--cpus-per-task 4 --kill-on-bad-exit=1 bindgram pretrain")
    wanted = {"nodes": "2", "tasks": "8", "tasks_per_gpu": "0", "gres": "gpu:4", "mpi": "srun"}
    assert asked.items() >= (wanted | {"cpus_per_task": "4", "mem_mb": "64000"}).items()


def test_gpus_that_cannot_share_the_batch_are_refused_before_anything_runs(fresh_project):
    result = fresh_project.snakemake("--dry-run", "--config", "pretraining={gpus_per_node: 3}")
    assert result.returncode != 0
    assert (
        "config/lms/tiny.yaml: pretrain.batch_size: must be a multiple of 6 (3 GPUs; reverse_complement, half on each "
        "strand), such as 12 or 18 (got 16); or change `pretraining` in the configuration"
    ) in result.stdout


def test_tiles_are_made_of_all_that_the_sheet_gives(every_kind_of_job):
    commands = planned_commands(every_kind_of_job, "results/tiles/toy.w60.h5")
    tile = next(words for words in commands if words[0] == "tile")
    given = dict(zip(tile[1::2], tile[2::2], strict=True))
    folder = "resources/assemblies/toy"
    for name in ("blacklist", "repeats"):
        assert given[f"--{name}"] == f"{folder}/{name}.bed"
        assert given[f"--{name}-record"] == f"{folder}/{name}.json"
    assert given["--genome-record"] == f"{folder}/genome.json"


def test_a_store_has_the_experiments_with_coordinates_and_the_bins_of_the_configuration(every_kind_of_job):
    commands = planned_commands(every_kind_of_job, "store_all")
    store = next(words for words in commands if words[0] == "store")
    given = dict(zip(store[1::2], store[2::2], strict=True))
    assert given["--experiments"] == "planted,control,pooled,lifted"  # published sets have no coordinates
    assert given["--peaks-template"] == "resources/peaks/{experiment}.{format}.gz"
    assert given["--output"] == "results/store/toy.blocks.b200w1000.h5"
    assert {words[0] for words in commands} == {"fetch", "extract", "index", "store"}


def test_filters_reach_the_command_in_order_and_repeats_come_by_tiles(every_kind_of_job):
    root = every_kind_of_job.root
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    config["positives"]["filters"] = [{"chromosomes": ["chrA"]}, {"soft_masked": 0.5}, {"peak_width": [1, 9]}, "split"]
    (root / "config/config.yaml").write_text(yaml.safe_dump(config))
    commands = planned_commands(every_kind_of_job)
    made = {words[words.index("--experiment") + 1]: words for words in commands if words[0] == "positives"}
    for words in made.values():
        given = [value for option, value in itertools.pairwise(words) if option == "--filter"]
        assert given == ["chromosomes=chrA", "soft_masked=0.5", "peak_width=1,9", "split"]
    assert made["planted"][made["planted"].index("--tiles") + 1] == "results/tiles/toy.w60.h5"
    assert "--tiles" not in made["published"]
    assert any(words[0] == "tile" for words in commands)


def test_published_set_needs_no_genome_and_tests_on_its_own_sequences(every_kind_of_job):
    jobs = every_kind_of_job.planned_jobs()
    assert ("make_published_test_set", "published", "blocks") in jobs
    assert ("make_published_test_set", "planted", "blocks") not in jobs
    assert ("fetch_held_out_sequences", "published", "deepbind", "test") in jobs
    assert {job for job in jobs if job[0] == "fetch_held_out_sequences" and job[1] == "gue"} == {
        ("fetch_held_out_sequences", "gue", "gue", part) for part in ("valid", "test")
    }
    for words in planned_commands(every_kind_of_job):
        if words[0] in ("positives", "negatives", "battery"):
            experiment = words[words.index("--experiment") + 1]
            if experiment == "published":
                assert "--genome" not in words


def test_corpora_are_made_without_the_test_sequences_of_the_frozen_list(every_kind_of_job):
    corpus = "results/corpus/toy.blocks.k3s1.h5"
    root = every_kind_of_job.root

    def tokenized():
        words = next(words for words in planned_commands(every_kind_of_job, corpus) if words[0] == "tokenize")
        at = [place for place, word in enumerate(words) if word == "--mask"]
        return [words[place + 1 : place + 5] for place in at]

    names = {"gue": "gue", "published": "deepbind"}
    assert tokenized() == [
        [name, kind, f"resources/peaks/{name}.test.{kind}.gz", f"resources/peaks/{name}.test.{kind}.json"]
        for name, kind in names.items()
    ]
    jobs = every_kind_of_job.planned_jobs(corpus)
    assert {job[1:] for job in jobs if job[0] == "fetch_held_out_sequences"} == {
        (name, kind, "test") for name, kind in names.items()
    }
    (root / "config/masked.txt").write_text("gue\n")
    assert [mask[0] for mask in tokenized()] == ["gue"]
    assert "are not masked" in every_kind_of_job.snakemake("--dry-run", corpus).stdout


def test_source_of_many_experiments_is_fetched_once_and_each_takes_its_peaks(every_kind_of_job):
    commands = planned_commands(every_kind_of_job)
    fetched = [words for words in commands if words[0] == "fetch" and "resources/sources/" in " ".join(words)]
    assert sorted(words[words.index("--kind") + 1] for words in fetched) == ["chain", "encode_clusters", "peaks"]
    extracted = {}
    for words in commands:
        if words[0] == "extract":
            given = dict(zip(words[1::2], words[2::2], strict=True))
            extracted[given["--experiment"]] = given
    assert extracted["pooled"]["--source"] == extracted["lifted"]["--source"]
    assert "--chain" not in extracted["pooled"]
    assert extracted["lifted"]["--peak-name"] == "it's one"
    assert extracted["lifted"]["--lift-from"] == "toy 1"
    assert extracted["lifted"]["--chain"].endswith(".chain")
    for words in commands:
        if words[0] in ("positives", "negatives", "battery") and "lifted" in words and "--peaks" in words:
            assert words[words.index("--peaks") + 1] == "resources/peaks/lifted.extracted.gz"
            assert words[words.index("--format") + 1] == "extracted"


def test_models_start_from_the_adapted_language_model_they_ask_for(every_kind_of_job):
    starts = {}
    for words in planned_commands(every_kind_of_job):
        if words[0] == "finetune" and "planted/labelled/genomic_matched" in words[words.index("--labelled") + 1]:
            model = words[words.index("--model") + 1].split("/")[-1].removesuffix(".yaml")
            starts[model] = words[words.index("--pretrained") + 1] if "--pretrained" in words else None
    assert starts == {
        "tiny_lstm": "results/lm/tiny/toy.blocks",
        "by_experiment": "results/lm/tiny/toy.blocks.experiment-planted",
        "by_tf": "results/lm/tiny/toy.blocks.tf-PLANTED",
        "by_family": f"results/lm/tiny/toy.blocks.family-{slug('AT hook;Ets')}",
        "by_pair": "results/lm/tiny/toy.blocks.experiment-planted",
        "random_pair": None,
        "tiny_cnn": None,
    }


def test_a_pair_gets_two_language_models_pretrained_and_adapted_alike(every_kind_of_job):
    target = "results/models/{}/blocks/planted/genomic_matched/s1/config.json"
    commands = planned_commands(every_kind_of_job, *(target.format(name) for name in ("by_pair", "random_pair")))
    given = {}
    for name, *words in commands:
        if name in ("pretrain", "adapt"):
            given[name] = {*given.get(name, ()), words[words.index("--output") + 1]}
        elif name == "finetune":
            model = words[words.index("--model") + 1].split("/")[-1]
            named = ("--language-model", "--backward-language-model", "--pretrained", "--backward-pretrained")
            given[model] = [words[words.index(option) + 1] if option in words else None for option in named]
    adapted = [f"results/lm/{lm}/toy.blocks.experiment-planted" for lm in ("tiny", "back")]
    assert given == {
        "pretrain": {f"results/lm/{lm}/toy.blocks" for lm in ("tiny", "back")},
        "adapt": set(adapted),
        "by_pair.yaml": ["config/lms/tiny.yaml", "config/lms/back.yaml", *adapted],
        "random_pair.yaml": ["config/lms/tiny.yaml", "config/lms/back.yaml", None, None],
    }


def test_adaptation_by_tf_or_family_pools_the_universe_and_not_the_sheet(every_kind_of_job):
    (every_kind_of_job.root / "config/universe.txt").write_text("planted\npooled\npublished\n")
    pools = {
        "tf-PLANTED": ["planted", "pooled"],
        "family-Ets": ["planted"],  # which has two families
        f"family-{slug('AT hook')}": ["planted", "pooled"],
        f"family-{slug('AT hook;Ets')}": ["planted", "pooled"],
        "experiment-published": ["published"],  # a pool might hold what it tests on
    }
    targets = [f"results/lm/tiny/toy.blocks.{group}/config.json" for group in pools]
    found = {}
    for words in planned_commands(every_kind_of_job, *targets):
        if words[0] == "adapt":
            group = words[words.index("--output") + 1].partition("blocks.")[2]
            found[group] = [word.split("/")[3] for word in words if word.endswith("positives.parquet")]
    assert found == pools


def test_figures_get_the_peaks_as_called_and_the_genes_where_there_are_coordinates(every_kind_of_job):
    found = {}
    for words in planned_commands(every_kind_of_job):
        if words[0] == "plot":
            found[words[words.index("--experiment") + 1]] = words
    placed, published = found["planted"], found["published"]
    start = placed.index("--peaks") + 1
    assert placed[start : start + 2] == ["narrowPeak", "resources/peaks/planted.narrowPeak.gz"]
    assert placed[placed.index("--tss") + 1] == "resources/assemblies/toy/tss.bed"
    assert not {"--peaks", "--tss"} & set(published)
    assert ("fetch_genes", "toy") in every_kind_of_job.planned_jobs()


@pytest.mark.parametrize(("key", "rules"), [("overlap", {"measure_overlap"}), ("signal", {"plot_signal", "correlate_signal"})])
def test_quality_control_that_is_switched_off_is_not_planned(every_kind_of_job, key, rules):
    planned = {rule for rule, *_ in every_kind_of_job.planned_jobs()}
    both = {"overlap": True, "signal": True} | {key: False}
    if key == "overlap":
        both["signal"] = False  # the correlation of signals is over regions that the overlap brings
    text = ", ".join(f"{name}: {str(value).lower()}" for name, value in both.items())
    without = {rule for rule, *_ in every_kind_of_job.planned_jobs("--config", f"qc={{{text}}}")}
    assert rules <= planned
    assert not rules & without


def test_variants_of_training_data_pass_through_the_rules_of_schemes(fresh_project):
    jobs = fresh_project.planned_jobs("data_efficiency", "permuted_control")
    names = {f"genomic_matched-{variant}" for variant in ("n250", "n500", "n1000", "n5000", "permuted")}
    made = {f"{parent}-{variant}" for rule, _, parent, _, variant in (job for job in jobs if job[0] == "make_variant")}
    assert made == names
    schemes = {job[3] for job in jobs if job[0] == "finetune_classifier"}
    assert schemes == names | {"genomic_matched"}
    assert {job[2] for job in jobs if job[0] == "make_negatives"} == {"genomic_matched"}
    assert not {job[0] for job in jobs} & {"score_likelihood", "plot_experiment", "compare_pairs"}
