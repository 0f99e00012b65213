"""LoRAs on real tiny checkpoints: they change the picture as the stock pipelines have them do, and leave no trace."""

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl
from tiny_loras import LAYOUTS, build_tiny_lora

from bridge.diffusion import Adapters, DenoiseInputs, Device, ModelCache, WeightedLora, denoise, load
from bridge.diffusion.lora_layers import AdaptedLayer
from bridge.models import LoraUnreadable, LoraUnsupported, inspect, inspect_lora

BUILDERS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}
PIPELINES = {"SD1": StableDiffusionPipeline, "SDXL": StableDiffusionXLPipeline}
families = pytest.mark.parametrize("family", ["SD1", "SDXL"])


class Stop(Exception):
    pass


class Easel:
    """One tiny checkpoint of a family, what it paints, and LoRAs for it."""

    def __init__(self, folder, family, cpu):
        self.folder = folder
        self.checkpoint = BUILDERS[family](folder / family, inpaint=False)
        self.components = load(inspect(self.checkpoint), cpu, check=lambda: None)
        self._count = 0

    def lora(self, **options):
        self._count += 1
        return inspect_lora(build_tiny_lora(self.checkpoint, self.folder / f"lora{self._count}.safetensors", **options))

    def paint(self, *worn, check=lambda: None):
        self.components.adapters.set_adapters([WeightedLora(*one) for one in worn], check=check)
        prompts = self.components.encode_prompts("a red flower", "blue sky")
        inputs = DenoiseInputs((8, 8), prompts, sampler="DDIM", steps=4, guidance=3.0, strength=1.0)
        nothing = {"check": lambda: None, "progress": lambda _: None, "preview": lambda *_: None}
        return denoise(self.components, inputs, [7], **nothing)[0]


@pytest.fixture(scope="module")
def easel(tmp_path_factory, cpu):
    held = {}

    def get(family="SD1"):
        if family not in held:
            held[family] = Easel(tmp_path_factory.mktemp(family), family, cpu)
        return held[family]

    return get


def apart(one, other):
    return float((one - other).abs().max())


def held_in(lora):
    """What a file in diffusers' naming says that is added to each module's weight, by the module's name."""
    tensors = load_file(lora.path)
    ups = {name.replace("lora_A", "lora_B"): down for name, down in tensors.items() if "lora_A" in name}
    return {
        name.removesuffix(".lora_B.weight"): torch.einsum("or,r...->o...", tensors[name].flatten(1), down)
        for name, down in ups.items()
    }


def added(work, lora):
    """What really is added to the checkpoint's weights when it is worn."""
    work.components.adapters.set_adapters([WeightedLora(lora, 1.0)], check=lambda: None)
    return {
        f"{part}.{path}": layer.changes[next(iter(layer.strengths))].delta()
        for part in ("unet", "text_encoder", "text_encoder_2")
        if part in work.components.modules
        for path, layer in work.components.modules[part].named_modules()
        if isinstance(layer, AdaptedLayer) and layer.strengths
    }


def same(one, other, tolerance=1e-5):
    """Whether they change the same modules by the same."""
    bare = [{name.replace(".text_model.", "."): delta for name, delta in each.items()} for each in (one, other)]
    return bare[0].keys() == bare[1].keys() and all(apart(bare[0][name], bare[1][name]) < tolerance for name in bare[0])


def rewritten(lora, change, name="rewritten"):
    """The same LoRA with other tensors, as `change` makes them of its own."""
    path = lora.path.with_name(f"{lora.path.stem}-{name}.safetensors")
    with safe_open(lora.path, framework="pt") as file:
        metadata = file.metadata()
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(lora.path)).items()}, path, metadata)
    return inspect_lora(path)


