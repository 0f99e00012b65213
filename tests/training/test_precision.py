import platform
from pathlib import Path

import pytest
import torch

from bridge.training.precision import AUTO, mixed_precision


@pytest.mark.parametrize("wanted", ["no", "bf16", "fp16"])
def test_what_is_asked_for_is_used(wanted):
    assert mixed_precision(wanted) == wanted


@pytest.mark.skipif(
    torch.cuda.is_available() or (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="asks Linux what the processor can do",
)
def test_a_processor_trains_in_bfloat16_only_where_it_has_instructions_for_it():
    told = Path("/proc/cpuinfo").read_text().split()
    assert mixed_precision(AUTO) == ("bf16" if {"avx512_bf16", "amx_bf16"} & set(told) else "no")
