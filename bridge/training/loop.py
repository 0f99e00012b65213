"""The loop that every stage runs in: batches by step, AdamW with a cosine, a moving average, states on disk."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from . import state
from .errors import LossNotFinite

__all__ = ["Stage", "Step", "TrainingResult", "TrainingSchedule", "train"]


class Stage(Protocol):
    """What is trained: ``module(**batch(step))`` returns its losses by name, of which ``loss`` is minimised."""

    module: nn.Module

    def batch(self, step: int, process: int) -> dict[str, Tensor]: ...

    def samples(self, averages: dict[str, Tensor], path: Path) -> None: ...


@dataclass(frozen=True)
class TrainingSchedule:
    """Steps, optimiser and learning rate: a linear warm-up, then a cosine down to ``min_factor`` times the rate."""

    steps: int
    learning_rate: float
    warmup_steps: int = 100
    min_factor: float = 0.02
    weight_decay: float = 1e-4
    ema_decay: float = 0.999
    max_grad_norm: float = 1.0
    seed: int = 0

    def learning_rate_at(self, step: int) -> float:
        """The learning rate at a step."""
        done = min(1.0, step / self.steps)
        cosine = self.min_factor + (1 - self.min_factor) * 0.5 * (1 + math.cos(math.pi * done))
        return self.learning_rate * cosine * min(1.0, (step + 1) / self.warmup_steps)


@dataclass(frozen=True)
class Step:
    """How far a training is: ``step`` of ``steps`` are done; the losses of the last one, by name."""

    step: int
    steps: int
    losses: dict[str, float]
    seconds_left: float


@dataclass
class TrainingResult:
    """The last step, whether it is the schedule's last, whether this process is the main one of several, and the moving
    average of the weights.
    """

    step: int
    finished: bool
    main: bool
    averages: dict[str, Tensor] = field(repr=False)


def train(
    stage: Stage,
    schedule: TrainingSchedule,
    path: Path,
    *,
    identity: str,
    mixed_precision: str = "no",
    cpu: bool = False,
    max_hours: float = math.inf,
    save_every: float = 300.0,
    samples: Path | None = None,
    sample_every: int | None = None,
    say: Callable[[str], None] = print,
    report: Callable[[Step], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Train to the schedule's end, for ``max_hours``, or until ``stop`` says so; go on from the state at ``path`` if
    there is one.

    The state is written every ``save_every`` seconds and at the end, whichever of these it is. Samples are painted into
    the folder ``samples`` whenever the state is written, or every ``sample_every`` steps. ``report`` is called
    after each step, and ends the training where it raises. ``cpu`` keeps off a GPU that there may be. Raises
    ``LossNotFinite``, ``DiskFull`` and ``StateInvalid``; the state on disk is whole in every case.
    """
    accelerator = Accelerator(mixed_precision=mixed_precision, cpu=cpu)
    torch.manual_seed(schedule.seed)
    optimizer = torch.optim.AdamW(
        [parameter for parameter in stage.module.parameters() if parameter.requires_grad],
        lr=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    module, optimizer = accelerator.prepare(stage.module, optimizer)
    bare = accelerator.unwrap_model(module)
    # To find them anew in every step would cost a small model as much as its forward pass.
    trainable = {name: value for name, value in bare.named_parameters() if value.requires_grad}
    averages = {name: value.detach().clone() for name, value in trainable.items()}
    step = state.load(path, bare, optimizer, averages, identity) if path.exists() else 0
    if step:
        say(f"going on from step {step}")
    process = accelerator.process_index

    def save_state() -> None:
        if accelerator.is_main_process:
            state.save(path, bare, optimizer, averages, step, identity)
            if sample_every is None:
                save_samples()

    def save_samples() -> None:
        if accelerator.is_main_process and samples is not None:
            stage.samples(averages, samples / f"{step:06d}.png")

    def should_stop() -> bool:
        wanted = step >= schedule.steps or time.monotonic() - began >= max_hours * 3600 or stop()
        if accelerator.num_processes == 1:
            return wanted
        # Clocks differ, and none may wait for one that has left.
        votes = torch.tensor([float(wanted)], device=accelerator.device)
        return bool(accelerator.reduce(votes).item())

    began = saved = logged = time.monotonic()
    first_step = logged_step = step
    sums: dict[str, float] = {}
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(stage.batch, step, process)
        while not should_stop():
            batch = coming.result()
            coming = ahead.submit(stage.batch, step + 1, process)
            losses = _step(accelerator, module, optimizer, list(trainable.values()), batch, schedule, step)
            if losses is None:
                raise LossNotFinite(step)
            step += 1
            _update_averages(averages, trainable, min(schedule.ema_decay, (1 + step) / (10 + step)))
            sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
            now = time.monotonic()
            each = (now - began) / (step - first_step)
            report(Step(step, schedule.steps, losses, each * (schedule.steps - step)))
            if now - logged > 15 or step == schedule.steps:
                means = "  ".join(f"{name} {value / (step - logged_step):.4f}" for name, value in sums.items())
                say(f"step {step}/{schedule.steps}  {(now - logged) / (step - logged_step):.3f} s  {means}")
                logged, logged_step, sums = now, step, {}
            if sample_every is not None and (step % sample_every == 0 or step == schedule.steps):
                save_samples()
            if now - saved > save_every:
                save_state()
                saved = time.monotonic()
        coming.cancel()
    save_state()
    return TrainingResult(step, step >= schedule.steps, accelerator.is_main_process, averages)


def _step(
    accelerator: Accelerator,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    trainable: list[nn.Parameter],
    batch: dict[str, Tensor],
    schedule: TrainingSchedule,
    step: int,
) -> dict[str, float] | None:
    """One step's losses; None, and no weight touched, where they or their gradients are no finite numbers."""
    for group in optimizer.param_groups:
        group["lr"] = schedule.learning_rate_at(step)
    losses = module(**{name: tensor.to(accelerator.device) for name, tensor in batch.items()})
    optimizer.zero_grad()
    accelerator.backward(losses["loss"])
    values = {name: float(value.detach()) for name, value in losses.items()}
    if not math.isfinite(values["loss"]):
        return None
    norm = accelerator.clip_grad_norm_(trainable, schedule.max_grad_norm)
    # In float16 gradients overflow now and then: the scaler leaves such a step out, and scales less.
    if accelerator.scaler is None and norm is not None and not math.isfinite(norm):
        return None
    optimizer.step()
    return values


@torch.no_grad()
def _update_averages(averages: dict[str, Tensor], trainable: dict[str, nn.Parameter], decay: float) -> None:
    """The exponential moving average of the weights, with a decay that starts low."""
    torch._foreach_lerp_(list(averages.values()), [trainable[name].data for name in averages], 1 - decay)
