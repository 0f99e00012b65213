"""The endpoints."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from time import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ....imaging.orders import Encoded, Ground, Selecting
from ....imaging.process import Imaging
from ....protocol.errors import BridgeError
from ....protocol.messages import CheckpointInfo
from ...service import Service
from ..answers import answer, told
from ..bodies import read_form, read_json
from ..hangup import unless_hung_up
from ..painting import Easel, Paintings
from ..visitor import Visitor
from .orders import Order, Pictures, find_checkpoint, native_size, read_order, read_pictures
from .shape import OpenAIShape

__all__ = ["routes"]

_EDIT_STRENGTH = 0.75
"""How far a picture is repainted of which nothing is masked: its forms stay."""


def routes(service: Service, imaging: Imaging) -> list[Route]:
    """All endpoints, for one bridge."""
    api = _Api(service, imaging)
    found = {
        ("POST", "/v1/images/generations"): api.generations,
        ("POST", "/v1/images/edits"): api.edits,
        ("GET", "/v1/models"): api.models,
        ("GET", "/v1/models/{model:path}"): api.model,
    }
    shape = OpenAIShape()
    return [Route(path, told(handler, shape), methods=[method]) for (method, path), handler in found.items()]


class _Api:
    def __init__(self, service: Service, imaging: Imaging) -> None:
        self._service = service
        self._visitor = Visitor(service)
        self._imaging = imaging

    async def generations(self, request: Request) -> Response:
        checkpoints = await self._checkpoints()
        order = read_order(await read_json(request, most_bytes=self._service.settings.request_bytes), checkpoints)
        easel = self._easel()
        size = order.size or native_size(order.checkpoint, checkpoints)
        easel.blank(size.width, size.height)
        return await unless_hung_up(request, self._paint(easel, order, kind="generate"))

    async def edits(self, request: Request) -> Response:
        form = await read_form(request, most_bytes=self._service.settings.request_bytes)
        pictures, rest = read_pictures(form)
        order = read_order(rest, await self._checkpoints())
        return await unless_hung_up(request, self._edit(order, pictures))

    async def models(self, _request: Request) -> Response:
        return answer({"object": "list", "data": [_model(entry.name) for entry in await self._checkpoints()]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["model"]
        return answer(_model(find_checkpoint(name, await self._checkpoints()) or name))

    async def _edit(self, order: Order, pictures: Pictures) -> Response:
        easel = self._easel()
        picture = easel.look(pictures.image)
        ground = Ground(picture, order.size, "crop")
        mask: Encoded | None = None if pictures.mask is None else easel.look(pictures.mask)
        try:
            await easel.lay_out(ground, Selecting(mask or picture, "transparency"))
        except BridgeError as error:
            # Without a mask the picture's own transparency is one; without that all of it is edited.
            if mask is not None or error.code != "empty_selection":
                raise
            await easel.lay_out(ground, None)
            return await self._paint(easel, order, kind="refine", strength=_EDIT_STRENGTH)
        return await self._paint(easel, order, kind="fill")

    async def _paint(self, easel: Easel, order: Order, **fields: Any) -> Response:
        done = await easel.paint(
            self._visitor.name(),
            lambda _: None,
            lambda _: (),
            file_kind=order.file_kind,
            prompt=order.prompt,
            batch=order.count,
            checkpoint=order.checkpoint,
            previews=False,
            **fields,
        )
        return answer(await asyncio.to_thread(_images, done, easel, order), order.ignored)

    def _easel(self) -> Easel:
        return Easel(self._visitor, self._imaging, self._service.settings.picture_pixels)

    async def _checkpoints(self) -> Sequence[CheckpointInfo]:
        return (await self._service.stock.look()).checkpoints


def _images(done: Paintings, easel: Easel, order: Order) -> dict[str, Any]:
    return {
        "created": int(time()),
        "background": "opaque",
        "output_format": order.file_kind,
        "size": f"{easel.canvas.width}x{easel.canvas.height}",
        "data": [{"b64_json": base64.b64encode(file).decode()} for file in done.files],
    }


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "paintbridge"}
