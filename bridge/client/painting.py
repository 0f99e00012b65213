"""One call a picture: what scripts use of :class:`.bridge.Bridge`, made of what hosts use of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional

from ..protocol.messages import Document, Extent, OnDisconnect, Planned, Rect, ResultFormat
from .job import Job, JobResult, JobUpdate, Pixels
from .job_request import JobRequest, PaintingOptions, ProgressCallback, progress_only
from .options import SettingsOptions
from .waiting import wait_for

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Painting"]


class Painting:
    """Pictures are Pillow's, or NumPy's arrays (height, width, channels) of uint8, uint16, float16 or float32, sRGB
    with straight alpha; masks have one channel, and may be of bool. Layers come in the picture's own depth.

    All methods block, and raise BridgeError for what the bridge refuses, ClientError where there is no connection,
    TypeError for what is no picture or no option, TimeoutError after ``timeout`` seconds. Whatever ends the waiting,
    Ctrl-C too, cancels the job. ``on_progress`` is called on the client's thread.
    """

    def fill(
        self,
        image: Any,
        mask: Any,
        *,
        on_progress: Optional[ProgressCallback] = None,
        timeout: Optional[float] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Repaint what is white in a mask."""
        return self._result(self.start("fill", image, mask, on_progress=on_progress, **options), timeout)

    def refine(
        self,
        image: Any,
        mask: Any = None,
        *,
        on_progress: Optional[ProgressCallback] = None,
        timeout: Optional[float] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Repaint a picture, or what is white in a mask, and keep its forms: ``strength`` says how closely."""
        return self._result(self.start("refine", image, mask, on_progress=on_progress, **options), timeout)

    def generate(
        self,
        size: tuple[int, int],
        *,
        on_progress: Optional[ProgressCallback] = None,
        timeout: Optional[float] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Paint a new picture of this width and height."""
        return self._result(self.start("generate", size, on_progress=on_progress, **options), timeout)

    def upscale(
        self,
        image: Any,
        scale: int = 2,
        *,
        on_progress: Optional[ProgressCallback] = None,
        timeout: Optional[float] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Enlarge a picture two or four times."""
        return self._result(self.start("upscale", image, scale=scale, on_progress=on_progress, **options), timeout)

    def estimate(
        self,
        image: Any,
        kind: str,
        mask: Any = None,
        *,
        on_progress: Optional[ProgressCallback] = None,
        timeout: Optional[float] = None,
        **options: Unpack[PaintingOptions],
    ) -> JobResult:
        """Make a map of a picture, or of what is white in a mask, for use as a condition of that kind, such as
        ``depth``. Those that can be made are named by :attr:`.bridge.Bridge.checkpoints`, as ``maps``.
        """
        options["control_kind"] = kind
        return self._result(self.start("estimate", image, mask, on_progress=on_progress, **options), timeout)

    def start(
        self,
        kind: str,
        image: Any,
        mask: Any = None,
        *,
        scale: int = 1,
        on_progress: Optional[ProgressCallback] = None,
        **options: Unpack[PaintingOptions],
    ) -> Job:
        """Begin a job of any kind, and return once it is planned: :meth:`.job.Job.events` tells of it,
        :meth:`.job.Job.cancel` stops it, :meth:`.job.Job.result` waits for it. ``image`` is a size with ``generate``.
        """
        request = JobRequest.of(kind, image, mask, scale=scale, **options)
        planned = self.plan(**request.planning())
        return self.submit(**request.sending(planned), on_event=progress_only(on_progress))

    # ------------------------------------------------------------ the host's side, of which this is made

    def plan(self, *, timeout: Optional[float] = None, **fields: Any) -> Planned:
        """As :meth:`.bridge.Bridge.plan`."""
        raise NotImplementedError

    def submit(
        self,
        *,
        canvas: Extent,
        context: Rect,
        picture: Optional[Pixels] = None,
        selection: Optional[Pixels] = None,
        result: Optional[ResultFormat] = None,
        on_disconnect: str = OnDisconnect.KEEP,
        document: Optional[Document] = None,
        on_event: Optional[Callable[[JobUpdate], None]] = None,
        on_done: Optional[Callable[[Job], None]] = None,
        **settings: Unpack[SettingsOptions],
    ) -> Job:
        """As :meth:`.bridge.Bridge.submit`."""
        raise NotImplementedError

    @staticmethod
    def _result(job: Job, timeout: Optional[float]) -> JobResult:
        return wait_for(job, job.result, timeout)