@pytest.mark.parametrize("family", BUILDERS)
@pytest.mark.parametrize("layout", ["kohya", "peft"])
def test_on_and_off(easel, family, layout):
    """`plain` is painted by a checkpoint that has never held a LoRA, if this is the module's first test of it."""
    work = easel(family)
    plain = work.paint()
    lora = work.lora(
        layout=layout, metadata={"modelspec.architecture": "stable-diffusion-v2"} if family == "SD2" else {}
    )
    assert lora.family.name == family
    half = work.paint((lora, 0.5))
    assert apart(half, plain) > 0.01
    assert apart(work.paint((lora, 1.0)), half) > 0.01
    assert torch.equal(work.paint(), plain)
    assert torch.equal(work.paint((lora, 0.0)), plain)
    assert torch.equal(work.paint((lora, 0.5)), half)


def test_a_checkpoint_that_has_worn_loras_is_as_one_that_never_has(easel, cpu):
    work = easel()
    work.paint((work.lora(), 1.0), (work.lora(seed=5), 0.3))
    found = work.paint()
    fresh = Easel.__new__(Easel)
    fresh.components = load(inspect(work.checkpoint), cpu, check=lambda: None)
    assert torch.equal(found, fresh.paint())


@pytest.mark.parametrize("family", BUILDERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layer_in_the_file_is_changed_by_what_the_file_holds(easel, family, layout):
    work = easel(family)
    parts = ("unet",) if layout == "peft" else ("unet", "text_encoder", "text_encoder_2")
    told = {"modelspec.architecture": "stable-diffusion-v2"} if family == "SD2" else {}
    expected = held_in(work.lora(layout="diffusers", parts=parts, seed=11, metadata=told))
    lora = work.lora(layout=layout, parts=parts, seed=11, metadata=told)
    assert lora.family.name == family
    assert len(expected) > 20
    assert same(added(work, lora), expected)


@families
def test_an_embedding_in_the_file_takes_nothing_from_the_rest(easel, family):
    work = easel(family)
    lora = work.lora(seed=12)
    second = {"bundle_emb.a.b.clip_g": torch.zeros(1, 48)}
    words = {"bundle_emb.ink.string_to_param.*": torch.zeros(2, 32), "bundle_emb.a.b.clip_l": torch.zeros(1, 32)}
    if family == "SDXL":
        words |= second
    else:
        with pytest.raises(LoraUnsupported, match="text encoders of the width 48"):
            rewritten(lora, lambda tensors: tensors | second)
    bundled = rewritten(lora, lambda tensors: tensors | words)
    assert {one.id for one in bundled.embeddings} == {"ink", "a.b"}
    assert same(added(work, bundled), added(work, lora), 1e-9)
    assert apart(work.paint((bundled, 0.7)), work.paint()) > 0.01


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_all_kinds_of_floating_point_numbers_are_read(easel, dtype):
    work = easel()
    lora = work.lora(seed=13)
    other = rewritten(lora, lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()}, str(dtype))
    expected = rewritten(
        lora, lambda tensors: {name: t.to(dtype).float() for name, t in tensors.items()}, f"{dtype}-32"
    )
    assert same(added(work, other), added(work, expected), 1e-5)
    assert apart(work.paint((other, 0.5)), work.paint()) > 0.01


def test_an_eight_bit_nan_is_damage(easel):
    lora = easel().lora(seed=14)

    def change(tensors):
        eight = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in tensors.items()}
        next(tensor for name, tensor in eight.items() if "lora_up" in name).view(torch.uint8)[0, 0] = 0x7F
        return eight

    with pytest.raises(LoraUnreadable, match="numbers without end"):
        easel().paint((rewritten(lora, change), 1.0))


