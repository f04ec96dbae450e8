import json
import socket
import threading

import numpy as np
import pytest

from bindgram.errors import InputError
from bindgram.genome.download import InterruptedDownload, Patience, download

CONTENT = np.random.default_rng(1).bytes(10_000)
AT_ONCE = Patience(attempts=3, first_wait_s=0.0, timeout_s=10.0)
ONCE = Patience(attempts=1, first_wait_s=0.0, timeout_s=10.0)


@pytest.fixture
def part(tmp_path):
    return tmp_path / "genome.fa.part"


def interrupted(site, part, n_bytes):
    """Leave a part of `n_bytes` of the file `f`."""
    site.faults = [f"cut {n_bytes}"]
    with pytest.raises(InterruptedDownload):
        download(site.url("f"), part, ONCE)
    site.ranges.clear()


def test_whole_file_arrives_in_one_request(site, part):
    site.files["f"] = CONTENT
    download(site.url("f"), part, ONCE)
    assert part.read_bytes() == CONTENT
    assert site.ranges == [None]


def test_cut_connection_is_resumed_where_it_broke(site, part):
    site.files["f"], site.faults = CONTENT, ["cut 4000", "cut 1000"]
    download(site.url("f"), part, AT_ONCE)
    assert part.read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=4000-", "bytes=5000-"]


def test_progress_renews_the_patience(site, part):
    site.files["f"], site.faults = CONTENT, ["cut 1000"] * 8
    download(site.url("f"), part, Patience(attempts=2, first_wait_s=0.0, timeout_s=10.0))
    assert part.read_bytes() == CONTENT


def test_next_run_goes_on_from_the_part_of_the_interrupted_one(site, part):
    site.files["f"] = CONTENT
    interrupted(site, part, 4000)
    assert part.read_bytes() == CONTENT[:4000]
    download(site.url("f"), part, ONCE)
    assert part.read_bytes() == CONTENT
    assert site.ranges == ["bytes=4000-"]


def test_complete_part_costs_one_byte(site, part):
    site.files["f"] = CONTENT
    download(site.url("f"), part, ONCE)
    download(site.url("f"), part, ONCE)
    assert part.read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=9999-"]


@pytest.mark.parametrize("etags", [True, False])
def test_changed_file_is_downloaded_from_its_beginning(site, part, etags):
    site.files["f"], site.etags = CONTENT, etags
    interrupted(site, part, 4000)
    site.files["f"] = changed = CONTENT[::-1] + b"more"
    download(site.url("f"), part, AT_ONCE)
    assert part.read_bytes() == changed


def test_agreeing_length_is_enough_where_the_server_gives_no_etag(site, part):
    site.files["f"], site.etags = CONTENT, False
    interrupted(site, part, 4000)
    download(site.url("f"), part, ONCE)
    assert site.ranges == ["bytes=4000-"]
    assert part.read_bytes() == CONTENT


def test_file_that_became_shorter_than_its_part_is_downloaded_anew(site, part):
    site.files["f"], site.etags = CONTENT, False
    interrupted(site, part, 4000)
    site.files["f"] = b"short"
    download(site.url("f"), part, AT_ONCE)
    assert part.read_bytes() == b"short"


def test_part_of_another_source_is_not_used(site, part):
    site.files |= {"f": CONTENT, "g": CONTENT[::-1]}
    interrupted(site, part, 4000)
    download(site.url("g"), part, ONCE)
    assert part.read_bytes() == CONTENT[::-1]
    assert site.ranges == [None]


def test_part_with_damaged_memory_is_not_used(site, part):
    site.files["f"] = CONTENT
    interrupted(site, part, 4000)
    part.with_name(part.name + ".json").write_text("{")
    download(site.url("f"), part, ONCE)
    assert part.read_bytes() == CONTENT
    assert site.ranges == [None]


def test_server_that_answers_a_range_with_everything_is_believed(site, part):
    site.files["f"], site.honours_ranges = CONTENT, False
    interrupted(site, part, 4000)
    download(site.url("f"), part, ONCE)
    assert site.ranges == ["bytes=4000-"]
    assert part.read_bytes() == CONTENT


