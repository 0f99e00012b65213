"""Where figures are kept, and whose names can be measured."""

import json
import shutil

import pytest

from bridge.evaluation.figures import codes_of, keep
from bridge.models import MINI, inspect
from bridge.training.errors import TrainingError


def test_figures_take_the_place_of_those_of_the_same_part(tmp_path):
    folder = tmp_path / "mini"
    shutil.copytree(MINI, folder)
    before = json.loads((folder / "card.json").read_text())
    checkpoint = inspect(folder)
    keep(checkpoint, {"seconds": {"fill": 3.0}, "names": {"nearest": 0.5}})
    keep(checkpoint, {"seconds": {"fill": 2.0}})
    card = json.loads((folder / "card.json").read_text())
    assert (card["figures"]["seconds"], card["figures"]["names"]) == ({"fill": 2.0}, {"nearest": 0.5})
    assert {key: value for key, value in card.items() if key != "figures"} == {
        key: value for key, value in before.items() if key != "figures"
    }
    # It is still a card that the bridge reads.
    assert inspect(folder).card.known_names == checkpoint.card.known_names


def test_every_name_of_mini_s_card_has_a_cut_out():
    names = inspect(MINI).card.known_names
    assert list(codes_of(names)) == list(names)


@pytest.mark.parametrize(
    ("names", "words"), [(("strawberry", "dragon"), "compare dragon with"), ((), "lists no names")]
)
def test_names_without_cut_outs_are_told(names, words):
    with pytest.raises(TrainingError, match=words):
        codes_of(names)
