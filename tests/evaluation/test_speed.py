"""What is timed is a real fill."""

import subprocess

import pytest

from bridge.evaluation.speed import fill_in_a_process
from bridge.models import MINI


def test_a_process_of_its_own_fills_once_and_says_where_it_cannot(tmp_path):
    fill_in_a_process(MINI, "strawberry")
    with pytest.raises(subprocess.CalledProcessError):
        fill_in_a_process(tmp_path, "strawberry")
