"""A project: everything a configuration names is read and checked together."""

import shutil

import pytest
import yaml

from bindgram.errors import InputError
from bindgram.settings import load_project
from bindgram.settings.config import Selection, merge
from bindgram.settings.selection import select


@pytest.fixture
def root(tmp_path, repository):
    """The demo's configuration, to be spoilt."""
    shutil.copytree(repository / "config", tmp_path / "config")
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources/demo").symlink_to(repository / "resources/demo")
    return tmp_path


@pytest.fixture
def demo(config, repository):
    return merge(config, yaml.safe_load((repository / "config/demo.yaml").read_text()))


def problems(config, root):
    with pytest.raises(InputError) as caught:
        load_project(config, root)
    return str(caught.value)


def test_names_in_select_that_the_sheet_does_not_have_are_named(demo, root):
    demo["select"] |= {"tfs": ["CTCF", "TYPO"], "biosamples": ["nowhere"]}
    text = problems(demo, root)
    assert "select.tfs: not in config/demo_experiments.tsv: TYPO" in text
    assert "select.biosamples: not in config/demo_experiments.tsv: nowhere" in text


def test_project_holds_selected_rows_models_and_their_language_models(demo, root):
    project = load_project(demo, root)
    assert sorted(row.tf for row in project.selected.values()) == ["CEBPB", "CTCF", "SPI1", "USF1"]
    assert len(project.experiments) == 12
    assert list(project.models) == ["awd_lstm_demo", "awd_lstm_demo_scratch", "cnn_demo"]
    assert set(project.language_models) == {"awd_lstm_demo"}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({}, 12),
        ({"tfs": ["REST", "CTCF"]}, 2),
        ({"tfs": ["REST", "CTCF"], "first": 1}, 1),
        ({"experiments": ["MAX_clusters"], "tfs": ["REST"]}, 0),
        ({"biosamples": ["pooled_cell_types"], "first": 3}, 3),
    ],
)
def test_selection_narrows_list_by_list_then_takes_the_first(demo, root, selection, expected):
    experiments = load_project(demo, root).experiments
    nothing = {"experiments": [], "list": None, "tfs": [], "biosamples": [], "tiers": [], "first": None}
    chosen = select(experiments, Selection(**(nothing | selection)), None)
    assert len(chosen) == expected
    assert list(chosen) == [name for name in experiments if name in chosen]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            {"select": {"tfs": ["REST"], "experiments": ["MAX_clusters"]}},
            "select: no row of",
        ),
        ({"floor": "kmer9_lr"}, "floor: 'kmer9_lr' is not a baseline"),
        ({"headline": {"test_set": "T7"}}, "headline.test_set: 'T7' is not in battery.test_sets"),
        ({"tiled": {"twin": "T7"}}, "tiled.twin: 'T7' is not in battery.test_sets"),
        ({"models": ["nothing"]}, "config/models/nothing.yaml: no such file"),
        ({"split": "nothing"}, "config/splits/nothing.yaml: no such file"),
        ({"split": "fold_0"}, "'hg38_chr22' is missing; the file has hg19, hg38"),
        ({"assemblies": "config/nothing.tsv"}, "config/nothing.tsv: no such file"),
        ({"assemblies": "config/assemblies.tsv"}, "'hg38_chr22' is not in config/assemblies.tsv, which has"),
        ({"universe": "config/nothing.txt"}, "universe lists one experiment id per line"),
        (
            {"baselines": {"awd_lstm_demo": {"kind": "kmer", "k": 1, "inverse_regularisation": 1.0}}},
            "'awd_lstm_demo' is also the name of a model",
        ),
    ],
)
def test_reference_to_nothing_is_named(demo, root, override, message):
    assert message in problems(merge(demo, override), root)