def test_a_middle_layer_is_a_convolution_between_two_others(easel):
    work = easel()
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    shapes = {"lora_down": (3, 32, 1, 1), "lora_mid": (3, 3, 3, 3), "lora_up": (32, 3, 1, 1)}
    generator = torch.Generator().manual_seed(1)
    tensors = {end: torch.randn(shape, generator=generator) for end, shape in shapes.items()}
    path = work.folder / "middle.safetensors"
    save_file(
        {f"{name}.{end}.weight": one for end, one in tensors.items()} | {f"{name}.alpha": torch.tensor(6.0)}, path
    )
    found = added(work, inspect_lora(path))
    assert found.keys() == {"unet.down_blocks.0.resnets.0.conv1"}
    picture = torch.randn((1, 32, 6, 6), generator=generator)
    expected = F.conv2d(
        F.conv2d(F.conv2d(picture, tensors["lora_down"]), tensors["lora_mid"], padding=1), tensors["lora_up"]
    )
    assert apart(F.conv2d(picture, next(iter(found.values())), padding=1), 2 * expected) < 1e-3


@families
def test_a_linear_layer_and_a_convolution_of_one_pixel_are_the_same(easel, family):
    work = easel(family)
    lora = work.lora(seed=15)

    def change(tensors):
        wide = {name: one[:, :, None, None] if one.dim() == 2 else one for name, one in tensors.items()}
        return {name: one.flatten(1) if "proj_in" in name and one.dim() == 4 and family == "SD1" else one
                for name, one in wide.items()}  # fmt: skip

    assert same(added(work, rewritten(lora, change)), added(work, lora), 1e-9)


def test_a_layer_under_two_names_counts_once(easel):
    work = easel()
    lora, init_latents = work.lora(seed=16, parts=("unet",)), work.lora(seed=16, parts=("unet",), layout="original")
    both = rewritten(lora, lambda tensors: load_file(init_latents.path) | tensors, "both")
    assert same(added(work, both), added(work, lora), 1e-9)
    strange = rewritten(
        lora, lambda tensors: {name: 2 * one for name, one in load_file(init_latents.path).items()} | tensors
    )
    with pytest.raises(LoraUnsupported, match="twice"):
        added(work, strange)


def test_what_is_too_large_for_half_precision_is_told(tmp_path):
    half = Device("cpu", "test", 1 << 30, "float16", "A test.")
    checkpoint = build_tiny_sd1(tmp_path / "SD1", inpaint=False)
    adapters = load(inspect(checkpoint), half, check=lambda: None).adapters
    lora = inspect_lora(build_tiny_lora(checkpoint, tmp_path / "ink.safetensors"))
    loud = rewritten(lora, lambda tensors: {name: 1e5 * tensor for name, tensor in tensors.items()})
    with pytest.raises(LoraUnsupported, match="too large for half precision"):
        adapters.set_adapters([WeightedLora(loud, 1.0)], check=lambda: None)


@families
@pytest.mark.parametrize("layout", ["kohya", "diffusers"])
def test_as_the_stock_pipeline_loads_it(easel, family, layout):
    work = easel(family)
    lora = work.lora(layout=layout, seed=3)
    pipe = PIPELINES[family].from_pretrained(work.checkpoint, local_files_only=True)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    pipe.set_progress_bar_config(disable=True)
    pipe.load_lora_weights(lora.path.parent, weight_name=lora.path.name, adapter_name="it", local_files_only=True)
    pipe.set_adapters(["it"], [0.8])
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(7))
    expected = pipe(
        "a red flower",
        negative_prompt="blue sky",
        num_inference_steps=4,
        guidance_scale=3.0,
        height=64,
        width=64,
        latents=latents,
        output_type="latent",
    ).images
    found = work.paint((lora, 0.8))
    assert apart(expected, work.paint()) > 0.01
    assert apart(found, expected) < 1e-4


@families
def test_the_text_encoders_hear_it(easel, family):
    work = easel(family)
    parts = ("text_encoder", "text_encoder_2") if family == "SDXL" else ("text_encoder",)
    plain = work.components.encode_prompts("a red flower", "").positive
    for part in parts:
        work.components.adapters.set_adapters([WeightedLora(work.lora(parts=(part,)), 1.0)], check=lambda: None)
        heard = work.components.encode_prompts("a red flower", "").positive
        assert not torch.equal(heard.embeds, plain.embeds)
        if family == "SDXL":
            # Each encoder's own states, and no other's.
            first, second = heard.embeds.split([32, 48], dim=-1)
            assert torch.equal(first, plain.embeds[..., :32]) is (part == "text_encoder_2")
            assert torch.equal(second, plain.embeds[..., 32:]) is (part == "text_encoder")
            assert torch.equal(heard.pooled, plain.pooled) is (part == "text_encoder")
    work.components.adapters.set_adapters([], check=lambda: None)
    assert torch.equal(work.components.encode_prompts("a red flower", "").positive.embeds, plain.embeds)


