"""The same command again after Snakemake was killed: its lock goes, its SLURM jobs are ended, then all is as usual.

Snakemake leaves a lock that stops the next one, and jobs that write what the next one's jobs would write. A training
job that is ended saves a checkpoint, from which its successor goes on. A run beside a living one (`--nolock`) changes
nothing here.
"""

import os
import shutil
import socket
import subprocess

from snakemake.logging import logger

PROCESSES = Path(os.sep, "proc")  # of Linux; nothing happens here elsewhere
RUN_RECORD = Path(".snakemake/bindgram_run.json")  # the Snakemake that runs here, or ran here last and was killed


def process_identity(pid):
    """What tells a process from every other one on its host, also from one of the same number in a container."""
    fields = (PROCESSES / f"{pid}/stat").read_text().rpartition(")")[2].split()
    return dict(
        pid=pid,
        started=fields[19],
        boot=(PROCESSES / "sys/kernel/random/boot_id").read_text().strip(),
        namespace=os.readlink(PROCESSES / "self/ns/pid"),
    )


def earlier_run():
    """Record of the Snakemake that ran here last, and whether it is dead: None where that cannot be known."""
    if not RUN_RECORD.exists():
        return None, None
    record = json.loads(RUN_RECORD.read_text())
    try:
        now = process_identity(record["pid"])
    except OSError:
        now = process_identity(os.getpid())
    if record["host"] != socket.gethostname():
        return record, None
    if record["boot"] == now["boot"] and record["namespace"] != now["namespace"]:
        return record, None
    return record, any(record[key] != value for key, value in now.items())


def jobs_from_here():
    """Numbers of the SLURM jobs that Snakemake has sent from this folder and that have not ended."""
    if not shutil.which("squeue"):
        return []
    command = ["squeue", "--me", "--noheader", "--format=%A|%Z|%k"]
    rows = [line.split("|") for line in subprocess.run(command, capture_output=True, text=True).stdout.splitlines()]
    return [number for number, folder, comment in rows if folder == os.getcwd() and comment.startswith("rule_")]


def remove_lock_of_dead_run():
    if earlier_run()[1]:
        shutil.rmtree(".snakemake/locks", ignore_errors=True)


def take_over():
    """End what a dead Snakemake has left in the queue, and note that this one runs now."""
    record, dead = earlier_run()
    jobs = jobs_from_here() if record else []
    if dead and jobs:
        logger.warning(f"Snakemake was killed here: ending the jobs that it left, {' '.join(jobs)}")
        subprocess.run(["scancel", *jobs], check=True)
        while jobs_from_here():
            time.sleep(1)
    elif jobs and dead is None:
        logger.warning(f"Snakemake ran on {record['host']}; if it was killed, end its jobs: scancel {' '.join(jobs)}")
    if dead is False or (jobs and dead is None):
        return
    RUN_RECORD.write_text(json.dumps(dict(host=socket.gethostname(), **process_identity(os.getpid()))))


def end_run():
    record, _ = earlier_run()
    if record and record["pid"] == os.getpid() and record["host"] == socket.gethostname():
        RUN_RECORD.unlink()


if workflow.is_main_process and PROCESSES.is_dir():
    remove_lock_of_dead_run()

    onstart:
        take_over()

    onsuccess:
        end_run()

    onerror:
        end_run()
