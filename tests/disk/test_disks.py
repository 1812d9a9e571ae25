"""A disk of one's own is left out where nobody may mount one, and for no other reason."""

import ctypes
import errno

import pytest

from tests.disk import disks


class Refuses:
    """A C library that mounts nothing."""

    def __init__(self, number: int) -> None:
        self._number = number

    def mount(self, *_: object) -> int:
        ctypes.set_errno(self._number)
        return -1


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES])
def test_without_the_right_it_is_left_out(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "_LIBC", Refuses(number))

    assert not disks.may_mount()


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EINVAL, errno.ENODEV])
def test_a_mount_that_fails_of_anything_else_fails_the_tests(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "_LIBC", Refuses(number))

    with pytest.raises(OSError) as failure:  # noqa: PT011 -- by its number
        disks.may_mount()

    assert failure.value.errno == number