@families
def test_several_add_up_whatever_was_loaded_before(easel, family, cpu):
    work = easel(family)
    one, other = work.lora(seed=8), work.lora(seed=9, rank=2, layout="diffusers")
    both = work.paint((one, 0.6), (other, 0.4))
    assert apart(both, work.paint((one, 0.6))) > 0.01
    assert apart(both, work.paint((other, 0.4))) > 0.01
    assert torch.equal(both, work.paint((one, 0.6), (other, 0.4)))
    assert torch.equal(work.paint((one, 0.6), (one, 0.0)), work.paint((one, 0.6)))
    assert apart(work.paint((one, 0.25), (one, 0.25)), work.paint((one, 0.5))) == 0
    again = Easel.__new__(Easel)
    again.components = load(inspect(work.checkpoint), cpu, check=lambda: None)
    again.paint((other, 1.0))
    assert torch.equal(again.paint((one, 0.6), (other, 0.4)), both)


def test_layers_of_several_ranks_and_alphas(easel):
    """kohya's alpha counts for each layer: here every other one has half of what it should, and twice the alpha."""
    work = easel()
    lora = work.lora(seed=4)
    expected = work.paint((lora, 0.7))
    tensors = load_file(lora.path)
    for index, name in enumerate(sorted(name for name in tensors if name.endswith(".alpha"))):
        if index % 2:
            tensors[name] = tensors[name] * 2
            tensors[name.replace(".alpha", ".lora_up.weight")] /= 2
    other = work.folder / "alphas.safetensors"
    save_file(tensors, other, metadata={"ss_base_model_version": "sd_v1"})
    assert apart(work.paint((inspect_lora(other), 0.7)), expected) < 1e-5


def test_alphas_of_peft_and_of_diffusers_are_heeded(easel):
    work = easel()
    expected = work.paint((work.lora(parts=("unet",), layout="diffusers"), 1.0))
    config = {"r": 4, "lora_alpha": 2, "target_modules": ["to_q"], "peft_type": "LORA", "a_field_of_the_future": None}
    path = build_tiny_lora(
        work.checkpoint, work.folder / "peft" / "adapter_model.safetensors", layout="peft", strength=0.6
    )
    path.with_name("adapter_config.json").write_text(json.dumps(config))
    assert apart(work.paint((inspect_lora(path), 1.0)), expected) < 1e-4
    said = {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 2, "unet.target_modules": ["to_q"]})}
    told = work.lora(parts=("unet",), layout="diffusers", strength=0.6, metadata=said)
    assert apart(work.paint((told, 1.0)), expected) < 1e-4
    # Rank-stabilised: alpha over the root of the rank; and one block by an alpha of its own.
    said = {"unet.lora_alpha": 1, "unet.use_rslora": True, "unet.alpha_pattern": {"up_blocks.*": 2.0}}
    told = work.lora(parts=("unet",), layout="diffusers", metadata={"lora_adapter_metadata": json.dumps(said)})
    plain = added(work, work.lora(parts=("unet",), layout="diffusers"))
    factors = {name: 1.0 if "up_blocks" in name else 0.5 for name in plain}
    assert same(added(work, told), {name: factors[name] * delta for name, delta in plain.items()})


