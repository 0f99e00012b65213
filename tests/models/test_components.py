"""Checkpoints in several files: completed by what fits, by the artist's choice, and by a tokenizer that is fetched."""

import hashlib
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from small_hub import SmallHub, serve_hub
from tiny_flux2 import build_tiny_flux2
from tiny_language_models import build_tiny_qwen3
from tiny_z_image import build_tiny_z_image

from bridge.models import CheckpointUnreadable, CheckpointUnsupported, Registry
from bridge.models.completion import CheckpointIncomplete
from bridge.models.hub import DownloadDamaged, HubOffline
from bridge.models.pull import pull
from bridge.models.recommended import RECOMMENDED, first_choice_by_card, first_choices
from bridge.models.tokenizers import TOKENIZERS, TokenizerSource

SMALL = shutil.ignore_patterns("*.safetensors", "model_index.json", "card.json")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("built")
    build_tiny_flux2(root / "klein", seed=3)
    build_tiny_z_image(root / "z_image", seed=4)
    build_tiny_qwen3(root / "wider", width=24)
    return root


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models"
    for name in ("text_encoders", "vae"):
        (folder / name).mkdir(parents=True)
    return folder


def weights(part: Path) -> Path:
    return next(part.glob("*.safetensors"))


def put(built, models, name, without=()):
    """The transformer of a checkpoint as a file, with its small texts beside it but for those of `without`."""
    shutil.copy(weights(built / name / "transformer"), models / f"{name}.safetensors")
    shutil.copytree(built / name, models / f"{name}.config", ignore=SMALL)
    for part in without:
        shutil.rmtree(models / f"{name}.config" / part)


def test_each_lacking_part_is_named_until_all_are_there(built, models):
    put(built, models, "klein")
    registry = Registry()
    with pytest.raises(CheckpointIncomplete, match=r"a VAE of FLUX\.2's kind") as lacking:
        registry.get("klein")
    assert str(models / "vae") in lacking.value.hint
    shutil.copy(weights(built / "z_image" / "vae"), models / "vae" / "ae.safetensors")
    with pytest.raises(CheckpointIncomplete, match=r"vae/ae.safetensors is there, and is a VAE"):
        registry.get("klein")
    shutil.copy(weights(built / "klein" / "vae"), models / "vae" / "flux2.safetensors")
    shutil.copy(weights(built / "wider" / "text_encoder"), models / "text_encoders" / "wider.safetensors")
    with pytest.raises(
        CheckpointIncomplete, match=r"its text encoder, a Qwen3 text encoder \(16 x 28\), is nowhere.*\(24 x 28\)"
    ):
        registry.get("klein")
    shutil.copy(weights(built / "klein" / "text_encoder"), models / "text_encoders" / "fitting.safetensors")
    found = registry.get("klein")
    assert not found.wants
    assert {part.name: part.title for part in found.apart} == {"vae": "flux2", "text_encoder": "fitting"}
    assert found.known_hash() is None
    assert found.hash == found.known_hash()


def test_a_folder_lends_its_parts_and_its_tokenizer(built, models):
    """Two families that have the same text encoder need it once."""
    shutil.copytree(built / "klein", models / "whole")
    put(built, models, "klein", without=("tokenizer",))
    found = Registry().get("klein.safetensors")
    lent = {part.name: part.path for part in found.apart}
    assert lent == {name: models / "whole" / name for name in ("vae", "text_encoder", "tokenizer")}
    whole = Registry().get("whole")
    assert found.part("text_encoder").content_hash() == whole.part("text_encoder").content_hash()


def test_other_weights_in_a_part_are_another_checkpoint(built, models):
    put(built, models, "klein")
    shutil.copy(weights(built / "klein" / "vae"), models / "vae" / "flux2.safetensors")
    encoder = models / "text_encoders" / "fitting.safetensors"
    shutil.copy(weights(built / "klein" / "text_encoder"), encoder)
    registry = Registry()
    before = registry.get("klein").hash
    save_file({name: one + 1 for name, one in load_file(encoder).items()}, encoder)
    assert registry.get("klein").hash != before