def test_truncation_by_a_server_without_ranges_leaves_nothing(site, part):
    site.files["f"], site.takes_ranges, site.faults = CONTENT, False, ["cut 4000"] * 3
    with pytest.raises(InterruptedDownload, match=r"gave up after 3 attempts.*nothing was kept"):
        download(site.url("f"), part, AT_ONCE)
    assert site.ranges == [None] * 3
    assert list(part.parent.iterdir()) == []


def test_missing_file_is_refused_at_once(site, part):
    with pytest.raises(InputError, match="404 Not Found; check the address"):
        download(site.url("f"), part, AT_ONCE)
    assert len(site.ranges) == 1


def test_busy_server_is_asked_again(site, part, capsys):
    site.files["f"], site.faults = CONTENT, [503, 503]
    download(site.url("f"), part, AT_ONCE)
    assert part.read_bytes() == CONTENT
    assert "503 Service Unavailable; trying again in 0 s (1 of 3 attempts used)" in capsys.readouterr().err


def test_server_that_stays_busy_is_given_up(site, part):
    site.files["f"], site.faults = CONTENT, [503] * 3
    with pytest.raises(InterruptedDownload, match=r"/f: gave up after 3 attempts: HTTP 503"):
        download(site.url("f"), part, AT_ONCE)
    assert len(site.ranges) == 3


def test_quick_download_writes_nothing_into_a_log(site, part, capsys):
    site.files["f"] = CONTENT
    download(site.url("f"), part, ONCE)
    assert capsys.readouterr().err == ""


def test_memory_of_a_part_says_what_it_is_a_part_of(site, part):
    site.files["f"] = CONTENT
    interrupted(site, part, 10)
    remembered = json.loads(part.with_name(part.name + ".json").read_text())
    assert remembered["source"] == site.url("f")
    assert remembered["length"] == len(CONTENT)


def test_nobody_listening_is_an_interruption(site, part):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(InterruptedDownload, match="ConnectionError"):
        download(f"http://127.0.0.1:{port}/f", part, AT_ONCE)


class FtpServer(threading.Thread):
    """One file over passive FTP, one client at a time; `sent` bytes of it per connection, in turn."""

    def __init__(self, content, sent):
        super().__init__(daemon=True)
        self.content, self.sent = content, list(sent)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ftp://127.0.0.1:{self.listener.getsockname()[1]}/pub/f"

    def run(self):
        for n_bytes in self.sent:
            connection, _ = self.listener.accept()
            with connection, connection.makefile("rw", newline="\r\n") as talk:
                self.serve(talk, n_bytes)

    def serve(self, talk, n_bytes):
        def say(text):
            talk.write(text + "\n")
            talk.flush()

        say("220 ready")
        while command := talk.readline().strip():
            if command == "PASV" or command.startswith("EPSV"):
                data = socket.create_server(("127.0.0.1", 0))
                port = data.getsockname()[1]
                extended = f"229 entering (|||{port}|)"
                say(extended if command == "EPSV" else f"227 entering (127,0,0,1,{port // 256},{port % 256})")
            elif command.startswith("RETR"):
                if n_bytes is None:
                    say("550 no such file")
                    continue
                say(f"150 opening ({len(self.content)} bytes)")
                channel, _ = data.accept()
                with channel, data:
                    channel.sendall(self.content[:n_bytes])
                say("226 done")
            elif n_bytes is None and command == "CWD f":
                say("550 no such file")
            else:
                say({"USER": "331 password", "QUIT": "221 bye"}.get(command.split()[0], "200 fine"))


@pytest.fixture
def ftp(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers = []

    def start(*sent):
        servers.append(FtpServer(CONTENT, sent))
        servers[-1].start()
        return servers[-1].url

    yield start
    for server in servers:
        server.listener.close()


def test_ftp_file_arrives(ftp, part):
    download(ftp(10_000), part, ONCE)
    assert part.read_bytes() == CONTENT


def test_ftp_transfer_that_broke_off_is_repeated(ftp, part):
    download(ftp(4000, 10_000), part, AT_ONCE)
    assert part.read_bytes() == CONTENT


def test_truncated_ftp_file_leaves_nothing(ftp, part):
    with pytest.raises(InterruptedDownload, match="got 4000 of 10000 bytes"):
        download(ftp(4000), part, ONCE)
    assert list(part.parent.iterdir()) == []


def test_missing_ftp_file_is_refused_at_once(ftp, part):
    with pytest.raises(InputError, match=r"550 no such file.*check the address"):
        download(ftp(None), part, AT_ONCE)
