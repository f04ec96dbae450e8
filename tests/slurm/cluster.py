"""A SLURM cluster on this machine: several nodes, stand-in GPUs, enforced memory. For the tests and for benchmarks.

As a command (root only)::

    python tests/slurm/cluster.py start --nodes 2 --cpus 1 --gpus 2
    python tests/slurm/cluster.py status
    python tests/slurm/cluster.py stop

It needs the Debian packages munge, slurmctld, slurmd and slurm-client, and neither systemd nor cgroups. Everything but
slurm.conf and gres.conf, which SLURM reads from /etc/slurm only, lies in one folder; stop removes all of it. A machine
can have one such cluster: a second start waits for the first to stop.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ETC = Path("/etc/slurm")
LOCK = Path("/run/lock/bindgram-slurm")  # held by munged of the running cluster
MARKER = "# Written by tests/slurm/cluster.py; its folder: "
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "sinfo")
WAIT_SECONDS = 30.0  # for the nodes, at most
LOCK_SECONDS = 600.0  # for another cluster to stop

# The comments say why a line differs from what a cluster of many machines has.
SLURM_CONF = """\
{marker}{folder}
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# cred_expire is also how long a job whose node died waits before it starts again (usual: 120)
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/spool.%n
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldDebug=verbose
SlurmdDebug=verbose
# no cgroups
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
# nodes may claim more than the machine has
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
# a dead node is noticed in seconds (usual: 300)
SlurmdTimeout=10
KillWait={kill_wait}
# finished jobs stay visible to squeue (usual: 300)
MinJobAge=3600
# one line for each finished job
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
AccountingStorageType=accounting_storage/none
# memory limits without cgroups: the job's processes are measured every two seconds
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
GresTypes=gpu
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} Boards=1 SocketsPerBoard=1"
    " CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory={memory} Gres=gpu:fake:{gpus}\n"
)
PARTITIONS = """\
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE
PartitionName=gpu Nodes=ALL MaxTime=INFINITE
"""


class ClusterError(Exception):
    """The cluster cannot start, or is not there; the message says why and what to do."""


