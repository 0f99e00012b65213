"""The same for scripts on an event loop of their own: ``async with AsyncBridge() as bridge``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from .bridge import Bridge
from .discovery import Address
from .job import Job, JobResult, JobUpdate, TrainedLora
from .job_request import JobRequest, PaintingOptions, ProgressCallback, progress_only
from .lora_training import TrainOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AsyncBridge"]

J = TypeVar("J", bound=Job)


class AsyncBridge:
    """A connection for ``async with``. Methods, options and errors are those of :class:`.painting.Painting`; a task
    that is cancelled cancels its job, and ``on_progress`` is called on the caller's loop. Jobs may run side by side.
    """

    def __init__(self, address: Optional[Address] = None, *, client: str = "paintbridge-client") -> None:
        self._address = address
        self._client = client
        self._bridge: Optional[Bridge] = None

    @property
    def bridge(self) -> Bridge:
        """The connection below, for what does not wait: ``welcome``, ``checkpoints``, ``device``.

        Raises:
            RuntimeError: outside ``async with``.
        """
        if self._bridge is None:
            raise RuntimeError("An AsyncBridge is open within `async with` only.")
        return self._bridge

    async def __aenter__(self) -> AsyncBridge:
        self._bridge = await asyncio.to_thread(Bridge, self._address, client=self._client)
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        bridge, self._bridge = self.bridge, None
        await asyncio.to_thread(bridge.close)

    async def fill(
        self,
        image: Any,
        mask: Any,
        *,
        on_progress: Optional[ProgressCallback] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Repaint what is white in a mask."""
        return await self._paint(on_progress, "fill", image, mask, **options)

    async def refine(
        self,
        image: Any,
        mask: Any = None,
        *,
        on_progress: Optional[ProgressCallback] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Repaint a picture, or what is white in a mask, and keep its forms: ``strength`` says how closely."""
        return await self._paint(on_progress, "refine", image, mask, **options)

    async def generate(
        self,
        size: tuple[int, int],
        *,
        on_progress: Optional[ProgressCallback] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Paint a new picture of this width and height."""
        return await self._paint(on_progress, "generate", size, **options)

    async def upscale(
        self,
        image: Any,
        scale: int = 2,
        *,
        on_progress: Optional[ProgressCallback] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Enlarge a picture two or four times."""
        return await self._paint(on_progress, "upscale", image, scale=scale, **options)

    async def estimate(
        self,
        image: Any,
        kind: str,
        mask: Any = None,
        *,
        on_progress: Optional[ProgressCallback] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Make a map of a picture for use as a condition: :meth:`.painting.Painting.estimate`."""
        options["control_kind"] = kind
        return await self._paint(on_progress, "estimate", image, mask, **options)

    async def train_lora(
        self,
        images: Sequence[Any],
        name: str,
        *,
        caption: str = "",
        captions: Sequence[str] = (),
        on_progress: Optional[ProgressCallback] = None,
        **options: Unpack[TrainOptions],
    ) -> TrainedLora:
        """Have the bridge train on what the pictures have in common: :meth:`.lora_training.LoraTraining.train_lora`."""
        options = {"on_disconnect": "cancel", **options}
        start = partial(self.bridge.start_training, images, name, caption=caption, captions=captions, **options)
        return (await self._run(on_progress, start)).lora()

    async def _paint(
        self,
        on_progress: Optional[ProgressCallback],
        kind: str,
        image: Any,
        mask: Any = None,
        *,
        scale: int = 1,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        request = await asyncio.to_thread(JobRequest.of, kind, image, mask, scale=scale, **options)
        planned = await asyncio.wrap_future(self.bridge.plan_soon(**request.planning()))
        return (await self._run(on_progress, partial(self.bridge.submit, **request.sending(planned)))).result()

    async def _run(self, on_progress: Optional[ProgressCallback], start: Callable[..., J]) -> J:
        """Have ``start`` begin a job, and wait for its end."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def on_loop(function: Callable[..., object], *arguments: object) -> None:
            # A loop that was closed meanwhile waits for nothing.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(function, *arguments)

        def tell(update: JobUpdate) -> None:
            if hear is not None:
                on_loop(hear, update)

        def end(_job: Job) -> None:
            on_loop(ended.set)

        hear = progress_only(on_progress)
        job = start(on_event=tell, on_done=end)
        try:
            await ended.wait()
        finally:
            if not job.done:
                job.cancel()
        return job