def test_hold_out_that_names_nothing_or_everything_is_named(demo, root):
    path = root / "config/splits/chr22_blocks.yaml"
    text = path.read_text()
    path.write_text(text + "hold_out: {test: {tfs: [CTFC]}, valid: {families: [Ets]}}\n")
    message = problems(demo, root)
    assert (
        "chr22_blocks.yaml: hold_out.test.tfs: not in config/demo_experiments.tsv: CTFC (did you mean 'CTCF'?)"
        in message
    )
    assert "hold_out.valid.families: config/demo_experiments.tsv has no column family" in message
    path.write_text(text + "hold_out: {test: {biosamples: [pooled_cell_types]}}\n")
    assert "all selected experiments are held out, none is left to train" in problems(demo, root)


@pytest.mark.parametrize(
    ("negatives", "message"),
    [
        ({"schemes": ["neighbor"]}, "negatives.schemes: 'neighbor' is neither a scheme nor a mixture"),
        ({"schemes": ["neighbor"]}, "(did you mean 'neighbour'?)"),
        ({"schemes": ["half"], "mixtures": {"haff": {"neighbour": 1.0}}}, "other_peaks, accessible_unbound, haff"),
        ({"mixtures": {"half": {"neighbour": 0.5, "other_peaks": 0.4}}}, "half: the shares sum up to 0.9; make it 1"),
        ({"mixtures": {"neighbour": {"neighbour": 1.0}}}, "'neighbour' is the name of a scheme; rename the mixture"),
        ({"mixtures": {"half": {"half": 1.0}}}, "negatives.mixtures.half.half"),
        ({"minimum_fraction": 1.5}, "negatives.minimum_fraction"),
    ],
)
def test_scheme_or_mixture_that_is_none_is_named(demo, root, negatives, message):
    assert message in problems(merge(demo, {"negatives": negatives}), root)


def test_test_set_by_an_unknown_scheme_is_named(demo, root):
    changed = merge(demo, {"battery": {"test_sets": {"T5": {"scheme": "other_peak", "ratio": 1.0}}}})
    assert "battery.test_sets.T5.scheme: 'other_peak' is neither" in problems(changed, root)


def test_universe_of_another_sheet_says_what_to_do(demo, root):
    message = problems(merge(demo, {"universe": "config/universes/human.txt"}), root)
    assert (
        "universe: config/universes/human.txt lists nothing that is in config/demo_experiments.tsv: AHR_HepG2"
        in message
    )
    assert ", ... (993 ids); name a list of this sheet" in message
    assert "or set universe: null, which leaves other_peaks and its test sets out" in message


def test_peaks_of_others_are_those_of_the_list_in_biosamples_of_the_selected_rows(demo, root):
    sheet = root / "config/demo_experiments.tsv"
    sheet.write_text(sheet.read_text().replace("YY1\tpooled_cell_types", "YY1\tliver"))
    others = load_project(demo, root).others
    assert len(others) == 11  # of twelve, four of them selected
    assert "YY1_clusters" not in others
    (root / "config/universes/demo.txt").write_text("MAX_clusters\nCTCF_clusters\nYY1_clusters\n")
    assert list(load_project(demo, root).others) == ["CTCF_clusters", "MAX_clusters"]
    only_shuffles = {"test_sets": {"T3": {"scheme": "dinucleotide_shuffle"}}}
    assert load_project(merge(demo, {"battery": only_shuffles}), root).others == {}


def test_missing_file_of_an_experiment_that_others_draw_from_is_named(demo, root):
    sheet = root / "config/demo_experiments.tsv"
    sheet.write_text(sheet.read_text().replace("peaks/YY1.bed.gz", "peaks/YY2.bed.gz"))
    assert "experiment YY1_clusters: peaks: no such file" in problems(demo, root)
    load_project(merge(demo, {"universe": None}), root)


def test_missing_peak_file_is_named_with_its_experiment(demo, root):
    sheet = root / "config/demo_experiments.tsv"
    sheet.write_text(sheet.read_text().replace("peaks/CTCF.bed.gz", "peaks/CTFC.bed.gz"))
    message = problems(demo, root)
    assert "experiment CTCF_clusters: peaks: no such file: resources/demo/peaks/CTFC.bed.gz" in message


