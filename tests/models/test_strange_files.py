"""Files of strangers that are no sensible ones: each is refused in words, and none takes others out of the list."""

import json
import re
import shutil
import struct

import pytest
import torch
from safetensors.torch import save_file
from tiny_checkpoints import build_tiny_sd1

from bridge.models import CheckpointUnreadable, Registry, model_index
from bridge.models.json_files import load_json, load_object, parse_json
from bridge.models.tensor_file import read_bytes, read_floats, read_header

DEEP = "[" * 100_000


def safetensors_of(path, header, content=b"\0" * 8):
    """A file with that header, as text or as a dictionary."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    "header",
    [
        f'{{"a": {DEEP}',
        '{"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 8]}}',
        {"a": entry(), "b": entry(offsets=(8, 0))},
        {"a": entry(), "b": entry(offsets=(-4, 0))},
        {"a": entry(shape=(1 << 40,))},
        {"a": entry(shape=(-1, -2))},
        {"a": entry(), "__metadata__": {"modelspec.encoder_layer": 2}},
        {"a": entry(), "__metadata__": ["text"]},
    ],
    ids=["deep", "endless", "backwards", "in the header", "too large", "negative", "metadata of numbers", "list"],
)
def test_header(tmp_path, header):
    with pytest.raises(CheckpointUnreadable, match="damaged header"):
        read_header(safetensors_of(tmp_path / "one.safetensors", header))


def test_no_metadata_is_none(tmp_path):
    assert (
        read_header(safetensors_of(tmp_path / "one.safetensors", {"a": entry(), "__metadata__": None})).metadata == {}
    )


def test_no_more_of_a_tensor_is_read_than_could_be_meant(tmp_path):
    path = tmp_path / "one.safetensors"
    # Sparse: it takes no room on the disk.
    huge = 1 << 40
    text = json.dumps({"a": entry("U8", (huge,), (0, huge))}).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + huge)
    header = read_header(path)
    for read in (read_bytes, read_floats):
        with pytest.raises(CheckpointUnreadable, match="damaged header"):
            read(path, header, "a")


def test_json(tmp_path):
    with pytest.raises(ValueError, match="deep"):
        parse_json(DEEP)
    path = tmp_path / "config.json"
    path.write_text("[]")
    assert load_json(path) == []
    with pytest.raises(ValueError, match="no object"):
        load_object(path)
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ValueError, match="large"):
        load_json(path)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("tiny") / "tiny", inpaint=False)


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json", "vae/config.json"])
@pytest.mark.parametrize("content", ["[]", DEEP, "7"], ids=["list", "deep", "number"])
def test_configs_harm_no_other_checkpoint(tiny, tmp_path, caplog, name, content):
    for folder in ("one", "strange"):
        shutil.copytree(tiny, tmp_path / "models" / folder)
    (tmp_path / "models" / "strange" / name).write_text(content)
    known = Registry([tmp_path / "models"])
    assert "one" in [found.id for found in known.list()]
    assert "strange" in known.problems()
    # All of this is foreseen.
    assert not caplog.records


def test_what_nobody_foresaw_harms_no_other_file_and_is_in_the_log(tmp_path, caplog):
    """The names of models are those of the candidates; the second one's inspection fails in a way of no kind."""
    for name in ("one", "two"):
        save_file({"a": torch.zeros(1)}, tmp_path / f"{name}.safetensors")

    def inspect(path):
        if path.stem == "two":
            raise IndexError("unforeseen")
        raise CheckpointUnreadable("{name} is known.", name=path.name)

    location = model_index.Location(model_index.OWN, tmp_path)
    candidates = [model_index.Candidate(location, path.stem, path) for path in sorted(tmp_path.iterdir())]
    entries = model_index.ModelIndex(lambda: candidates, inspect).entries()
    assert [one.name for one in entries] == ["one", "two"]
    assert entries[0].found.message == "one.safetensors is known."
    assert re.match(r"two\.safetensors cannot be inspected", entries[1].found.message)
    assert "unforeseen" in caplog.text
