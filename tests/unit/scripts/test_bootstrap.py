"""What an interrupted installation leaves behind is installed again."""

from pathlib import Path

import pytest

from scripts import bootstrap


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bootstrap, "SITE_PACKAGES", tmp_path)
    return tmp_path


def test_only_what_pip_finished_counts_as_installed(site_packages: Path) -> None:
    finished, unfinished, put_aside = (
        site_packages / name for name in ("rich-15.0.dist-info", "typer-1.0.dist-info", "~yper-0.9.dist-info")
    )
    for record in (finished, unfinished, put_aside):
        record.mkdir()
        (record / "METADATA").touch()
    (finished / "INSTALLER").touch()

    bootstrap.forget_what_pip_left_unfinished()

    assert list(site_packages.iterdir()) == [finished]
