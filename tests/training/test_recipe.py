"""Recipes."""

import pytest

from bridge.training import recipe
from bridge.training.errors import RecipeInvalid
from bridge.training.text import captions_of


def test_mini_s_recipe_is_sound():
    said = recipe.read(recipe.MINI)
    assert said["name"] == "mini"
    assert len(said["things"]) >= 16
    places = said["text_encoder"]["places"]
    for thing in said["things"]:
        assert all(len(caption.split()) < places - 2 for caption in captions_of(thing))
    assert len({thing["name"] for thing in said["things"]}) == len(said["things"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [("name = ", "Invalid value"), ('name = "x"', "no 'seed'")],
)
def test_a_recipe_that_lacks_something_is_told(tmp_path, text, reason):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(RecipeInvalid, match=reason):
        recipe.read(path)


def test_pictures_are_counted_phase_by_phase():
    stage = {"phases": [{"steps": 3, "batch": 10}, {"steps": 2, "batch": 4}]}
    assert recipe.steps(stage) == 5
    assert [recipe.pictures(stage, done) for done in (0, 2, 3, 4, 5, 9)] == [0, 20, 30, 34, 38, 38]


def test_a_thing_named_twice_is_told(tmp_path):
    text = recipe.MINI.read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(text + text[text.index("[[things]]") :])
    with pytest.raises(RecipeInvalid, match="twice"):
        recipe.read(path)