def test_the_artist_chooses_parts_and_the_variant(built, models):
    put(built, models, "klein")
    shutil.copy(weights(built / "klein" / "vae"), models / "vae" / "flux2.safetensors")
    for name in ("one", "two"):
        shutil.copy(weights(built / "klein" / "text_encoder"), models / "text_encoders" / f"{name}.safetensors")
    settings = models.parent / "checkpoints.toml"
    registry = Registry()
    plain = registry.get("klein")
    assert (plain.part("text_encoder").title, plain.variant.name, plain.card.default_steps) == ("one", "distilled", 4)
    settings.write_text('["klein.safetensors"]\ntext_encoder = "two"\nvariant = "base"\n')
    told = registry.get("klein")
    assert (told.part("text_encoder").title, told.variant.name, told.card.default_steps) == ("two", "base", 50)
    assert told.hash != plain.hash
    for text, error, words in (
        ('variant = "turbo"', CheckpointUnreadable, "variant must be one of distilled, base"),
        (
            'prediction = "epsilon"',
            CheckpointUnreadable,
            "no setting prediction; there are variant, inpainting, vae, text_encoder",
        ),
        ('text_encoder = "gone"', CheckpointUnreadable, "there is no text encoder gone"),
        (
            'text_encoder = "../vae/flux2"',
            CheckpointUnsupported,
            r"flux2.safetensors is a VAE .* where klein.safetensors wants a Qwen3",
        ),
    ):
        settings.write_text(f'["klein.safetensors"]\n{text}\n')
        with pytest.raises(error, match=words):
            registry.get("klein")


@pytest.fixture
def source(built, tmp_path, monkeypatch):
    """A repository with a tokenizer that the project knows by its hashes."""
    folder = tmp_path / "repository"
    shutil.copytree(built / "klein" / "tokenizer", folder)
    (folder / "model.safetensors").write_bytes(bytes(100))
    with serve_hub(SmallHub("somebody/words", folder)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        files = {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in ("tokenizer.json", "tokenizer_config.json")
        }
        monkeypatch.setitem(TOKENIZERS, "qwen3", TokenizerSource("somebody/words", hub.commit, "mit", files))
        yield hub


def test_a_tokenizer_is_fetched_once_by_its_hash(built, models, source):
    put(built, models, "klein", without=("tokenizer",))
    shutil.copy(weights(built / "klein" / "vae"), models / "vae" / "flux2.safetensors")
    shutil.copy(weights(built / "klein" / "text_encoder"), models / "text_encoders" / "fitting.safetensors")
    registry = Registry()
    with pytest.raises(CheckpointIncomplete, match="no tokenizer") as lacking:
        registry.get("klein")
    assert "`paintbridge models pull somebody/words`" in lacking.value.hint
    folder = pull("somebody/words")
    assert folder == models / "tokenizers" / "qwen3"
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == set(TOKENIZERS["qwen3"].files)
    assert registry.get("klein").part("tokenizer").path == folder
    asked = len(source.downloads)
    assert pull("somebody/words") == folder
    assert len(source.downloads) == asked


def test_another_tokenizer_than_the_known_one_is_refused(models, source):
    source.files["tokenizer.json"] += b" "
    with pytest.raises(DownloadDamaged, match="not the one that Paintbridge knows"):
        pull("somebody/words")
    assert not (models / "tokenizers").exists()


def test_offline_a_sentence_says_so(models, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubOffline):
        pull(TOKENIZERS["qwen3"].hub_id)
    assert not (models / "tokenizers").exists()


def test_a_pull_of_a_transformer_brings_all_its_parts(built, models, monkeypatch):
    with serve_hub(SmallHub("somebody/klein", built / "klein")) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        folder = pull("somebody/klein")
    found = Registry().get("klein")
    assert found.path == folder
    assert (found.family.title, found.variant.name) == ("FLUX.2 Klein 4B", "distilled")


def test_first_choices_fit_the_card():
    for size, entry in first_choice_by_card().items():
        assert entry.memory_bytes <= size
    assert [one.hub_id for one in first_choices(4 << 30)] == ["stable-diffusion-v1-5/stable-diffusion-inpainting"]
    assert not first_choices(1 << 30)
    assert all(entry.licence for entry in RECOMMENDED)
