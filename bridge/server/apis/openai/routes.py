"""The endpoints."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ....imaging.orders import BaseImage, Encoded, Selecting, Thumbnail
from ....imaging.process import Imaging
from ....protocol.errors import BridgeError
from ....protocol.messages import CheckpointInfo, Extent, Preview
from ...logs import log_fault
from ...service import Service
from ..answers import answer, ignored_headers, told
from ..api_job import ApiJob, Paintings
from ..bodies import read_form, read_json
from ..gate import KEPT
from ..hangup import unless_hung_up
from ..in_process import Follow, InProcessClient
from .events import WAITING, EventStream, Follower, event
from .kept import Kept, address_of
from .orders import Form, Order, Pictures, find_checkpoint, native_size, read_order, read_pictures
from .shape import OpenAIShape

__all__ = ["routes"]

_EDIT_STRENGTH = 0.75
"""How far a picture is repainted of which nothing is masked: its forms stay."""

_FIRST_ONLY = "The bridge edits one picture a request: the first. The others had no effect."


def routes(service: Service, imaging: Imaging) -> list[Route]:
    """All endpoints, for one bridge."""
    api = _Api(service, imaging)
    found = {
        ("POST", "/v1/images/generations"): api.generations,
        ("POST", "/v1/images/edits"): api.edits,
        ("POST", "/v1/images/variations"): api.variations,
        ("GET", f"{KEPT}{{name}}"): api.kept,
        ("GET", "/v1/models"): api.models,
        ("GET", "/v1/models/{model:path}"): api.model,
    }
    shape = OpenAIShape()
    return [Route(path, told(handler, shape), methods=[method]) for (method, path), handler in found.items()]


@dataclass(frozen=True)
class _Work:
    """What is to be done. ``fields`` are the job's; ``event`` begins its events' names."""

    api_job: ApiJob
    order: Order
    event: str
    fields: dict[str, Any]
    ignored: tuple[str, ...]
    notes: tuple[str, ...] = ()


class _Api:
    def __init__(self, service: Service, imaging: Imaging) -> None:
        self._service = service
        self._client = InProcessClient(service)
        self._imaging = imaging
        self._kept = Kept(service.token)

    async def generations(self, request: Request) -> Response:
        checkpoints = await self._checkpoints()
        order = read_order(await read_json(request, most_bytes=self._service.settings.request_bytes), checkpoints)
        api_job = self._api_job()
        size = order.size or native_size(order.checkpoint, checkpoints)
        api_job.blank(size.width, size.height)
        return await self._do(request, _Work(api_job, order, "image_generation", {"kind": "generate"}, order.ignored))

    async def edits(self, request: Request) -> Response:
        form = await read_form(request, most_bytes=self._service.settings.request_bytes)
        pictures, rest = read_pictures(form)
        order = read_order(rest, await self._checkpoints())
        return await self._do(request, await unless_hung_up(request, self._edit(order, pictures)))

    async def variations(self, request: Request) -> Response:
        form = await read_form(request, most_bytes=self._service.settings.request_bytes)
        pictures, rest = read_pictures({name: files for name, files in form.items() if name != "mask"})
        order = read_order(rest, await self._checkpoints(), prompted=False)
        api_job = self._api_job()
        await unless_hung_up(
            request, api_job.lay_out(BaseImage(api_job.look(pictures.image), order.size, "crop"), None)
        )
        ignored = (*order.ignored, *pictures.ignored, *(name for name in form if name == "mask"))
        fields = {"kind": "refine", "strength": _EDIT_STRENGTH}
        return await self._do(request, _Work(api_job, order, "image_edit", fields, ignored))

    async def kept(self, request: Request) -> Response:
        found = self._kept.answer(request.path_params["name"])
        return found or OpenAIShape().refuse("There is no such picture, or its time is over.", 404)

    async def models(self, _request: Request) -> Response:
        return answer({"object": "list", "data": [_model(entry.name) for entry in await self._checkpoints()]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["model"]
        return answer(_model(find_checkpoint(name, await self._checkpoints()) or name))

    # ------------------------------------------------------------ inside

    async def _edit(self, order: Order, pictures: Pictures) -> _Work:
        api_job = self._api_job()
        picture = api_job.look(pictures.image)
        base = BaseImage(picture, order.size, "crop")
        mask: Encoded | None = None if pictures.mask is None else api_job.look(pictures.mask)
        fields: dict[str, Any] = {"kind": "fill"}
        try:
            await api_job.lay_out(base, Selecting(mask or picture, "transparency"))
        except BridgeError as error:
            # Without a mask the picture's own transparency is one; without that all of it is edited.
            if mask is not None or error.code != "empty_selection":
                raise
            await api_job.lay_out(base, None)
            fields = {"kind": "refine", "strength": _EDIT_STRENGTH}
        ignored = (*order.ignored, *pictures.ignored)
        return _Work(api_job, order, "image_edit", fields, ignored, (_FIRST_ONLY,) if pictures.ignored else ())

    async def _do(self, request: Request, work: _Work) -> Response:
        if work.order.stream:
            events = self._events(work)

            async def begin() -> bytes:
                return await anext(events)

            # Whatever is refused is so before the answer begins, and has a status of its own.
            first = await unless_hung_up(request, begin())
            return EventStream(request, _after(first, events), ignored_headers(work.ignored))
        done = await unless_hung_up(request, self._paint(work, lambda _: None, previews=False))
        content = await asyncio.to_thread(self._content, done, work, address_of(request))
        return answer(content, work.ignored)

    async def _paint(self, work: _Work, follow: Follow, *, previews: bool) -> Paintings:
        order = work.order
        return await work.api_job.paint(
            self._client.name(),
            follow,
            lambda _: (),
            file_kind=order.file_kind,
            prompt=order.prompt,
            batch=order.count,
            checkpoint=order.checkpoint,
            previews=previews,
            **work.fields,
        )

    def _content(self, done: Paintings, work: _Work, address: str) -> dict[str, Any]:
        form = work.order.form
        data: list[dict[str, str]] = [{} for _ in done.files]
        for entry, file in zip(data, done.files, strict=True):
            if form in (Form.BASE64, Form.BOTH):
                entry["b64_json"] = base64.b64encode(file).decode()
            if form in (Form.ADDRESS, Form.BOTH):
                entry["url"] = address + self._kept.add(file, work.order.file_kind)
        content = {"created": int(time()), **_described(work), "data": data}
        notes = (*work.notes, *done.hints)
        if work.ignored or notes:
            content["paintbridge"] = {"ignored": list(work.ignored), "notes": list(notes)}
        return content

    async def _events(self, work: _Work) -> AsyncGenerator[bytes]:
        follower, index = Follower(work.order.partial_images), 0
        painting = self._paint(work, follower.follow, previews=work.order.partial_images > 0)
        async with contextlib.aclosing(follower.previews(painting)) as found:
            async for part in found:
                if isinstance(part, Preview):
                    yield self._event(work, "partial_image", await self._shown(part, work), partial_image_index=index)
                    index += 1
                elif isinstance(part, Paintings):
                    for file in part.files:
                        yield self._event(work, "completed", file, usage=_USAGE)
                else:
                    yield WAITING

    async def _shown(self, preview: Preview, work: _Work) -> bytes:
        size = Extent(work.api_job.canvas.width, work.api_job.canvas.height)
        order = Thumbnail(preview.width, preview.height, preview.data, size, work.order.file_kind)
        return await self._imaging.thumbnail(order)

    def _event(self, work: _Work, kind: str, file: bytes, **more: Any) -> bytes:
        name = f"{work.event}.{kind}"
        content = {"type": name, "b64_json": base64.b64encode(file).decode(), "created_at": int(time())}
        return event(name, {**content, **_described(work), "quality": "auto", **more})

    def _api_job(self) -> ApiJob:
        return ApiJob(self._client, self._imaging, self._service.settings.picture_pixels)

    async def _checkpoints(self) -> Sequence[CheckpointInfo]:
        return (await self._service.models.current()).message.checkpoints


# Nothing is counted, and clients read it.
_USAGE = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_tokens_details": {"text_tokens": 0, "image_tokens": 0},
}


async def _after(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The whole answer. It has begun: what goes wrong from here on can only be told in it."""
    yield first
    try:
        async with contextlib.aclosing(rest):
            async for part in rest:
                yield part
    except BridgeError as error:
        yield event("error", OpenAIShape.content(error))
    except Exception:  # noqa: BLE001 - one request's fault must not show its words to anybody
        log_fault("a request ran into an unforeseen error", api=OpenAIShape.name)
        yield event("error", OpenAIShape.content(BridgeError("internal")))


def _described(work: _Work) -> dict[str, Any]:
    canvas = work.api_job.canvas
    return {
        "background": "opaque",
        "output_format": work.order.file_kind,
        "size": f"{canvas.width}x{canvas.height}",
    }


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "paintbridge"}
