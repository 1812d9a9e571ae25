"""
Runs a k6 script, unmodified, against a server or a cluster of its own, and judges it harder than k6 does.

k6 exits 0 when checks fail or the script throws; here both fail the run. Scripts
written for host.docker.internal:8080 reach the server on its free port by k6's
own `hosts` option.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple
from urllib.parse import urlsplit

from scripts.services.__main__ import Services
from scripts.services.kept import TOOLS

ROOT = Path(__file__).resolve().parent.parent
SERVER_LOG = ROOT / "build" / "k6" / "server.log"
OWN_SCRIPT = ROOT / "load" / "seed.js"

K6_VERSION = "v1.8.1"
K6 = TOOLS / f"k6-{K6_VERSION}" / "k6"

SCRIPTED_ADDRESS = "host.docker.internal:8080"
READY = re.compile(r"(?:Stagedoor|The cluster) is ready on http://127\.0\.0\.1:(\d+)")
READY_SECONDS_MAX = 300  # a cluster's engines have to start, and 100,000 members to be written
STOP_SECONDS_MAX = 60
LOOK_EVERY_SECONDS = 0.05

ONLY_FOR_ADMITTED = ("/concerts/schedule", "/concerts/seat", "/concerts/reserve")
"""Calls that are answered with 200 only to a buyer whose status is PROGRESS."""

SYSTEM_TAGS = (
    *("proto", "subproto", "status", "method", "url", "name", "group", "check", "error", "error_code"),
    *("tls_version", "scenario", "service", "expected_response"),
    *("vu", "iter"),  # beyond k6's defaults: they tell iterations apart
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of k6 came to; iterations are counted from their requests."""

    exit_status: int
    requests: int
    checks_passed: int
    checks_failed: int
    errors: Sequence[str]
    iterations: int
    iterations_admitted: int

    @property
    def progress_percent(self) -> float:
        """How many iterations of a hundred reached PROGRESS."""
        return 100 * self.iterations_admitted / self.iterations if self.iterations else 0.0


def main() -> None:
    """Run a script with k6, built first where it is not there yet; exit 1 if anything about the run is wrong."""
    parser = argparse.ArgumentParser(description="Run a k6 script against a server of its own.")
    parser.add_argument("script", nargs="?", type=Path, default=OWN_SCRIPT)
    parser.add_argument("--min-progress", type=float, default=0.0, metavar="PERCENT")
    parser.add_argument("--cluster", action="store_true", help="against two processes behind nginx, on real engines")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
    try:
        build()
        run(arguments.script, min_progress=arguments.min_progress, cluster=arguments.cluster)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")


def leave(number: int, _frame: FrameType | None) -> None:
    """Exit on a signal by way of every `finally`, so that no server is left behind."""
    sys.exit(128 + number)


def build() -> None:
    """Build k6 from its Go module, once per machine and version."""
    if K6.exists():
        return
    if shutil.which("go") is None:
        sys.exit("k6 is built with Go, which is not on the PATH: install Go 1.21 or newer (https://go.dev/dl).")
    print(f"Building k6 {K6_VERSION} into {K6.parent} ...", flush=True)
    try:
        K6.parent.mkdir(parents=True, exist_ok=True)
    except OSError as failed:
        sys.exit(f"{failed.filename} cannot be made: name a folder that you may write to in XDG_CACHE_HOME.")
    with tempfile.TemporaryDirectory(dir=K6.parent) as folder:
        # A Go that is older than k6 asks for fetches the newer one, as a module; no C compiler is needed.
        environment = os.environ | {"GOBIN": folder, "GOTOOLCHAIN": "auto", "CGO_ENABLED": "0"}
        installed = subprocess.run(["go", "install", f"go.k6.io/k6@{K6_VERSION}"], env=environment, check=False)
        if installed.returncode != 0:
            sys.exit("k6 was not built, for the reason above: it takes Go 1.21 or newer and a Go module proxy.")
        (Path(folder) / "k6").replace(K6)


def run(script: Path, *, min_progress: float, cluster: bool) -> None:
    """Run *script* against a fresh demo, print what came of it, and exit 1 if it is not good enough."""
    if not script.is_file():
        sys.exit(f"There is no k6 script {script}.")
    with tempfile.TemporaryDirectory(prefix="stagedoor-k6-") as name:
        folder = Path(name)
        with served_by_cluster(folder) if cluster else served(folder) as house:
            result = run_k6(script.resolve(), port=house.port, folder=folder)
            found = faults(result, min_progress=min_progress) + broken_invariants(folder, house.settings)
    print(
        f"\n{result.iterations_admitted} of {result.iterations} iterations reached PROGRESS"
        f" ({result.progress_percent:.1f} %); checks: {result.checks_passed} passed, {result.checks_failed} failed"
    )
    for fault in found:
        print(f"Not good enough: {fault}")
    if found:
        sys.exit(1)


class House(NamedTuple):
    """Where a demo is served, and the settings that lead a command to its data."""

    port: int
    settings: Mapping[str, str]


@contextmanager
def served(folder: Path) -> Iterator[House]:
    """Serve fresh demo data out of *folder* on a free port, and stop the server whatever happens."""
    command = [sys.executable, "-m", "stagedoor", "serve", "--demo", "--port", "0"]
    with started(command, folder=folder, environment=own_environment()) as port:
        yield House(port, {})