def test_dropout_rates_are_those_of_the_language_model_that_the_model_names(demo, root):
    path = root / "config/models/awd_lstm_demo.yaml"
    model = yaml.safe_load(path.read_text())
    model["finetune"]["dropout"]["weight"] = None
    path.write_text(yaml.safe_dump(model))
    message = problems(demo, root)
    assert "config/models/awd_lstm_demo.yaml: finetune.dropout: awd_lstm needs a rate for weight; 0.0 = no" in message


def test_adaptation_needs_a_stage_and_a_universe(demo, root):
    path = root / "config/models/awd_lstm_demo.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"adapt": "tf"}))
    message = problems(merge(demo, {"universe": None}), root)
    assert "adapt: config/lms/awd_lstm_demo.yaml has no adapt stage" in message
    assert "universe: required by a model with adapt: tf" in message


def test_pools_of_families_need_families_and_something_to_pool(demo, root):
    path = root / "config/models/awd_lstm_demo.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"adapt": "family"}))
    lm = root / "config/lms/awd_lstm_demo.yaml"
    stages = yaml.safe_load(lm.read_text())
    lm.write_text(yaml.safe_dump(stages | {"adapt": stages["pretrain"]}))
    assert "adapt: family: config/demo_experiments.tsv has no column family, or nothing in it" in problems(demo, root)
    sheet = root / "config/demo_experiments.tsv"
    header, *rows = sheet.read_text().splitlines()
    sheet.write_text("\n".join([f"{header}\tfamily", *(f"{row}\tA; B" for row in rows)]) + "\n")
    project = load_project(demo, root)
    assert {row.families for row in project.experiments.values()} == {("A", "B")}
    (root / "config/universes/demo.txt").write_text("MAX_clusters\n")
    sheet.write_text(sheet.read_text().replace("A; B", "C", 1))
    assert "config/universes/demo.txt has nothing to pool for CEBPB_clusters; add" in problems(demo, root)


def test_a_bundle_that_is_not_there_is_a_problem_of_the_configuration(demo, root):
    path = root / "config/models/awd_lstm_demo.yaml"
    lm = yaml.safe_load((root / "config/lms/awd_lstm_demo.yaml").read_text())
    own = {"pretrained": "my/bundle", "encoder": lm["encoder"], "vocabulary": lm["vocabulary"]}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | own))
    assert "awd_lstm_demo.yaml: pretrained: no bundle in my/bundle (config.json is missing)" in problems(demo, root)
    (root / "my/bundle").mkdir(parents=True)
    (root / "my/bundle/config.json").touch()
    load_project(demo, root)


def test_problems_of_all_files_come_at_once(demo, root):
    sheet = root / "config/demo_experiments.tsv"
    sheet.write_text(sheet.read_text().replace("\tbed\t", "\tbde\t", 1))
    message = problems(merge(demo, {"floor": "none", "split": "nothing"}), root)
    assert "3 problem(s)" in message
    assert "config/demo_experiments.tsv:2: format" in message


# A large sheet with ten wrong rows

COLUMNS = (
    "experiment",
    "tf",
    "biosample",
    "assembly",
    "format",
    "peaks",
    "peaks_checksum",
    "test_sequences",
    "signal",
    "tier",
)


def sheet_of_500(root, mistakes):
    """Write 500 rows, those in `mistakes` (line number to changed cells) wrong; returns the configuration key."""
    (root / "peaks").mkdir()
    lines = ["\t".join(COLUMNS)]
    for number in range(2, 502):
        cells = dict.fromkeys(COLUMNS, "") | {
            "experiment": f"TF{number}_cells",
            "tf": f"TF{number}",
            "biosample": "cells",
            "assembly": "hg38_chr22",
            "format": "narrowPeak",
            "peaks": f"peaks/{number}.bed",
            "peaks_checksum": "md5:" + "0" * 32,
            "tier": "1",
        }
        (root / cells["peaks"]).touch()
        cells |= mistakes.get(number, {})
        lines.append("\t".join(text for text in cells.values() if text is not None))
    (root / "config/mine.tsv").write_text("\n".join(lines) + "\n")
    return {"experiments": "config/mine.tsv", "universe": None, "select": {"tfs": [], "tiers": [1]}}