class Cluster:
    """A running cluster; its daemons' process numbers stand in daemons.json of its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes = sorted(path.name.removeprefix("spool.") for path in folder.glob("spool.*"))

    @property
    def daemons(self) -> dict[str, int]:
        """Process number by name: munged, slurmctld and each node."""
        return json.loads((self.folder / "daemons.json").read_text())

    def start_daemon(self, name: str, command: list[str], keep_open: tuple[int, ...] = ()) -> None:
        """Start a daemon in the foreground of its own session and note its process number."""
        with (self.folder / f"{name}.out").open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=keep_open,
                cwd=self.folder,
            )
        file = self.folder / "daemons.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(known | {name: process.pid}))

    def start_node(self, name: str) -> None:
        """Start (again) a node's slurmd."""
        self.start_daemon(name, ["slurmd", "-D", "-N", name])

    def kill_node(self, name: str) -> None:
        """Let a node lose its power: its slurmd and every process of its jobs vanish at once."""
        os.kill(self.daemons[name], signal.SIGKILL)
        kill_all(self._job_processes(name))

    def node_states(self) -> dict[str, str]:
        """State by node as sinfo says it, e.g. ``idle``, ``mixed``, ``down*``."""
        lines = slurm("sinfo", "--noheader", "--Node", "--partition=cpu", "--format=%N %T").splitlines()
        return dict(line.split() for line in lines)

    def jobs(self) -> dict[str, dict[str, str]]:
        """All jobs of the last five minutes: fields of ``scontrol show job`` by job number."""
        text = slurm("scontrol", "--oneliner", "show", "job")
        found = (
            dict(re.findall(r"(\S+?)=(.*?) *(?= \S+?=|$)", line)) for line in text.splitlines() if "JobId=" in line
        )
        return {fields["JobId"]: fields for fields in found}

    def wait_until(self, done: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait for a condition; the error names it and ends with the daemons' last lines."""
        deadline = time.monotonic() + seconds
        while not done():
            controller = self.daemons.get("slurmctld")
            if time.monotonic() > deadline or (controller and not is_running(controller, "slurm")):
                raise ClusterError(f"waited in vain for: {what} (at most {seconds:.0f} s)\n{self.last_lines()}")
            time.sleep(0.1)

    def all_idle(self) -> bool:
        """True when every node takes jobs and has none."""
        with contextlib.suppress(subprocess.CalledProcessError):
            return set(self.node_states().values()) == {"idle"}
        return False

    def last_lines(self, n_lines: int = 15) -> str:
        """The ends of all daemons' logs."""
        logs = [*sorted(self.folder.glob("*.log")), self.folder / "munged.out"]
        ends = ["\n".join(path.read_text(errors="replace").splitlines()[-n_lines:]) for path in logs]
        return "\n".join(f"--- {path}\n{end}" for path, end in zip(logs, ends, strict=True))

    def stop(self) -> None:
        """End the jobs and the daemons, remove the configuration; the folder stays."""
        daemons = self.daemons
        if is_running(daemons.get("slurmctld", 0), "slurm"):
            with contextlib.suppress(subprocess.SubprocessError):
                slurm("scancel", "--quiet", "--signal=KILL", "--full", "--user=root", timeout=10)
        for node in self.nodes:
            if is_running(daemons.get(node, 0), "slurmd"):
                os.kill(daemons[node], signal.SIGKILL)
            kill_all(self._job_processes(node))
        end(daemons.get("slurmctld", 0), "slurm")
        remove_configuration()
        end(daemons.get("munged", 0), "munged")  # the last: another cluster may start from now on

    def _job_processes(self, node: str) -> list[int]:
        """Processes of this cluster's jobs on a node: first the slurmstepd, so that none reports the end of its job."""
        marks = {f"SLURMD_NODENAME={node}".encode(), f"SLURM_CLUSTER_NAME={cluster_name(self.folder)}".encode()}
        steps, others = [], []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                files = [os.readlink(file) for file in (process / "fd").iterdir()]
                if (process / "comm").read_text().strip() == "slurmstepd":
                    if f"{self.folder}/slurmd.{node}.log" in files:
                        steps.append(int(process.name))
                elif marks <= set((process / "environ").read_bytes().split(b"\0")):
                    others.append(int(process.name))
        return steps + others


def slurm(*command: str, timeout: float = 30) -> str:
    """Output of a SLURM command."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout).stdout


def is_running(pid: int, name: str) -> bool:
    """True while a process runs (not when it waits to be reaped) whose name begins like this."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    command, state = re.match(r"\d+ \((.*)\) (\w)", fields).groups()
    if state == "Z":
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return False
    return command.startswith(name)


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def end(pid: int, name: str, seconds: float = 10) -> None:
    """End a daemon of ours, if it still runs, and wait until it has ended."""
    deadline = time.monotonic() + seconds
    if is_running(pid, name):
        os.kill(pid, signal.SIGTERM)
    while is_running(pid, name):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def remove_configuration() -> None:
    for name in ("slurm.conf", "gres.conf"):
        (ETC / name).unlink(missing_ok=True)


def why_not() -> str | None:
    """Why this machine cannot have a cluster, or None."""
    if os.geteuid() != 0:
        return "only root can start a SLURM cluster"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install --no-install-recommends munge slurmctld slurmd slurm-client"
    configuration = ETC / "slurm.conf"
    if configuration.exists() and not configuration.read_text().startswith(MARKER):
        return f"{configuration} is not ours: this machine belongs to another cluster"
    return None


def start(
    *,
    nodes: int = 2,
    cpus: int = 1,
    memory: int = 8000,
    gpus: int = 2,
    kill_wait: int = 30,
    folder: Path | None = None,
) -> Cluster:
    """Start a cluster and wait until all nodes are idle.

    Parameters
    ----------
    nodes : number of nodes, named bg1, bg2, ...
    cpus, memory : CPUs and MB that each node claims, whatever the machine has.
    gpus : stand-in GPUs of each node: CUDA_VISIBLE_DEVICES is set, no device is there.
    kill_wait : seconds between SIGTERM and SIGKILL at a job's time limit.
    folder : for state and logs; must be new or empty. Default: a temporary folder.

    Raises
    ------
    ClusterError : not root, programs missing, a foreign slurm.conf, or nodes that do not come up.
    """
    if reason := why_not():
        raise ClusterError(reason)
    lock = take_lock()
    try:
        folder = make_folder(folder)
        write_configuration(folder, nodes, cpus, memory, gpus, kill_wait)
        cluster = Cluster(folder)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = [f"--{option}={folder}/munge.{option[:-5]}" for option in ("log-file", "pid-file", "seed-file")]
        cluster.start_daemon(
            "munged",
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket", *files],
            keep_open=(lock,),
        )
        try:
            cluster.wait_until((folder / "munge.socket").exists, "munged", 10)
            cluster.start_daemon("slurmctld", ["slurmctld", "-D", "-c"])
            for name in cluster.nodes:
                cluster.start_node(name)
            cluster.wait_until(cluster.all_idle, "all nodes idle")
        except ClusterError:
            cluster.stop()
            raise
    finally:
        os.close(lock)
    return cluster


def take_lock() -> int:
    """Descriptor of the lock, for munged to inherit (slurmctld closes what it inherits): free when munged has ended."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + LOCK_SECONDS
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise ClusterError(
                    f"another cluster has run for {LOCK_SECONDS:.0f} s ({LOCK} is locked): "
                    "`python tests/slurm/cluster.py stop` ends it"
                ) from None
            if not told:
                print(f"waiting for another cluster on this machine to stop ({LOCK})", file=sys.stderr, flush=True)
                told = True
            time.sleep(1)
        else:
            return descriptor


def cluster_name(folder: Path) -> str:
    """Name that tells the processes of its jobs from those of another cluster, in a container of this machine."""
    return "bg" + hashlib.sha256(str(folder).encode()).hexdigest()[:10]


def make_folder(folder: Path | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bindgram-slurm-")) if folder is None else folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ClusterError(f"{folder} is not empty: a cluster starts without the state of an earlier one")
    folder.chmod(0o755)
    return folder


def write_configuration(folder: Path, nodes: int, cpus: int, memory: int, gpus: int, kill_wait: int) -> None:
    host = os.uname().nodename.split(".")[0]
    name = cluster_name(folder)
    text = SLURM_CONF.format(marker=MARKER, folder=folder, host=host, name=name, kill_wait=kill_wait)
    gres = MARKER + str(folder) + "\n"
    for number in range(1, nodes + 1):
        name = f"bg{number}"
        text += NODE.format(name=name, host=host, port=17000 + number, cpus=cpus, memory=memory, gpus=gpus)
        (folder / f"spool.{name}").mkdir()
    if gpus:
        for number in range(gpus):
            os.mknod(folder / f"gpu{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))  # a second /dev/null
        gres += f"Name=gpu Type=fake Flags=nvidia_gpu_env File={folder}/gpu[0-{gpus - 1}]\n"
    (folder / "state").mkdir()
    ETC.mkdir(exist_ok=True)
    (ETC / "slurm.conf").write_text(text + PARTITIONS)
    (ETC / "gres.conf").write_text(gres)


def running() -> Cluster:
    """The cluster that runs on this machine, or ran and was not stopped."""
    try:
        first_line = (ETC / "slurm.conf").read_text().splitlines()[0]
    except (OSError, IndexError):
        first_line = ""
    if not first_line.startswith(MARKER):
        raise ClusterError("there is no cluster of this program on this machine")
    return Cluster(Path(first_line.removeprefix(MARKER)))


@contextlib.contextmanager
def running_cluster(**options: int | Path | None) -> Iterator[Cluster]:
    """Start a cluster (options of ``start``), and stop it and remove its temporary folder at the end."""
    cluster = start(**options)
    try:
        yield cluster
    finally:
        stop(cluster)


def stop(cluster: Cluster) -> None:
    """Stop a cluster and remove its folder if it was a temporary one."""
    if (cluster.folder / "daemons.json").exists():
        cluster.stop()
    else:
        remove_configuration()
    if cluster.folder.parent == Path(tempfile.gettempdir()) and cluster.folder.name.startswith("bindgram-slurm-"):
        shutil.rmtree(cluster.folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("start", help="start a cluster and wait until its nodes are idle")
    starting.add_argument("--nodes", type=int, default=2)
    starting.add_argument("--cpus", type=int, default=1, help="of each node, whatever the machine has")
    starting.add_argument("--memory", type=int, default=8000, help="MB of each node, likewise")
    starting.add_argument("--gpus", type=int, default=2, help="stand-ins, of each node")
    starting.add_argument("--kill-wait", type=int, default=30, help="seconds from SIGTERM to SIGKILL")
    starting.add_argument("--folder", type=Path, help="for state and logs; stays after stop (default: temporary)")
    commands.add_parser("stop", help="end its jobs and daemons, remove its configuration")
    commands.add_parser("status", help="say what runs, where its logs are")
    options = vars(parser.parse_args())
    command = options.pop("command")
    try:
        if command == "start":
            cluster = start(**options)
            print(f"nodes {', '.join(cluster.nodes)} are idle; state and logs: {cluster.folder}")
        elif command == "stop":
            stop(running())
        else:
            cluster = running()
            alive = {name: is_running(pid, "") for name, pid in cluster.daemons.items()}
            print(f"folder: {cluster.folder}")
            print("\n".join(f"{name}: {'runs' if runs else 'has ended'}" for name, runs in alive.items()))
            print(slurm("sinfo"), slurm("squeue"), sep="\n", end="")
    except ClusterError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