@contextmanager
def served_by_cluster(folder: Path) -> Iterator[House]:
    """Serve fresh demo data with two processes behind nginx, on engines of its own; stop all whatever happens."""
    services = Services(folder / "services")
    command = [sys.executable, "-m", "scripts.cluster", "--folder", str(services.folder)]
    try:
        with started(command, folder=ROOT, environment=own_environment()) as port:
            yield House(port, {name: at for name, at in services.addresses().items() if name.startswith("STAGEDOOR_")})
    finally:
        services.stop()  # does nothing where the cluster came to do it


@contextmanager
def started(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run *command* in *folder*; yield the port that it names, and stop it whatever happens."""
    SERVER_LOG.parent.mkdir(parents=True, exist_ok=True)
    with SERVER_LOG.open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for k6 first; the server stops after it
        )
    try:
        yield port_of(server)
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def port_of(server: subprocess.Popen[bytes]) -> int:
    """Wait for the line that *server* prints when it can be called, and return the port it names."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while server.poll() is None and time.monotonic() < deadline:
        if ready := READY.search(SERVER_LOG.read_text(encoding="utf-8", errors="replace")):
            return int(ready[1])
        time.sleep(LOOK_EVERY_SECONDS)
    sys.stderr.write(SERVER_LOG.read_text(encoding="utf-8", errors="replace"))
    sys.exit(f"The server was not ready within {READY_SECONDS_MAX} s; what it said is above.")


def run_k6(script: Path, *, port: int, folder: Path) -> Result:
    """Run k6 with *script* against the server at *port*, with its files in *folder*."""
    config, summary, samples = folder / "config.json", folder / "summary.json", folder / "samples.json"
    config.write_text(
        json.dumps({"hosts": {SCRIPTED_ADDRESS: f"127.0.0.1:{port}"}, "systemTags": SYSTEM_TAGS}), encoding="utf-8"
    )
    command: list[str | Path] = [K6, "run", "--no-usage-report", "--config", config, "--summary-export", summary]
    command += ["--out", f"json={samples}", *([] if sys.stdout.isatty() else ["--quiet"]), script]
    # Nothing is fetched from elsewhere: no extensions, no way around by a proxy.
    environment = os.environ | {"K6_AUTO_EXTENSION_RESOLUTION": "false", "NO_PROXY": "*", "no_proxy": "*"}
    errors = []
    k6 = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert k6.stderr is not None
        for line in k6.stderr:
            sys.stderr.write(line)
            if "level=error" in line and "thresholds on metrics" not in line:  # those are in the exit status
                errors.append(line.strip())
    finally:
        k6.terminate()
        exit_status = k6.wait()
    metrics = json.loads(summary.read_bytes())["metrics"] if summary.exists() else {}
    iterations, iterations_admitted = iterations_in(samples)
    return Result(
        exit_status=exit_status,
        requests=metrics.get("http_reqs", {}).get("count", 0),
        checks_passed=metrics.get("checks", {}).get("passes", 0),
        checks_failed=metrics.get("checks", {}).get("fails", 0),
        errors=errors,
        iterations=iterations,
        iterations_admitted=iterations_admitted,
    )


def iterations_in(samples: Path) -> tuple[int, int]:
    """Count the iterations that made a request, and those of them that were answered as admitted."""
    begun, admitted = set(), set()
    with samples.open(encoding="utf-8") as lines:
        for line in lines:
            if '"metric":"http_reqs"' not in line or '"type":"Point"' not in line:
                continue
            data = json.loads(line)["data"]
            tags, metadata = data["tags"], data.get("metadata", {})
            if "scenario" not in tags:  # setup and teardown
                continue
            iteration = (tags["scenario"], metadata.get("vu"), metadata.get("iter"))
            begun.add(iteration)
            if tags["status"] == "200" and urlsplit(tags["url"]).path.endswith(ONLY_FOR_ADMITTED):
                admitted.add(iteration)
    return len(begun), len(admitted)


def faults(result: Result, *, min_progress: float) -> list[str]:
    """Say all that is wrong with *result*, a sentence each."""
    found = []
    if result.exit_status != 0:
        found.append(f"k6 exited with status {result.exit_status} (99 means that a threshold was crossed)")
    if result.checks_failed:
        found.append(f"{result.checks_failed} checks failed")
    if result.errors:
        found.append(f"{len(result.errors)} errors were logged, the first: {result.errors[0]}")
    if not result.requests:
        found.append("no request was made")
    if result.progress_percent < min_progress:
        found.append(f"fewer than {min_progress:g} % of the iterations reached PROGRESS")
    return found


def broken_invariants(folder: Path, settings: Mapping[str, str]) -> list[str]:
    """Check the data that the load has left in *folder*, or where *settings* lead."""
    checked = subprocess.run(
        [sys.executable, "-m", "stagedoor", "check"],
        cwd=folder,
        env=own_environment() | dict(settings),
        check=False,
        capture_output=True,
        text=True,
    )
    if checked.returncode == 0:
        return []
    print(checked.stdout + checked.stderr)
    return ["the data break an invariant, or could not be checked; see above"]


def own_environment() -> dict[str, str]:
    """Return the environment without the settings of any other Stagedoor."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STAGEDOOR_")}


if __name__ == "__main__":
    main()
