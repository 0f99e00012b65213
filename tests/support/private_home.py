"""A home of the tests' own, so that no test reads or writes the user's."""

import pytest

__all__ = ["private_home"]


@pytest.fixture(scope="session", autouse=True)
def private_home(tmp_path_factory):
    """Import it in a conftest: all tests beside and below run with an empty home."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("USERPROFILE", str(home))
        yield home