def test_one_of_another_size_is_refused_and_leaves_no_trace(easel, tmp_path, cpu):
    work = easel()
    plain = work.paint()
    lora = work.lora()
    tensors = {name: torch.cat([one, one], dim=-1) if "attn2_to_k.lora_down" in name else one
               for name, one in load_file(lora.path).items()}  # fmt: skip
    save_file(tensors, tmp_path / "large.safetensors", {"ss_base_model_version": "sd_v1"})
    with pytest.raises(LoraUnsupported, match="does not fit SD1"):
        work.paint((inspect_lora(tmp_path / "large.safetensors"), 1.0))
    stray = {name.replace("down_blocks_0", "down_blocks_7"): one for name, one in load_file(lora.path).items()}
    save_file(stray, tmp_path / "stray.safetensors", {"ss_base_model_version": "sd_v1"})
    with pytest.raises(LoraUnsupported, match="does not fit SD1"):
        work.paint((inspect_lora(tmp_path / "stray.safetensors"), 1.0))
    assert torch.equal(work.paint(), plain)
    work.paint((lora, 1.0))
    assert torch.equal(work.paint(), plain)


@pytest.mark.parametrize("damage", ["endless", "truncated"])
def test_what_breaks_after_the_look_is_told(easel, damage):
    work = easel()
    lora = work.lora()
    if damage == "truncated":
        lora.path.write_bytes(lora.path.read_bytes()[:-100])
    else:
        tensors = load_file(lora.path)
        next(iter(tensors.values()))[...] = float("nan")
        save_file(tensors, lora.path)
    with pytest.raises(LoraUnreadable) as broken:
        work.paint((lora, 1.0))
    assert broken.value.hint


def test_cancelled_while_loading(easel):
    work = easel()
    plain = work.paint()
    held = work.components.adapters.held
    lora = work.lora(seed=77)
    for looks in (1, 3, 30, 1000):
        left = iter(range(looks))

        def check(left=left):
            if next(left, None) is None:
                raise Stop

        try:
            work.components.adapters.load(lora, check=check)
        except Stop:
            assert work.components.adapters.held == held
            assert torch.equal(work.paint(), plain)
        else:
            break
    assert looks == 1000
    assert work.components.adapters.held == held + 1


def test_a_switch_reads_no_file_again(easel, monkeypatch):
    work = easel()
    one, other = work.lora(seed=21), work.lora(seed=22)
    first = work.paint((one, 1.0))
    work.paint((other, 1.0))
    monkeypatch.setattr("bridge.diffusion.lora.read_changes", lambda *_, **__: pytest.fail("read again"))
    assert torch.equal(work.paint((one, 1.0)), first)
    work.paint((one, 0.2), (other, 0.9))


def test_those_not_worn_for_longest_leave_when_there_are_too_many(easel, cpu):
    work = easel()
    parts = {"unet": work.components.unet, "text_encoder": work.components.modules["text_encoder"]}
    loras = [work.lora(seed=seed) for seed in (31, 32, 33)]
    size = sum(tensor.nbytes for name, tensor in load_file(loras[0].path).items() if "alpha" not in name)
    adapters = Adapters(parts, cpu, title="tiny", budget=2 * size)
    plain = work.paint()
    painted = []
    for lora in loras:
        adapters.set_adapters([WeightedLora(lora, 1.0)], check=lambda: None)
        painted.append(work.components.encode_prompts("a", "").positive.embeds)
    assert adapters.held == 2
    adapters.set_adapters([WeightedLora(lora, 1.0) for lora in loras], check=lambda: None)
    assert adapters.held == 3
    adapters.set_adapters([WeightedLora(loras[0], 1.0)], check=lambda: None)
    assert adapters.held == 2
    assert torch.equal(work.components.encode_prompts("a", "").positive.embeds, painted[0])
    adapters.set_adapters([], check=lambda: None)
    assert torch.equal(work.paint(), plain)


