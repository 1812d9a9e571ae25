"""
Runs the proofs, which take minutes to hours, and keeps what they showed.

A proof is a module tests/proofs/NAME.py that prints what it found as Markdown and exits 1 if what it proves does
not hold. Each report goes to build/proof/NAME.md; one that holds also to docs/evidence/NAME.md, with what it takes to
run it again.
"""

import argparse
import datetime as dt
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROOFS = ROOT / "tests" / "proofs"
REPORTS = ROOT / "build" / "proof"
EVIDENCE = ROOT / "docs" / "evidence"

MISSED = "**missed**"
"""Stands in a table behind a goal that was not reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a proof: what it printed, and what a reader needs to judge and repeat it."""

    name: str
    command: str
    commit: str
    started_at: dt.datetime
    seconds: float
    machine: str
    findings: str
    status: int

    @property
    def holds(self) -> bool:
        """Whether the proof ended well and said anything."""
        return self.status == 0 and self.findings.strip() != ""


def main() -> None:
    """Run the proofs asked for, one after the other, and exit 1 if any does not hold."""
    parser = argparse.ArgumentParser(description="Run proofs and write docs/evidence.")
    parser.add_argument("names", nargs="*", metavar="PROOF", help="modules of tests/proofs; all if none is named")
    ours, for_proofs = split(sys.argv[1:])
    names = chosen(parser.parse_args(ours).names, known=known_proofs(PROOFS))
    failed = [name for name in names if not keep(run(name, for_proofs), reports=REPORTS, evidence=EVIDENCE)]
    print(f"\n{len(names) - len(failed)} hold, {len(failed)} do not{': ' if failed else ''}{', '.join(failed)}")
    sys.exit(1 if failed else 0)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments before `--`, which are ours, and those after it, which are the proofs'."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return [*arguments[:at]], [*arguments[at + 1 :]]


def known_proofs(folder: Path) -> list[str]:
    """Return the names of the proofs in *folder*; a module whose name begins with _ helps them."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def chosen(names: Sequence[str], *, known: Sequence[str]) -> Sequence[str]:
    """Return *names*, or all that are *known* where none is named."""
    if unknown := sorted(set(names) - set(known)):
        sys.exit(f"There is no proof {', '.join(unknown)}: there are {', '.join(known) or 'none'}.")
    return names or known


def run(name: str, arguments: Sequence[str]) -> Run:
    """Run one proof; what it tells of its progress goes to the terminal."""
    print(f"== {name}", flush=True)
    commit, started_at, started = commit_here(), dt.datetime.now(dt.UTC), time.monotonic()
    command = [sys.executable, "-m", f"tests.proofs.{name}", *arguments]
    environment = {variable: value for variable, value in os.environ.items() if not variable.startswith("STAGEDOOR_")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
    )
    return Run(
        name=name,
        command=f"make proof ONLY={name}" + (f" ARGS={shlex.quote(shlex.join(arguments))}" if arguments else ""),
        commit=commit,
        started_at=started_at,
        seconds=time.monotonic() - started,
        machine=machine(),
        findings=done.stdout.decode(errors="replace"),
        status=done.returncode,
    )


def keep(this: Run, *, reports: Path, evidence: Path) -> bool:
    """Write the report, as evidence too if the proof holds; return whether it does."""
    text = page(this)
    folders = [reports, evidence] if this.holds else [reports]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{this.name}.md").write_text(text, encoding="utf-8")
    if not this.holds:
        print(text)
    print(f"{this.name}: {verdict(this)} in {this.seconds:.1f} s", flush=True)
    return this.holds


def page(this: Run) -> str:
    """Return the report as a page of Markdown."""
    rows = {
        "command": f"`{this.command}`",
        "commit": this.commit,
        "date": this.started_at.strftime("%Y-%m-%d %H:%M UTC"),
        "machine": this.machine,
        "duration": f"{this.seconds:.0f} s",
        "verdict": verdict(this),
    }
    table = "".join(f"| {what} | {value} |\n" for what, value in rows.items())
    return f"# Evidence: {this.name}\n\n| | |\n|---|---|\n{table}\n{this.findings.strip()}\n"


def verdict(this: Run) -> str:
    """Say in words how the proof ended; one that only measures may miss goals, which its table marks."""
    if this.status == 0 and not this.holds:
        return "does not hold (it found nothing to say)"
    if not this.holds:
        return f"does not hold (exit status {this.status})"
    missed = this.findings.count(MISSED)
    return f"the figures are sound, goals missed: {missed}" if missed else "holds"


def commit_here() -> str:
    """Return the commit that is checked out, and whether anything but evidence differs from it."""
    head = git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "unknown (not a git checkout)"
    changed = git("status", "--porcelain", "--", ".", ":(exclude)docs/evidence")
    return f"{head}, with changes" if changed else head


def git(*arguments: str) -> str:
    """Return what git says, or nothing where there is no git."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def machine() -> str:
    """Say what ran the proof: processors, how busy they were in the last minute, system, Python."""
    models = [line.partition(":")[2].strip() for line in cpu_info().splitlines() if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    load = os.getloadavg()[0]
    system = f"{platform.system()} {platform.release()}"
    return f"{os.cpu_count()} x {model}, load {load:.1f} at the end; {system}; Python {platform.python_version()}"


def cpu_info() -> str:
    """Return what Linux says of its processors; nothing elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
