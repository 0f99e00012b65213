"""The accelerator that is used, the precision that suits it, and why."""

import platform
from dataclasses import dataclass, replace
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch

from ..errors import Sentence

__all__ = ["Device", "find_device", "is_out_of_memory", "make_deterministic"]


@dataclass(frozen=True)
class Device:
    """What models run on.

    `kind` is cpu, cuda, rocm, xpu or mps; `memory_bytes` its whole memory; `dtype` the denoiser's and text encoders'
    precision by torch's name (the VAE stays in float32, since half precision bands the picture).
    """

    kind: str
    name: str
    memory_bytes: int
    dtype: str
    reason: str

    @property
    def torch_device(self) -> torch.device:
        """The device as torch names it (ROCm answers to cuda)."""
        return torch.device("cuda" if self.kind == "rocm" else self.kind)

    @property
    def torch_dtype(self) -> torch.dtype:
        """The precision as torch's own object."""
        found = getattr(torch, self.dtype)
        assert isinstance(found, torch.dtype)
        return found

    @property
    def batches(self) -> bool:
        """Whether the pictures of a batch are denoised together: yes where that is faster, so not on a CPU."""
        return self.kind != "cpu"

    @property
    def has_memory(self) -> bool:
        """Whether its memory is its own, so that what does not fit there can wait in the machine's."""
        return self.kind in ("cuda", "rocm", "xpu")

    @property
    def has_streams(self) -> bool:
        """Whether it computes while weights come to it."""
        return self.kind in ("cuda", "rocm", "xpu")

    def in_half(self, half: str) -> "Device":
        """This device, where it computes in half precision in the one of that name, if it can."""
        if self.dtype not in ("float16", "bfloat16") or self.dtype == half:
            return self
        return replace(self, dtype=half) if half == "float16" or self.has_bfloat16 else self

    @property
    def has_bfloat16(self) -> bool:
        """Whether its own units compute in bfloat16."""
        if self.kind == "cuda":
            return torch.cuda.get_device_capability(0) >= (8, 0)
        return self.kind in ("cpu", "rocm", "xpu", "mps")

    def empty_cache(self) -> None:
        """Gives back what torch holds of the device's memory and nobody uses."""
        if (backend := self._backend) is not None:
            backend.empty_cache()

    def synchronize(self) -> None:
        """Waits until the device has done all that it was told."""
        if (backend := self._backend) is not None:
            backend.synchronize()

    @property
    def _backend(self) -> Any:
        """torch's module for the device; None for a CPU."""
        return None if self.kind == "cpu" else getattr(torch, self.torch_device.type)


def find_device() -> Device:
    """The best device that this torch can use; its `reason` is a sentence for people."""
    if torch.cuda.is_available():
        return _cuda()
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        properties = torch.xpu.get_device_properties(0)
        return Device("xpu", properties.name, properties.total_memory, "bfloat16", "torch found an Intel GPU.")
    if torch.backends.mps.is_available():
        memory = psutil.virtual_memory().total
        return Device("mps", "Apple GPU", memory, "float16", "torch found Apple's GPU, which shares the main memory.")
    build = torch.__version__.partition("+")[2]
    why = f"this torch is built for {build} alone" if build == "cpu" else "torch found no GPU that it can use"
    name = platform.processor() or platform.machine() or "CPU"
    return Device(
        "cpu", name, psutil.virtual_memory().total, "float32", Sentence("The CPU is used, since {why}.", why=why)
    )


def _cuda() -> Device:
    properties = torch.cuda.get_device_properties(0)
    if torch.version.hip:
        return Device("rocm", properties.name, properties.total_memory, "float16", "torch found an AMD GPU (ROCm).")
    if torch.cuda.get_device_capability(0) >= (7, 0) and "GTX 16" not in properties.name:
        return Device("cuda", properties.name, properties.total_memory, "float16", "torch found an NVIDIA GPU (CUDA).")
    reason = "torch found an NVIDIA GPU (CUDA); it computes in full precision, since its half precision is not sound."
    return Device("cuda", properties.name, properties.total_memory, "float32", reason)


def make_deterministic(device: Device) -> None:
    """Has torch repeat itself bit by bit for the same request, where that costs nothing."""
    if device.kind == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    else:
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python ran out of memory; on a CPU torch says so in words alone."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error) for words in ("allocate memory", "out of memory", "not enough memory"))
