"""The signing secret: the one that is set, or one that is generated once and kept beside the data."""

import os
import secrets
import stat
from pathlib import Path

from stagedoor.settings.errors import SettingsError
from stagedoor.settings.kinds import SECRET_BYTES_MIN
from stagedoor.settings.model import Settings
from stagedoor.settings.setting import variable

SECRET_FILE = "secret"  # noqa: S105 -- the name of the file
GENERATED_BYTES = 48


def signing_secret(settings: Settings) -> str:
    """
    Return SECRET, or else what the file DATA_DIR/secret holds, which is made where it is missing.

    The file is readable by its owner alone. Raises `SettingsError` where it
    cannot be made or read, is too short, or is open to others.
    """
    if settings.secret is not None:
        return settings.secret
    path = settings.data_dir / SECRET_FILE
    try:
        if not path.exists():
            _generate(path)
        return _stored(path)
    except OSError as error:
        raise SettingsError(
            f"The secret file {path} cannot be used ({error.strerror}): mend that, or set {variable('secret')}."
        ) from error


def _generate(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(GENERATED_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and never replaces what another process has just made.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make the new name durable: tokens signed with a secret that is gone after a crash are worth nothing."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stored(path: Path) -> str:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"The secret file {path} can be read by others (mode {mode:04o}): `chmod 600` it, or set "
            f"{variable('secret')}."
        )
    stored = path.read_text(encoding="utf-8", errors="replace").strip()
    if len(stored.encode()) < SECRET_BYTES_MIN:
        raise SettingsError(
            f"The secret file {path} holds {len(stored.encode())} bytes, but a secret has to be at least "
            f"{SECRET_BYTES_MIN} bytes long: restore it, or remove it to get a new one (every token given out so far "
            "becomes void)."
        )
    return stored
