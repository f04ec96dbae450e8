import base64
import gzip
import json
import re

import pysam
import pytest
import yaml
from click.testing import CliRunner

from bindgram.cli.report import report
from bindgram.data.tiles import write_tiles
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.provenance import sha256_file

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


def run(folder, config_json: str, *more: str, template: str = "") -> str:
    arguments = ["--metrics", str(folder / "metrics.tsv"), "--config-json", config_json, "--revision", "1"]
    arguments += ["--tiles", "hg19", str(folder / "hg19.h5"), "--tiles", "mm10", str(folder / "absent.h5")]
    arguments += ["--filter-template", template or f"{folder}/{{split}}/{{experiment}}/positives.filter.tsv"]
    arguments += ["--audit-template", f"{folder}/{{split}}/{{experiment}}/audit.tsv"]
    arguments += ["--panel-template", f"{folder}/{{split}}/{{experiment}}/{{scheme}}.json"]
    result = CliRunner().invoke(
        report, [*arguments, *more, "--output", str(folder / "index.html")], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return (folder / "index.html").read_text()


def test_methods_and_record_are_written_beside_the_page(folder, config_json):
    sheet = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\nE1\tCTCF\tK562\thg38\tbed\te1.bed\n"
    (folder / "sheet.tsv").write_text(sheet)
    outputs = {name: folder / name for name in ("methods.md", "record.json")}
    more = ["--methods", str(outputs["methods.md"]), "--record", str(outputs["record.json"])]
    more += ["--experiment-sheet", str(folder / "sheet.tsv"), "--positives-template", f"{folder}/{{experiment}}"]
    page = run(folder, config_json, *more)
    record = json.loads(outputs["record.json"].read_text())
    embedded = json.loads(re.search(r'id="reproducibility">([^<]*)<', page)[1])
    assert {**embedded, "provenance": record["provenance"]} == record
    assert record["sheet"]["n_experiments"] == 1
    assert record["files"] == {"metrics.tsv": sha256_file(folder / "metrics.tsv")}
    assert outputs["methods.md"].read_text().startswith("# Methods\n\n## Positives\n\nEvery peak became")
    first = [path.read_bytes() for path in outputs.values()]
    run(folder, config_json, *more)
    assert [path.read_bytes() for path in outputs.values()] == first


def unpacked(page: str, experiment: str) -> dict:
    data = re.search(rf'id="panel-{experiment}">([^<]*)<', page)[1]
    return json.loads(gzip.decompress(base64.b64decode(data)))


def test_page_is_written_the_same_on_every_run_and_without_paths(folder, config_json):
    page = run(folder, config_json)
    assert "average precision 0.700" in page
    assert "too few peaks" in page
    assert "same sequence as another" in page
    assert "hg19: repeats unknown" in page
    assert "mm10: " not in page
    assert '"revisions": {"collect": 9, "report": 1}' in page
    assert str(folder) not in page
    assert run(folder, config_json) == page


def test_each_experiment_has_its_own_data_packed(folder, config_json):
    (folder / "fold_0/E1/genomic_matched.json").write_text('{"status": "ok", "reason": "", "sites": []}')
    page = run(folder, config_json)
    data = unpacked(page, "E1")
    assert data["panels"] == [
        {"status": "ok", "reason": "", "sites": [], "split": "fold_0", "scheme": "genomic_matched"}
    ]
    assert data["filters"][0]["counts"] == [["rows read", 9], ["same sequence as another", 3]]
    assert unpacked(page, "E2")["problems"] == [["skipped", "too few peaks", "deepbind_cnn", "all"]]
    assert unpacked(page, "E2")["panels"][0]["status"] == "missing"


def test_a_model_that_cannot_score_the_tiled_block_keeps_its_other_results(folder, config_json):
    row = ROWS.splitlines()[1].replace("too few peaks", "not defined: slow").replace("skipped", "not_defined")
    (folder / "tiled.tsv").write_text(HEADER + f"{row.replace('E2', 'E1')}\n{row}\n")
    (folder / "tiled.tsv.json").write_text((folder / "metrics.tsv.json").read_text())
    page = run(folder, config_json, "--tiled", str(folder / "tiled.tsv"))
    results = json.loads(re.search(r'id="results-data">(.*?)</script>', page, re.DOTALL)[1])
    first, second = results["lines"]
    assert [first["status"], second["status"]] == ["ok", "skipped"]
    at = results["testSets"].index("T4")
    assert results["texts"][first["v"][0][at]] == "not defined: slow"
    assert second["v"][0][at] is None  # its line has the reason


def test_metrics_of_the_tiled_block_join_the_table_where_they_are_there(folder, config_json):
    for name in ("tiled.tsv", "tiled.tsv.json"):
        text = (folder / name.replace("tiled", "metrics")).read_text()
        (folder / name).write_text(text.replace("\tT2\t", "\tT4\t"))
    assert "on_demand" not in run(folder, config_json, "--tiled", str(folder / "absent.tsv"))
    data = unpacked(run(folder, config_json, "--tiled", str(folder / "tiled.tsv")), "E1")
    assert [found["testSet"] for found in data["metrics"]] == ["T2", "T4"]


def test_controls_are_named_in_the_record_where_they_are_there(folder, config_json):
    path = folder / "permuted_control.json"
    more = ["--permuted-control", str(path), "--record", str(folder / "record.json")]
    assert "snakemake permuted_control" in run(folder, config_json, *more)
    path.write_text('{"confidence": 0.95, "verdicts": []}')
    assert "snakemake permuted_control" not in run(folder, config_json, *more)
    assert json.loads((folder / "record.json").read_text())["files"]["permuted_control.json"] == sha256_file(path)


def test_tables_that_are_not_there_are_left_out(folder, config_json):
    assert "No counts were given" in run(folder, config_json, template=f"{folder}/{{experiment}}.tsv")


@pytest.mark.parametrize("braces", ["{experiment}/{model}", "{experiment}/{}", "{experiment", "positives"])
def test_template_that_cannot_be_filled_is_refused(folder, config_json, braces):
    with pytest.raises(InputError, match=r"template .*\{experiment\}"):
        run(folder, config_json, template=f"{braces}.filter.tsv")


@pytest.mark.parametrize("braces", ["{fold}.json", "{}", "{experiment"])
def test_template_of_panels_that_cannot_be_filled_is_refused(folder, config_json, braces):
    with pytest.raises(InputError, match=r"template .* cannot be filled; use experiment, scheme, split"):
        run(folder, config_json, "--panel-template", braces)


def test_comparison_that_is_no_json_is_refused_by_name(folder, config_json):
    (folder / "comparison.json").write_text("{")
    with pytest.raises(InputError, match=r"comparison\.json: not valid JSON"):
        run(folder, config_json, "--comparison", str(folder / "comparison.json"))


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
