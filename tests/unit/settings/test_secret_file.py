"""A secret that nobody set is generated once, kept, and kept to ourselves."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stagedoor.settings import Settings, SettingsError, load, signing_secret


def settings_in(folder: Path, **environ: str) -> Settings:
    return load(flags={"data_dir": str(folder)}, environ=environ)


def test_it_is_generated_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "data")

    first = signing_secret(settings)

    assert len(first) >= 32
    assert signing_secret(settings) == first
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    signing_secret(settings_in(tmp_path))

    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_secret_that_is_set_leaves_no_file(tmp_path: Path) -> None:
    secret = "s" * 32

    assert signing_secret(settings_in(tmp_path, STAGEDOOR_SECRET=secret)) == secret
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)

    with ThreadPoolExecutor(8) as threads:
        generated = {found.result() for found in [threads.submit(signing_secret, settings) for _ in range(32)]}

    assert len(generated) == 1


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    signing_secret(settings)
    (tmp_path / "secret").chmod(0o644)

    with pytest.raises(SettingsError, match=r"can be read by others \(mode 0644\): `chmod 600` it"):
        signing_secret(settings)


def test_one_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o600)

    with pytest.raises(SettingsError, match="holds 0 bytes, but a secret has to be at least 32"):
        signing_secret(settings_in(tmp_path))


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    with pytest.raises(SettingsError, match=r"cannot be used .*: mend that, or set STAGEDOOR_SECRET\.$"):
        signing_secret(settings_in(tmp_path / "data" / "deeper"))
