"""What reads strangers' bytes: every input that was ever of interest, and some thousand new ones by coverage."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from fuzz import fuzz, inputs
from fuzz_targets import TARGETS

RUNS = 2000


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_the_corpus_is_read_or_refused(name: str) -> None:
    target = TARGETS[name]()
    found = inputs(name)
    assert found
    for data in found:
        target(data)


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris, which guides by coverage, has no package here")
@pytest.mark.parametrize("name", TARGETS)
def test_what_is_made_of_them_is_read_or_refused(name: str) -> None:
    """`make fuzz` looks for longer."""
    assert fuzz(name, 0, RUNS), "the input lies in fuzz-output"
