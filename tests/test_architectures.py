"""Who may know what a model is made of: few modules, named here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import bridge
from bridge.models.families import FAMILIES

ROOT = Path(bridge.__file__).parent
MODULES = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*.py")}

MODEL_CLASSES = re.compile(r"\w*(UNet|Autoencoder|Transformer2D|Transformer3D|ControlNet)\w*|CLIPText\w*|Qwen\w*Model")
LIBRARIES = ("diffusers", "transformers")
KNOW_CLASSES = ("diffusion/architectures/", "diffusion/conditioning/")
SAY_UNET = {
    "diffusion/architectures/__init__.py",
    "diffusion/architectures/unet.py",
    "diffusion/conversion.py",
    "diffusion/architectures/unet_names.py",
}


def is_training(name: str) -> bool:
    return name.startswith("training/")


def library_names(tree: ast.AST) -> set[str]:
    """What a module takes of the libraries: `from diffusers import X`, `diffusers.X`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in LIBRARIES:
            found.add(node.attr)
    return found


def own_names(tree: ast.AST) -> set[str]:
    """The module's variables, fields, parameters, functions and classes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg:
            found.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
    return found


@pytest.mark.parametrize("name", sorted(name for name in MODULES if not is_training(name)))
def test_few_modules_know_what_a_model_is_made_of(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    classes = {one for one in library_names(tree) if MODEL_CLASSES.fullmatch(one)}
    assert not classes or name.startswith(KNOW_CLASSES), classes
    unets = {one for one in own_names(tree) if "unet" in one.lower().split("_") and one not in library_names(tree)}
    assert bool(unets) == (name in SAY_UNET), unets


def test_all_of_them_are_there() -> None:
    assert set(MODULES) >= SAY_UNET


@pytest.mark.parametrize("family", [family for family in FAMILIES.values() if family.architecture == "unet"])
def test_a_familys_facts_agree_with_its_configs(family) -> None:
    assert family.scaling_factor > 0
    assert set(family.file_prefixes) == set(family.weighted_parts)
