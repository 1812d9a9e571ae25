"""A database server's URL: what it may say, and what is made of it."""

import ssl
from pathlib import Path

import pytest

from stagedoor.adapters.sql.server_url import UnfitURL, server_url


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("mariadb://ann:secret@db:3306/shop", "mariadb+asyncmy"),
        ("mysql+asyncmy://ann:secret@db:3306/shop", "mariadb+asyncmy"),
        ("postgresql://ann:secret@db:5432/shop", "postgresql+asyncpg"),
        ("postgres://ann:secret@db:5432/shop", "postgresql+asyncpg"),
    ],
)
def test_each_kind_has_one_driver(url: str, driver: str) -> None:
    address, tls = server_url(url)

    assert address.drivername == driver
    assert (address.username, address.password, address.host, address.database) == ("ann", "secret", "db", "shop")
    assert tls is None


def test_a_password_is_written_as_in_any_url() -> None:
    address, _ = server_url("postgresql://ann:p%40ss%2Fw%C3%B6rd@db/shop")

    assert address.password == "p@ss/wörd"  # noqa: S105 -- as written above


@pytest.mark.parametrize(
    ("mode", "checks_host", "verifies"),
    [
        ("require", False, ssl.CERT_NONE),
        ("verify-ca", False, ssl.CERT_REQUIRED),
        ("verify-full", True, ssl.CERT_REQUIRED),
    ],
)
def test_the_modes_of_tls(mode: str, verifies: ssl.VerifyMode, *, checks_host: bool) -> None:
    address, tls = server_url(f"mariadb://db/shop?sslmode={mode}")

    assert tls is not None
    assert (tls.check_hostname, tls.verify_mode) == (checks_host, verifies)
    assert tls.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert not address.query


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("oracle://db/shop", "there is no adapter for oracle: there are mariadb and postgresql"),
        ("mariadb://db/shop?charset=latin1", "nothing is known of charset"),
        ("mariadb://db/shop?sslmode=maybe", "sslmode cannot be maybe"),
        ("postgresql://db/shop?sslrootcert=/ca.pem", "sslrootcert means nothing without an sslmode that encrypts"),
        ("postgresql://db/shop?sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "a certificate cannot be used"),
        ("postgresql://db/shop?sslmode=require&sslkey=/nowhere.key", "sslkey means nothing without sslcert"),
        ("postgresql://db/shop?sslmode=require&sslmode=disable", "sslmode is said twice"),
    ],
)
def test_what_cannot_be_used_is_said(url: str, sentence: str) -> None:
    with pytest.raises(UnfitURL, match=sentence):
        server_url(url)


def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("hello")

    with pytest.raises(UnfitURL, match="a certificate cannot be used"):
        server_url(f"postgresql://db/shop?sslmode=verify-ca&sslrootcert={ca}")