def test_ten_wrong_rows_among_500_are_named_at_once(demo, root):
    mistakes = {
        10: {"experiment": "TF10 cells"},
        50: {"experiment": "TF49_cells"},
        90: {"assembly": "hg38_chr2"},
        130: {"format": "narowPeak"},
        170: {"peaks": "peaks/nothing.bed"},
        210: {"peaks_checksum": "md5:123"},
        250: {"tier": None},
        290: {"format": "deepbind"},
        330: {"peaks": "s3://bucket/330.bed"},
        370: {"signal": "signal/370.bw"},
    }
    message = problems(merge(demo, sheet_of_500(root, mistakes)), root)
    lines = [line.split("config/mine.tsv:")[1] for line in message.splitlines()[1:]]
    assert lines == [
        "10: experiment: an id has letters A-Z a-z, digits, _ and - only, no spaces or other signs (got 'TF10 cells')",
        "50: experiment 'TF49_cells' repeats line 49; ids are unique, rename one",
        "90: assembly: 'hg38_chr2' is not in config/demo_assemblies.tsv, which has hg38_chr22 "
        "(did you mean 'hg38_chr22'?); correct it, or add the assembly there",
        "130: format: Input should be 'narrowPeak', 'broadPeak', 'bed', 'bigBed', 'encode_clusters', 'remap', "
        "'deepbind' or 'gue' (got 'narowPeak') (did you mean 'narrowPeak'?)",
        "170: experiment TF170_cells: peaks: no such file: peaks/nothing.bed; give a path from the working directory "
        "or a URL, put the file back, or leave the row out with select",
        "210: peaks_checksum: a checksum is md5: and 32 hex digits, or sha256: and 64 hex digits (got 'md5:123')",
        "250: 9 cells where the header has 10; separate them by tabs, one tab for each empty cell too",
        "290: test_sequences: required for format deepbind (format is 'deepbind')",
        "330: peaks: 's3://bucket/330.bed' cannot be fetched; use http://, https://, ftp:// or a local path",
        "370: experiment TF370_cells: signal: no such file: signal/370.bw; give a path from the working directory or "
        "a URL, put the file back, or leave the row out with select",
    ]
    assert message.splitlines()[0] == "configuration: 10 problem(s)"


def test_a_hundred_mistakes_are_enough_for_one_message(demo, root):
    wrong = {number: {"assembly": "hg19"} for number in range(2, 502)}
    lines = problems(merge(demo, sheet_of_500(root, wrong)), root).splitlines()
    assert (lines[0], lines[-1]) == ("configuration: 500 problem(s)", "  ... and 400 more")
    assert len(lines) == 102


def test_all_mistakes_of_one_row_are_named(demo, root):
    row = {"experiment": "a b", "assembly": "hg19", "format": "gff", "peaks": "peaks/none.bed", "tier": "one"}
    message = problems(merge(demo, sheet_of_500(root, {7: row})), root)
    assert message.splitlines()[0] == "configuration: 5 problem(s)"
    assert message.count("config/mine.tsv:7: ") == 5


def test_file_that_has_gone_since_the_run_was_planned_is_no_matter_of_the_other_jobs(demo, root):
    changed = merge(demo, sheet_of_500(root, {7: {"peaks": "peaks/none.bed"}}))
    assert len(load_project(changed, root, check_files=False).selected) == 500


