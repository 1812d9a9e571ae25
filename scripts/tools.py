"""Builds what is built once per machine, outside of any checkout: k6 with Go, and Kafka's jars with Maven."""

import shutil
import sys

from scripts import k6
from scripts.services import kafka
from scripts.services.kept import TOOLS, kept


def main() -> None:
    """Build what is not there yet; exit 1 with a sentence for each that could not be built."""
    complaints = [complaint for complaint in (build_k6(), build_kafka()) if complaint]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if complaints:
        sys.exit(1)
    print(f"All is in {TOOLS}.")


def build_k6() -> str:
    """Build k6; say why it cannot be built."""
    try:
        k6.build()
    except SystemExit as failed:
        return str(failed)
    return ""


def build_kafka() -> str:
    """Fetch Kafka's jars; say why they cannot be fetched."""
    if (TOOLS / kafka.JARS).exists():
        return ""
    if missing := [program for program in ("java", "mvn") if shutil.which(program) is None]:
        return f"Kafka runs on Java 17 or newer and is fetched by Maven; there is no {' and no '.join(missing)} here."
    print(f"Fetching Kafka {kafka.VERSION} by Maven into {TOOLS / kafka.JARS} ...", flush=True)
    try:
        kept(kafka.JARS, kafka.fetch_jars)
    except ChildProcessError as failed:
        return f"Kafka's jars were not fetched: {failed}"
    return ""


if __name__ == "__main__":
    main()
