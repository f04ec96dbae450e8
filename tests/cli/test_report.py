import json

import pysam
import pytest
import yaml
from click.testing import CliRunner

from bindgram.cli.report import report
from bindgram.data.tiles import write_tiles
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome

HEADER = (
    "experiment\ttf\tbiosample\tmodel\tscheme\tseed\tsplit\ttest_set\tmetric\tunit\tvalue\tlow\thigh\tfloor"
    "\tn_positives\tn_negatives\tflag\tstatus\treason\n"
)
ROWS = (
    "E1\tCTCF\tK562\tdeepbind_cnn\tgenomic_matched\t1\tf\tT2\taverage_precision\tfraction\t0.700000\t0.600000\t0.800000"
    "\t0.300000\t50\t500\t\tok\t\n"
    "E2\tMAX\tK562\tdeepbind_cnn\tgenomic_matched\t1\tf\t\t\t\t\t\t\t\t\t\t\tskipped\ttoo few peaks\n"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "metrics.tsv").write_text(HEADER + ROWS)
    provenance = {"revisions": {"collect": 9}, "digest": "d"}
    (tmp_path / "metrics.tsv.json").write_text(json.dumps({"n_rows": {}, "provenance": provenance}))
    (tmp_path / "genome.fa").write_text(">chr1\nACGTACGT\n")
    pysam.faidx(str(tmp_path / "genome.fa"))
    with Genome.open(tmp_path / "genome.fa") as genome:
        write_tiles(tmp_path / "hg19.h5", genome, 4, None, None, {})
    (tmp_path / "fold_0/E1").mkdir(parents=True)
    (tmp_path / "fold_0/E1/positives.filter.tsv").write_text("reason\tn\nn_input\t9\nduplicate\t3\n")
    return tmp_path


@pytest.fixture
def config_json(repository) -> str:
    return json.dumps(yaml.safe_load((repository / "config/config.yaml").read_text()))


def run(folder, config_json: str, template: str = "") -> dict[str, str]:
    names = ("summary", "data", "methods")
    arguments = [word for name in names for word in (f"--{name}", str(folder / f"{name}.html"))]
    arguments += ["--metrics", str(folder / "metrics.tsv"), "--headline-test-set", "T2", "--floor", "kmer3_lr"]
    arguments += ["--headline-metric", "average_precision", "--config-json", config_json, "--revision", "1"]
    arguments += ["--tiles", "hg19", str(folder / "hg19.h5"), "--tiles", "mm10", str(folder / "absent.h5")]
    arguments += ["--filter-template", template or f"{folder}/{{split}}/{{experiment}}/positives.filter.tsv"]
    arguments += ["--audit-template", f"{folder}/{{split}}/{{experiment}}/audit.tsv"]
    result = CliRunner().invoke(report, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {name: (folder / f"{name}.html").read_text() for name in names}


def test_three_pages_are_written_the_same_on_every_run_and_without_paths(folder, config_json):
    pages = run(folder, config_json)
    assert "reaches average precision 0.700" in pages["summary"]
    assert "too few peaks" in pages["summary"]
    assert "same sequence as another" in pages["data"]
    assert "hg19: repeats unknown" in pages["methods"]
    assert "mm10: " not in pages["methods"]
    assert "kmer3_lr (counts of 3-mers on both strands)" in pages["methods"]
    for page in pages.values():
        assert '"revisions": {"collect": 9, "report": 1}' in page
        assert str(folder) not in page
    assert run(folder, config_json) == pages


def test_tables_that_are_not_there_are_left_out(folder, config_json):
    assert "No counts were given" in run(folder, config_json, f"{folder}/{{experiment}}.tsv")["data"]


@pytest.mark.parametrize("braces", ["{experiment}/{model}", "{experiment}/{}", "{experiment", "positives"])
def test_template_that_cannot_be_filled_is_refused(folder, config_json, braces):
    with pytest.raises(InputError, match=r"template .*\{experiment\}"):
        run(folder, config_json, f"{braces}.filter.tsv")


@pytest.mark.parametrize(("text", "message"), [("{", "not valid JSON"), ("{}", "seed: required key is missing")])
def test_wrong_configuration_is_refused(folder, text, message):
    with pytest.raises(InputError, match=message):
        run(folder, text)


def test_metrics_without_their_provenance_are_refused(folder, config_json):
    (folder / "metrics.tsv.json").unlink()
    with pytest.raises(InputError, match=r"metrics\.tsv\.json: no such file"):
        run(folder, config_json)


def test_another_table_is_refused(folder, config_json):
    (folder / "metrics.tsv").write_text("a\tb\n")
    with pytest.raises(InputError, match="not a table of bindgram collect"):
        run(folder, config_json)
