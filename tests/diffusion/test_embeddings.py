"""Textual inversions on real tiny checkpoints: read where their names stand, as diffusers reads them, and not else."""

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl
from tiny_embeddings import build_tiny_embedding

from bridge.diffusion import Device, ModelCache
from bridge.models import CheckpointUnreadable, inspect, inspect_embedding

BUILDERS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}
PIPELINES = {"SD1": StableDiffusionPipeline, "SD2": StableDiffusionPipeline, "SDXL": StableDiffusionXLPipeline}
TEXT = "a red flower, Easy, blue sky"
families = pytest.mark.parametrize("family", BUILDERS)


def nothing():
    pass


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embeddings")
    cache = ModelCache(Device("cpu", "test", 1 << 30, "float32", ""))
    return {family: (cache, inspect(build(folder / family, inpaint=False))) for family, build in BUILDERS.items()}


def model_of(work, family, *embeddings):
    cache, checkpoint = work[family]
    return cache.get(checkpoint, check=nothing, embeddings=embeddings)


def encoded(model, text, negative=""):
    return model.encode_prompts(text, negative).positive


@families
@pytest.mark.parametrize("vectors", [1, 3])
def test_as_diffusers_reads_it(work, tmp_path, family, vectors):
    path = build_tiny_embedding(tmp_path / "Easy.safetensors", family, vectors=vectors)
    tensors = load_file(path)
    pipe = PIPELINES[family].from_pretrained(work[family][1].path, local_files_only=True)
    if family == "SDXL":
        pipe.load_textual_inversion(tensors["clip_l"], token="<e>", tokenizer=pipe.tokenizer,
                                    text_encoder=pipe.text_encoder)  # fmt: skip
        pipe.load_textual_inversion(tensors["clip_g"], token="<e>", tokenizer=pipe.tokenizer_2,
                                    text_encoder=pipe.text_encoder_2)  # fmt: skip
        expected, _, pooled, _ = pipe.encode_prompt(TEXT.replace("Easy", "<e>"), do_classifier_free_guidance=False)
    else:
        pipe.load_textual_inversion(tensors["emb_params"], token="<e>")
        expected, _ = pipe.encode_prompt(TEXT.replace("Easy", "<e>"), "cpu", 1, False)
        pooled = None
    found = encoded(model_of(work, family, inspect_embedding(path)), TEXT)
    assert float((found.embeds - expected).abs().max()) < 1e-5
    if pooled is not None:
        assert float((found.pooled - pooled).abs().max()) < 1e-5


@families
def test_only_where_its_name_stands(work, tmp_path, family):
    embedding = inspect_embedding(build_tiny_embedding(tmp_path / "Easy.safetensors", family))
    plain, named = model_of(work, family), model_of(work, family, embedding)
    with_it = encoded(named, TEXT)
    assert not torch.equal(with_it.embeds, encoded(plain, TEXT).embeds)
    assert torch.equal(encoded(named, "a red flower").embeds, encoded(plain, "a red flower").embeds)
    # It is gone with the job, and whoever paints without it reads the words.
    assert torch.equal(encoded(model_of(work, family), TEXT).embeds, encoded(plain, TEXT).embeds)
    for written in ("embedding:easy", "EASY", "embedding:Easy.safetensors"):
        assert torch.equal(encoded(named, TEXT.replace("Easy", written)).embeds, with_it.embeds)
    assert not torch.equal(encoded(named, TEXT.replace("Easy", "(Easy:1.4)")).embeds, with_it.embeds)
    negative = [model.encode_prompts("", TEXT).negative.embeds for model in (named, plain)]
    assert not torch.equal(*negative)


def test_many_vectors_stay_together_in_one_window(work, tmp_path):
    embedding = inspect_embedding(build_tiny_embedding(tmp_path / "Easy.safetensors", "SD1", vectors=40))
    model = model_of(work, "SD1", embedding)
    words = "red flower " * 25
    together = encoded(model, f"{words}Easy")
    assert together.embeds.shape[1] == 2 * 77
    # The second window is what the inversion gives alone.
    assert torch.equal(together.embeds[:, 77:], encoded(model, "Easy").embeds)


def test_one_of_another_width_is_read_as_words_with_a_hint(work, tmp_path):
    path = tmp_path / "Wide.safetensors"
    save_file({"emb_params": torch.ones(1, 768)}, path)
    model = model_of(work, "SD1", inspect_embedding(path))
    found = model.encode_prompts("a Wide lake", "")
    assert torch.equal(found.positive.embeds, encoded(model_of(work, "SD1"), "a Wide lake").embeds)
    assert any('"Wide" is read as words' in hint and "768" in hint for hint in found.hints)


def test_damage_that_comes_after_the_look_is_told(work, tmp_path):
    path = build_tiny_embedding(tmp_path / "Easy.safetensors", "SD1")
    embedding = inspect_embedding(path)
    save_file({"emb_params": torch.full((2, 32), float("nan"))}, path)
    with pytest.raises(CheckpointUnreadable, match="numbers without end"):
        model_of(work, "SD1", embedding)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointUnreadable, match="cannot be read"):
        model_of(work, "SD1", embedding)
