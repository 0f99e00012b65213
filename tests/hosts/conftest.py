"""The room that real hosts run in, and bridges beside it. ``TEST_HOSTS_RELEASE`` says of which release of Debian it is,
and so which hosts there are.

Elsewhere than on Linux as root, or without a network for the first time, there may be neither a chroot nor installed
hosts: these tests are skipped then, and with ``CI`` set they fail.
"""

from __future__ import annotations

import os

import pytest
from host_room import HostRoom, NoHosts, Release, chosen_release, find_host_room
from private_home import private_home

__all__ = ["private_home"]

collect_ignore = ["gimp"] if chosen_release() is Release.EXPERIMENTAL else []


@pytest.fixture(scope="session")
def host_room() -> HostRoom:
    try:
        return find_host_room()
    except NoHosts as reason:
        if os.environ.get("CI"):
            pytest.fail(f"The hosts' tests must run here, and cannot: {reason}")
        pytest.skip(f"THE REAL HOSTS ARE NOT TESTED: {reason}")