def test_row_with_a_mistake_is_not_called_unknown_as_well(demo, root):
    changed = merge(demo, sheet_of_500(root, {7: {"format": "gff"}}))
    message = problems(merge(changed, {"select": {"experiments": ["TF7_cells"], "tiers": []}}), root)
    assert message.splitlines()[0] == "configuration: 1 problem(s)"
    assert "mine.tsv:7: format" in message


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        (
            "models",
            ["cnn_dmeo"],
            "cnn_dmeo.yaml: no such file; check the name that refers to it (did you mean 'cnn_demo'?)",
        ),
        ("split", "fold_7", "(did you mean 'fold_"),
        ("floor", "kmer3_lf", "(did you mean 'kmer3_lr'?)"),
        ("select", {"tfs": ["ctcff"]}, "ctcff (did you mean 'CTCF'?)"),
    ],
)
def test_close_name_is_offered(demo, root, key, name, message):
    assert message in problems(merge(demo, {key: name}), root)


def test_several_splits_are_read_and_checked_each(demo, root):
    text = (root / "config/splits/chr22_blocks.yaml").read_text()
    (root / "config/splits/other.yaml").write_text(text + "hold_out: {test: {tfs: [CTCF]}}\n")
    project = load_project(merge(demo, {"split": ["chr22_blocks", "other"]}), root)
    assert list(project.splits) == ["chr22_blocks", "other"]
    assert set(project.trained("chr22_blocks")) - set(project.trained("other")) == {"CTCF_clusters"}
    assert project.why_held_out("CTCF_clusters", "other") == "held out: TF CTCF is in test"
    message = problems(merge(demo, {"split": ["chr22_blocks", "othre", "fold_0"]}), root)
    assert "othre.yaml: no such file; check the name that refers to it (did you mean 'other'?)" in message
    assert "'hg38_chr22' is missing; the file has hg19, hg38" in message
    assert "split: other given twice; keep one" in problems(merge(demo, {"split": ["other", "other"]}), root)


PUBLISHED = "PUB_{0}\tCTCF\tcells\tchr22\tdeepbind\tresources/demo/README.md\tresources/demo/README.md\n"


@pytest.fixture
def published(demo, root):
    """A sheet with peaks and two published sets, all selected."""
    header = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\ttest_sequences\n"
    assembly = next(iter(load_project(demo, root).assemblies))
    peaks = f"CTCF_peaks\tCTCF\tcells\t{assembly}\tbed\tresources/demo/README.md\t\n"
    rows = "".join(PUBLISHED.format(number) for number in (1, 2)).replace("chr22", assembly)
    (root / "config/mine.tsv").write_text(header + peaks + rows)
    return merge(demo, {"experiments": "config/mine.tsv", "universe": None, "select": {"tfs": [], "tiers": []}})


def masking(config, root, *ids):
    (root / "config/masked.txt").write_text("".join(f"{name}\n" for name in ids))
    return merge(config, {"corpus": {"mask": "config/masked.txt"}})


def test_masked_sets_come_from_a_frozen_list_and_those_left_out_are_named(published, root):
    assert load_project(published, root).masked == ()
    assert "of 2 selected set(s) (PUB_1, PUB_2) are not masked" in load_project(published, root).mask_notice()
    project = load_project(masking(published, root, "PUB_2"), root)
    assert project.masked == ("PUB_2",)
    assert "of 1 selected set(s) (PUB_1)" in project.mask_notice()
    both = masking(published, root, "PUB_2", "PUB_1")
    assert load_project(both, root).masked == ("PUB_1", "PUB_2")
    assert load_project(both, root).mask_notice() == ""
    unpretrained = merge(published, {"models": ["cnn_demo"]})
    assert load_project(unpretrained, root).mask_notice() == ""


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["PUB_1", "PUB_3"], "corpus.mask: config/masked.txt: not in config/mine.tsv: PUB_3 (did you mean 'PUB_"),
        (["CTCF_peaks"], "CTCF_peaks: no published sequence set, its test regions are in no corpus; take it out"),
        ([], "no experiment in it; write one id per line"),
    ],
)
def test_a_mask_that_would_mask_nothing_is_refused(published, root, ids, message):
    assert message in problems(masking(published, root, *ids), root)
