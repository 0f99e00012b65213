"""The endpoints."""

from __future__ import annotations

import asyncio
from typing import Any

import psutil  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ....imaging.header import read_header
from ....imaging.png import read_texts
from ....imaging.process import Imaging
from ...service import Service
from ..answers import Handler, answer, told
from ..bodies import decode_base64, read_json
from ..fields import Fields
from ..hangup import unless_hung_up
from ..in_process import InProcessClient
from .controlnet import LISTS, control_types
from .detect import read_detect
from .extras import UPSCALERS, html_info, read_batch, read_extra
from .infotext import parse_infotext
from .orders import read_img2img, read_txt2img
from .paint import Painter
from .photoshop import LISTS as PHOTOSHOPS_LISTS
from .photoshop import PREFIX as PHOTOSHOPS
from .photoshop import expand_mask, filter_controlnets
from .samplers import samplers, schedulers
from .shape import A1111Shape

__all__ = ["routes"]

# What clients ask for when they look around, and is always the same here.
_FIXED: dict[str, Any] = {
    "/sdapi/v1/embeddings": {"loaded": {}, "skipped": {}},
    "/sdapi/v1/face-restorers": [],
    "/sdapi/v1/hypernetworks": [],
    "/sdapi/v1/latent-upscale-modes": [],
    "/sdapi/v1/prompt-styles": [],
    "/sdapi/v1/realesrgan-models": [],
    "/sdapi/v1/scripts": {"txt2img": ["controlnet"], "img2img": ["controlnet"]},
    "/sdapi/v1/script-info": [],
    "/sdapi/v1/sd-vae": [],
    "/sdapi/v1/upscalers": UPSCALERS,
    "/internal/ping": {},
    **LISTS,
    **PHOTOSHOPS_LISTS,
}
_NO_INTERROGATION = (
    "Model not found: no model here describes a picture in words. Write the prompt yourself, or have another server "
    "describe the picture."
)


def routes(service: Service, imaging: Imaging) -> list[Route]:
    """All endpoints, for one bridge."""
    api = _Api(service, Painter(service, InProcessClient(service), imaging))
    refreshed = ("checkpoints", "embeddings", "loras", "vae")
    found = {
        ("POST", "/sdapi/v1/txt2img"): api.txt2img,
        ("POST", "/sdapi/v1/img2img"): api.img2img,
        ("POST", "/sdapi/v1/extra-single-image"): api.extra_single_image,
        ("POST", "/sdapi/v1/extra-batch-images"): api.extra_batch_images,
        ("POST", "/sdapi/v1/interrogate"): api.interrogate,
        ("GET", "/sdapi/v1/progress"): api.progress,
        ("POST", "/sdapi/v1/interrupt"): api.interrupt,
        ("POST", "/sdapi/v1/skip"): api.skip,
        ("GET", "/sdapi/v1/options"): api.get_options,
        ("POST", "/sdapi/v1/options"): api.set_options,
        ("GET", "/sdapi/v1/sd-models"): api.sd_models,
        **{("POST", f"/sdapi/v1/refresh-{what}"): api.refresh for what in refreshed},
        ("POST", "/sdapi/v1/unload-checkpoint"): api.unload_checkpoint,
        ("POST", "/sdapi/v1/reload-checkpoint"): api.reload_checkpoint,
        ("GET", "/sdapi/v1/loras"): api.loras,
        ("GET", "/sdapi/v1/samplers"): _fixed(samplers()),
        ("GET", "/sdapi/v1/schedulers"): _fixed(schedulers()),
        ("GET", "/sdapi/v1/cmd-flags"): api.cmd_flags,
        ("GET", "/sdapi/v1/memory"): api.memory,
        ("GET", "/sdapi/v1/extensions"): api.extensions,
        ("POST", "/sdapi/v1/png-info"): api.png_info,
        ("POST", "/controlnet/detect"): api.detect,
        ("GET", "/controlnet/model_list"): api.controlnets,
        ("GET", "/controlnet/control_types"): api.control_types,
        ("POST", f"{PHOTOSHOPS}/mask/expansion"): api.expand_mask,
        ("POST", f"{PHOTOSHOPS}/controlnet/filter"): api.filter_controlnets,
        **{("GET", path): _fixed(content) for path, content in _FIXED.items()},
    }
    shape = A1111Shape()
    return [Route(path, told(handler, shape), methods=[method]) for (method, path), handler in found.items()]


