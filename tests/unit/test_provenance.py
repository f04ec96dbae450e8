import json
import resource
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from bindgram.errors import InputError
from bindgram.provenance import (
    atomic_path,
    digest,
    make_provenance,
    merge_packages,
    sha256_file,
    step_rng,
    write_json,
    write_text,
)

HALF_WRITTEN = """
import sys
from pathlib import Path
from bindgram.provenance import atomic_path
with atomic_path(Path(sys.argv[1])) as part, part.open("w") as handle:
    handle.write("half of the new fi")
    handle.flush()
    print("half", flush=True)
    sys.stdin.read()
"""
FULL_DISK = f"""
import resource, sys
from pathlib import Path
from bindgram.provenance import write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))
write_text(Path(sys.argv[1]), "x" * 5000)
"""


@pytest.fixture(params=["no older file", "older file"])
def target(request, tmp_path):
    path = tmp_path / "table.tsv"
    if request.param == "older file":
        path.write_text("old")
    return path


def content(path):
    return path.read_text() if path.exists() else None


def test_file_appears_under_its_name_only_at_the_end(target):
    before = content(target)
    with atomic_path(target) as part:
        part.write_text("new")
        assert content(target) == before
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_missing_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_temporary_name_keeps_the_suffixes_by_which_writers_choose_formats(tmp_path):
    with atomic_path(tmp_path / "x.tar.gz") as part:
        assert part.name.endswith(".tar.gz")
        assert part.parent == tmp_path


def test_file_is_as_readable_as_any_other(tmp_path):
    write_text(tmp_path / "ours", "x")
    (tmp_path / "any").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "any").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_failing_writer_leaves_the_older_file_or_none(target, error):
    before = content(target)

    def write():
        with atomic_path(target) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert content(target) == before
    assert list(target.parent.iterdir()) == ([target] if before else [])


def test_killed_writer_leaves_the_older_file_or_none(target):
    before = content(target)
    with subprocess.Popen(
        [sys.executable, "-c", HALF_WRITTEN, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "half\n"
        halves = [path.read_text() for path in target.parent.iterdir() if path != target]
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    assert halves == ["half of the new fi"]
    assert content(target) == before


def test_full_disk_leaves_the_older_file_or_none(target):
    before = content(target)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(target)], capture_output=True, text=True, check=False)
    assert "OSError: [Errno 27]" in done.stderr
    assert content(target) == before
    assert list(target.parent.iterdir()) == ([target] if before else [])


def test_json_has_sorted_keys_and_refuses_what_json_has_not(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": None})
    assert (tmp_path / "a.json").read_text() == '{\n "a": null,\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "b.json", {"a": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_sha256_of_a_file_is_the_known_one(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_file(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_digest_depends_on_values_and_not_on_key_order():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_generator_is_a_function_of_seed_and_names_alone():
    def draw(*what):
        return step_rng(*what).integers(1 << 40)

    assert draw(1, "negatives", "CTCF") == draw(1, "negatives", "CTCF")
    others = {
        draw(1, "negatives", "CTCF"),
        draw(2, "negatives", "CTCF"),
        draw(1, "negatives", "MAX"),
        draw(1, "battery"),
    }
    assert len(others) == 4


def test_provenance_carries_the_versions_of_packages_from_upstream_without_having_them():
    bundle = make_provenance("finetune", 1, {}) | {"packages": {"torch": ["2.0.0"], "absent": ["1"]}}
    scores = make_provenance("score", 1, {}, {"bundle": bundle}, packages=["click"])
    assert scores["packages"] == {"absent": ["1"], "click": [version("click")], "torch": ["2.0.0"]}


def test_every_version_that_made_an_input_is_kept():
    given = {"a": {"packages": {"torch": ["2.1", "2.0"]}}, "b": {"packages": {"torch": ["1.9"]}}, "c": {}}
    assert merge_packages(given.values()) == {"torch": ["1.9", "2.0", "2.1"]}


def test_provenance_carries_the_digests_of_inputs_and_all_revisions_upstream():
    genome = make_provenance("fetch", 3, {}) | {"digest": "aa"}
    corpus = make_provenance("tokenize", 2, {"k": 3}, {"genome": genome}, seed=1)
    assert corpus["inputs"] == {"genome": "aa"}
    assert corpus["revisions"] == {"fetch": 3, "tokenize": 2}
    assert (corpus["command"], corpus["revision"], corpus["settings"], corpus["seed"]) == ("tokenize", 2, {"k": 3}, 1)
    assert json.loads(json.dumps(corpus)) == corpus


def test_inputs_of_two_revisions_of_one_command_are_refused():
    bundle = {"digest": "b", "revisions": {"positives": 2, "finetune": 1}}
    test_set = {"digest": "t", "revisions": {"positives": 1}}
    with pytest.raises(InputError, match="revision 1 of positives, another input with 2"):
        make_provenance("predict", 1, {}, {"bundle": bundle, "T1": test_set})
