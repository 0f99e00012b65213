"""Textual inversions, told by content: family, vectors, what stands for them; and where they lie."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from bridge.models import CheckpointUnreadable, Embedding, EmbeddingRegistry, ModelsError, Registry, inspect_embedding
from bridge.models.errors import EmbeddingUnsupported


def saved(path, shapes, dtype=np.float16, **metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ones(shape, dtype) for name, shape in shapes.items()}, path, metadata=metadata or None)
    return path


@pytest.mark.parametrize(
    ("shapes", "family", "vectors", "parts"),
    [
        ({"emb_params": (3, 768)}, "SD1", 3, ("text_encoder",)),
        ({"emb_params": (768,)}, "SD1", 1, ("text_encoder",)),
        ({"string_to_param.*": (8, 1024)}, "SD2", 8, ("text_encoder",)),
        ({"clip_l": (2, 768)}, "SD1", 2, ("text_encoder",)),
        ({"clip_l": (4, 768), "clip_g": (4, 1280)}, "SDXL", 4, ("text_encoder", "text_encoder_2")),
        ({"clip_g": (4, 1280)}, "SDXL", 4, ("text_encoder_2",)),
        ({"<cat-toy>": (768,)}, "SD1", 1, ("text_encoder",)),
    ],
)
def test_family_and_vectors_by_names_and_widths(tmp_path, shapes, family, vectors, parts):
    path = saved(tmp_path / "Easy.safetensors", shapes)
    found = inspect_embedding(path)
    assert (found.id, found.family.name, found.vectors) == ("Easy", family, vectors)
    assert tuple(part for part, _ in found.tensors) == parts
    assert found.names == (("Easy", "<cat-toy>") if "<cat-toy>" in shapes else ("Easy",))
    assert found.hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_the_trainer_says_comes_before_the_width(tmp_path):
    said = {"modelspec.architecture": "stable-diffusion-v2-768-v/textual-inversion"}
    assert inspect_embedding(saved(tmp_path / "a.safetensors", {"emb_params": (1, 32)}, **said)).family.name == "SD2"


@pytest.mark.parametrize(
    ("shapes", "error", "words"),
    [
        ({"emb_params": (1, 4096)}, EmbeddingUnsupported, "of the width 4096"),
        ({"clip_l": (1, 768), "t5xxl": (1, 4096)}, EmbeddingUnsupported, "t5xxl"),
        ({"a": (1, 768), "b": (1, 768)}, EmbeddingUnsupported, "no textual inversion"),
        ({"clip_l": (1, 768), "clip_g": (2, 1280)}, CheckpointUnreadable, "damaged"),
        ({"emb_params": (1, 2, 768)}, CheckpointUnreadable, "damaged"),
    ],
)
def test_what_is_none_is_told(tmp_path, shapes, error, words):
    with pytest.raises(error, match=words):
        inspect_embedding(saved(tmp_path / "a.safetensors", shapes))


def test_numbers_that_are_no_floats_and_broken_files_are_told(tmp_path):
    with pytest.raises(EmbeddingUnsupported, match="kind I8"):
        inspect_embedding(saved(tmp_path / "a.safetensors", {"emb_params": (1, 768)}, np.int8))
    whole = saved(tmp_path / "b.safetensors", {"emb_params": (1, 768)})
    whole.write_bytes(whole.read_bytes()[:-3])
    with pytest.raises(CheckpointUnreadable, match="truncated"):
        inspect_embedding(whole)


def test_where_they_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "bridge"))
    assert EmbeddingRegistry().entries() == ()
    one = {"emb_params": (1, 768)}
    saved(tmp_path / "bridge/models/embeddings/Easy.safetensors", one)
    saved(tmp_path / "ComfyUI/models/embeddings/sub/bad-hands-5.safetensors", one)
    saved(tmp_path / "ComfyUI/models/embeddings/toy/learned_embeds.safetensors", {"<toy>": (768,)})
    (tmp_path / "stable-diffusion-webui/embeddings").mkdir(parents=True)
    (tmp_path / "stable-diffusion-webui/embeddings/style.pt").write_bytes(b"")
    saved(tmp_path / "given/embeddings/own.safetensors", one)
    entries = {entry.name: entry for entry in EmbeddingRegistry([tmp_path / "given"]).entries()}
    assert set(entries) == {"Easy", "own", "bad-hands-5", "toy", "style.pt"}
    assert isinstance(entries["toy"].found, Embedding)
    assert entries["bad-hands-5"].program == "ComfyUI"
    assert isinstance(entries["style.pt"].found, ModelsError)
    assert "pickle" in entries["style.pt"].found.message
    # They are no checkpoints, and not listed as unusable ones.
    assert {"Easy", "own"}.isdisjoint(entry.name for entry in Registry([tmp_path / "given"]).entries())