@pytest.mark.parametrize(("error", "seed"), [(MemoryError(), 43), (torch.OutOfMemoryError("CUDA out of memory"), 44)])
def test_where_memory_runs_out_the_others_make_room(easel, monkeypatch, error, seed):
    work = easel()
    held, lora = work.lora(seed=41), work.lora(seed=42)
    plain, expected = work.paint((held, 1.0)), work.paint((lora, 1.0))
    other = work.lora(seed=seed)
    with monkeypatch.context() as full:
        full.setattr("bridge.diffusion.lora.place_again", lambda *_: (_ for _ in ()).throw(error))
        with pytest.raises(type(error)):
            work.paint((held, 0.5), (other, 1.0))
    assert work.components.adapters.held == 0
    assert apart(work.paint((other, 1.0)), expected) > 0.01
    assert torch.equal(work.paint((held, 1.0)), plain)
    assert torch.equal(work.paint((lora, 1.0)), expected)


def test_the_cache_gives_components_that_wear_what_is_asked_for(easel):
    work = easel()
    cache = ModelCache(Device("cpu", "test", 1 << 30, "float32", ""))
    lora, checkpoint = work.lora(), inspect(work.checkpoint)
    plain = cache.get(checkpoint, check=lambda: None)
    before = plain.encode_prompts("a", "").positive.embeds
    worn = cache.on_demand(checkpoint, (WeightedLora(lora, 0.5), WeightedLora(lora, 0.0))).load(lambda: None)
    assert worn.loras == (WeightedLora(lora, 0.5),)
    assert worn.unet is plain.unet
    assert not torch.equal(worn.encode_prompts("a", "").positive.embeds, before)
    again = cache.get(checkpoint, check=lambda: None)
    assert again.loras == ()
    assert torch.equal(again.encode_prompts("a", "").positive.embeds, before)


def trained(work, seed=11, **options):
    """A UNet with a LoRA beside it as trainers lay it there by peft, not quite nothing; and what it paints."""
    unet = UNet2DConditionModel.from_pretrained(work.checkpoint / "unet", local_files_only=True)
    config = LoraConfig(r=4, lora_alpha=2, target_modules=["to_q", "to_v", "to_out.0"], **options)
    model = get_peft_model(unet, config)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.4
    return model, replace(work.components, unet=unet.requires_grad_(False).eval())


def painted_by(components):
    prompts = components.encode_prompts("a red flower", "blue sky")
    inputs = DenoiseInputs((8, 8), prompts, sampler="DDIM", steps=4, guidance=3.0, strength=1.0)
    nothing = {"check": lambda: None, "progress": lambda _: None, "preview": lambda *_: None}
    return denoise(components, inputs, [7], **nothing)[0]


@pytest.mark.parametrize(
    "options", [{}, {"use_rslora": True}, {"alpha_pattern": {"to_q": 8}, "rank_pattern": {"to_v": 2}}]
)
@pytest.mark.parametrize("writer", ["peft", "diffusers", "diffusers without a word of alphas"])
def test_what_trainers_save_paints_as_it_was_trained(easel, tmp_path, writer, options):
    work = easel()
    model, components = trained(work, **options)
    if writer == "peft":
        model.save_pretrained(tmp_path / "mine")
        path = tmp_path / "mine" / "adapter_model.safetensors"
    else:
        said = (
            None
            if "without" in writer
            else {
                **model.peft_config["default"].to_dict(),
                "target_modules": list(model.peft_config["default"].target_modules),
            }
        )
        layers = get_peft_model_state_dict(model)
        layers = {name.removeprefix("base_model.model."): tensor for name, tensor in layers.items()}
        StableDiffusionPipeline.save_lora_weights(tmp_path, unet_lora_layers=layers, unet_lora_adapter_metadata=said)
        path = tmp_path / "pytorch_lora_weights.safetensors"
        if said is None:
            # Then each layer counts in full, which is what every reader takes it for.
            for layer in model.modules():
                if isinstance(layer, BaseTunerLayer) and "default" in getattr(layer, "scaling", {}):
                    layer.scaling["default"] = 1.0
    work.paint()
    expected = painted_by(components)
    assert apart(expected, work.paint()) > 0.01
    assert apart(work.paint((inspect_lora(path), 1.0)), expected) < 1e-4