class _Api:
    def __init__(self, service: Service, painter: Painter) -> None:
        self._service = service
        self._painter = painter

    async def txt2img(self, request: Request) -> Response:
        body = await self._body(request)
        return await self._paint(request, self._painter.paint(read_txt2img(body), body))

    async def img2img(self, request: Request) -> Response:
        body = await self._body(request)
        # Pictures are in there, and Base64 takes its time.
        order = await asyncio.to_thread(read_img2img, body)
        return await self._paint(request, self._painter.paint(order, body))

    async def extra_single_image(self, request: Request) -> Response:
        orders, ignored = await asyncio.to_thread(read_extra, await self._body(request))
        images, hints = await unless_hung_up(request, self._painter.upscale(orders))
        return answer({"html_info": html_info(hints), "image": images[0] if images else ""}, ignored)

    async def extra_batch_images(self, request: Request) -> Response:
        orders, ignored = await asyncio.to_thread(read_batch, await self._body(request))
        images, hints = await unless_hung_up(request, self._painter.upscale(orders))
        return answer({"html_info": html_info(hints), "images": images}, ignored)

    async def interrogate(self, request: Request) -> Response:
        await self._body(request)
        return A1111Shape().refuse(_NO_INTERROGATION, 404)

    async def unload_checkpoint(self, _request: Request) -> Response:
        self._service.free_memory()
        return answer({})

    async def reload_checkpoint(self, _request: Request) -> Response:
        # The next job loads what it needs, as always.
        return answer({})

    async def detect(self, request: Request) -> Response:
        order, ignored = await asyncio.to_thread(read_detect, await self._body(request))
        images, poses, _hints = await unless_hung_up(request, self._painter.detect(order))
        return answer({"images": images, "info": "Success", **({"poses": poses} if poses else {})}, ignored)

    async def expand_mask(self, request: Request) -> Response:
        most = self._service.settings.picture_pixels
        work = expand_mask(self._painter.imaging, await self._body(request), most)
        content, ignored = await unless_hung_up(request, work)
        return answer(content, ignored)

    async def filter_controlnets(self, request: Request) -> Response:
        body = await self._body(request)
        return answer(filter_controlnets(body, await self._service.controlnets()))

    async def progress(self, request: Request) -> Response:
        skip = request.query_params.get("skip_current_image", "false").lower() in ("true", "1")
        return answer(await self._painter.progress(with_image=not skip))

    async def interrupt(self, _request: Request) -> Response:
        self._painter.runs.interrupt()
        return answer({})

    async def skip(self, _request: Request) -> Response:
        self._painter.runs.skip()
        return answer(None)

    async def get_options(self, _request: Request) -> Response:
        return answer(self._painter.options.all(await self._painter.checkpoints()))

    async def set_options(self, request: Request) -> Response:
        ignored = self._painter.options.change(await self._body(request), await self._painter.checkpoints())
        return answer(None, ignored)

    async def sd_models(self, _request: Request) -> Response:
        return answer(self._painter.options.models(await self._painter.checkpoints()))

    async def refresh(self, _request: Request) -> Response:
        await self._service.models.current(fresh=True)
        return answer(None)

    async def loras(self, _request: Request) -> Response:
        found = await self._service.loras()
        return answer([{"name": lora.name, "alias": lora.name, "path": lora.name, "metadata": {}} for lora in found])

    async def controlnets(self, _request: Request) -> Response:
        return answer({"model_list": list(await self._service.controlnets())})

    async def control_types(self, _request: Request) -> Response:
        return answer(control_types(await self._service.controlnets()))

    async def memory(self, _request: Request) -> Response:
        ram = psutil.virtual_memory()
        return answer(
            {
                "ram": {"free": ram.available, "used": ram.total - ram.available, "total": ram.total},
                "cuda": {"error": "The bridge does not tell."},
            }
        )

    async def extensions(self, _request: Request) -> Response:
        # Clients look here for what they may ask; its name is the one that they know.
        about = {"remote": "", "branch": "", "commit_hash": "", "commit_date": 0, "version": self._service.version}
        return answer([{"name": "sd-webui-controlnet", **about, "enabled": True}])

    async def cmd_flags(self, _request: Request) -> Response:
        settings = self._service.settings
        return answer({"api": True, "nowebui": True, "listen": False, "port": settings.a1111_port or settings.port})

    async def png_info(self, request: Request) -> Response:
        fields = Fields(await self._body(request))
        text = fields.text("image", most=1 << 40)
        fields.check()
        picture = read_header(decode_base64(text), most_pixels=self._service.settings.picture_pixels)
        texts = read_texts(picture.data) if picture.kind == "png" else {}
        info = texts.get("parameters", "")
        parameters = parse_infotext(info) if info else {}
        return answer({"info": info, "items": texts, "parameters": parameters}, fields.ignored())

    async def _body(self, request: Request) -> dict[str, Any]:
        return await read_json(request, most_bytes=self._service.settings.request_bytes)

    async def _paint(self, request: Request, work: Any) -> Response:
        content, ignored = await unless_hung_up(request, work)
        return answer(content, ignored)


def _fixed(content: Any) -> Handler:
    async def give(_request: Request) -> Response:
        return answer(content)

    return give
