"""A plan is answered by the facts of the inventory, as the worker's painter plans by the checkpoint's own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from job_forms import plan_of
from toy_family import TOY_OF_ANY_SIZE, build_toy

from bridge.engine.local_inventory import LocalInventory
from bridge.models import inspect
from bridge.protocol.messages import ContextChoice, Extent, Rect
from bridge.server.planning import plan_job


@pytest.fixture
async def entry(tmp_path: Path):
    build_toy(tmp_path / "toy.safetensors", variant="any size")
    found = LocalInventory([tmp_path])
    try:
        (inventory,) = await found.inventory(fresh=True)
        return inventory.checkpoint("toy")
    finally:
        await found.close()


async def test_a_context_within_the_range_is_planned_on_the_models_grid(entry) -> None:
    assert entry.native_range == TOY_OF_ANY_SIZE.native_range
    asked = plan_of(
        request=1, canvas=Extent(1001, 777), selection=Rect(400, 300, 61, 47), context=ContextChoice("auto"),
        kind="fill", mode="auto",
    )  # fmt: skip
    planned = plan_job(asked, entry, most_pixels=1 << 30)
    context = planned.context
    assert (context.width, context.height) == (planned.model_width, planned.model_height)
    assert context.width % 16 == context.height % 16 == 0
    plain = plan_job(asked, replace(entry, native_range=None), most_pixels=1 << 30)
    assert (plain.model_width, plain.model_height) != (plain.context.width, plain.context.height)


def test_a_card_of_another_native_size_has_another_range(tmp_path: Path) -> None:
    path = build_toy(tmp_path / "toy.safetensors", variant="any size")
    path.with_suffix(".json").write_text(json.dumps({"native_pixels": 128 * 128}), encoding="utf-8")
    assert inspect(path).native_range == tuple(one // 4 for one in TOY_OF_ANY_SIZE.native_range)
