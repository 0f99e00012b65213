"""The procedures' arguments, each declared once: those with words of their own here, any other field of a job's
settings by its type and range. GIMP makes dialogs, presets, Reset and the PDB's types of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gi.repository import Gimp, GObject

from bridge.protocol.fields import StrEnum
from bridge.protocol.messages import JobField, job_fields

from .translation import _

__all__ = ["AUTOMATIC", "declare", "given", "settings_of"]

AUTOMATIC = -1
"""Stands for "what suits" where an argument is a number."""

_KEPT = GObject.ParamFlags.READWRITE
_LARGEST_SEED = (1 << 31) - 1
_LARGEST_MARGIN = 1 << 15


def declare(procedure: Gimp.Procedure, names: Iterable[str], defaults: Mapping[str, Any]) -> None:
    """Give a procedure its arguments; ``defaults`` where they differ from the usual ones."""
    declared = _Arguments(procedure, defaults)
    for name in names:
        by_hand = getattr(declared, name.replace("-", "_"), None)
        if by_hand is not None:
            by_hand(name)
        else:
            declared.plain(name, job_fields()[name.replace("-", "_")])


def settings_of(config: Gimp.ProcedureConfig) -> dict[str, Any]:
    """What the arguments say of a job's settings, by their fields' names; without those that say "what suits"."""
    values = {name: given(config, name.replace("_", "-")) for name in job_fields()}
    return {name: value for name, value in values.items() if value is not None}


def given(config: Gimp.ProcedureConfig, name: str) -> Any:
    """An argument's value; None where it says "what suits", or where the procedure does not have it."""
    if config.find_property(name) is None:
        return None
    value = config.get_property(name)
    return None if value in (AUTOMATIC, "") else value


class _Arguments:
    """A method an argument, of the argument's name."""

    def __init__(self, procedure: Gimp.Procedure, defaults: Mapping[str, Any]) -> None:
        self._to = procedure
        self._defaults = defaults

    def prompt(self, name: str) -> None:
        self._to.add_string_argument(name, _("Promp_t"), _("What is wanted, in English"), "", _KEPT)

    def negative_prompt(self, name: str) -> None:
        self._to.add_string_argument(name, _("Not _wanted"), _("What is not wanted, in English"), "", _KEPT)

    def mode(self, name: str) -> None:
        offered = {
            "auto": (_("Automatic"), _("Fill, or expand where the selection lies along an edge of the canvas")),
            "fill": (_("Fill"), _("Put something new in place of what is selected")),
            "remove": (_("Remove"), _("Let the surroundings grow together over what is selected; no prompt is needed")),
            "add": (_("Add"), _("Put something new on top of what is selected")),
            "expand": (_("Expand"), _("Go on painting beyond the edge of the picture")),
            "background": (_("Background"), _("Repaint everything but what is selected")),
        }
        self._choice(name, _("_Mode"), _("What to do with the selection"), offered)

    def strength(self, name: str) -> None:
        words = _("1: repaint freely; less: keep more of what is there")
        self._to.add_double_argument(name, _("Stre_ngth"), words, 0.01, 1.0, self._defaults.get(name, 1.0), _KEPT)

    def checkpoint(self, name: str) -> None:
        words = _("Name of a checkpoint; empty: the bridge's default")
        self._to.add_string_argument(name, _("Chec_kpoint"), words, "", _KEPT)

    def seed(self, name: str) -> None:
        words = _("The same seed gives the same picture; -1: another one each time")
        self._to.add_int_argument(name, _("See_d"), words, AUTOMATIC, _LARGEST_SEED, AUTOMATIC, _KEPT)

    def batch(self, name: str) -> None:
        words = _("How many pictures; each is a layer, and the first one is visible")
        self._to.add_int_argument(name, _("Num_ber of pictures"), words, 1, 16, 1, _KEPT)

    def steps(self, name: str) -> None:
        words = _("Denoising steps; -1: what suits the checkpoint")
        self._to.add_int_argument(name, _("St_eps"), words, AUTOMATIC, 200, AUTOMATIC, _KEPT)

    def guidance(self, name: str) -> None:
        words = _("How closely to follow the prompt; -1: what suits the checkpoint")
        self._to.add_double_argument(name, _("G_uidance"), words, AUTOMATIC, 30.0, AUTOMATIC, _KEPT)

    def sampler(self, name: str) -> None:
        words = _("Name of a sampler; empty: what suits the checkpoint")
        self._to.add_string_argument(name, _("S_ampler"), words, "", _KEPT)

    def grow(self, name: str) -> None:
        words = _("Pixels to grow the selection by; -1: what suits")
        self._to.add_double_argument(name, _("_Grow"), words, AUTOMATIC, 512.0, AUTOMATIC, _KEPT)

    def feather(self, name: str) -> None:
        words = _("Pixels over which the new fades into the old; -1: what suits")
        self._to.add_double_argument(name, _("_Feather"), words, AUTOMATIC, 512.0, AUTOMATIC, _KEPT)

    def strict(self, name: str) -> None:
        words = _("Change nothing outside the selection")
        self._to.add_boolean_argument(name, _("Stay _inside the selection"), words, False, _KEPT)

    def context(self, name: str) -> None:
        offered = {
            "auto": (_("Automatic"), _("The surroundings of the selection")),
            "selection": (_("The selection"), _("Little more than the selection: most detail")),
            "canvas": (_("The whole canvas"), _("Everything: most overview")),
        }
        self._choice(name, _("Conte_xt"), _("How much of the canvas the model gets to see"), offered)

    def source(self, name: str) -> None:
        offered = {
            "visible": (_("All visible layers"), _("What you see")),
            "below": (_("Active layer and below"), _("What you see, without what lies above the active layer")),
            "layer": (_("The active layer alone"), _("As if there were no other layers")),
        }
        self._choice(name, _("_Viewed layers"), _("What the new is made to fit"), offered)

    def layer_mask(self, name: str) -> None:
        words = _("Make an opaque layer with a layer mask, which can be painted on, in place of transparency")
        self._to.add_boolean_argument(name, _("As a la_yer mask"), words, False, _KEPT)

    def left(self, name: str) -> None:
        self._margin(name, _("L_eft"))

    def right(self, name: str) -> None:
        self._margin(name, _("R_ight"))

    def top(self, name: str) -> None:
        self._margin(name, _("T_op"))

    def bottom(self, name: str) -> None:
        self._margin(name, _("Botto_m"))

    def unit(self, name: str) -> None:
        offered = {
            "percent": (_("Percent"), _("Of the image's width or height")),
            "pixels": (_("Pixels"), ""),
        }
        self._choice(name, _("Me_asured in"), _("What the four sides are measured in"), offered)

    def scale(self, name: str) -> None:
        offered = {"2": (_("2 times"), ""), "4": (_("4 times"), "")}
        self._choice(name, _("_Factor"), _("How many times as wide and as high the image becomes"), offered)

    def plain(self, name: str, field: JobField) -> None:
        """An argument for a field that has no words of its own here."""
        spec, limits = field.spec, field.spec.metadata
        nick, words = _(field.title), _(limits["doc"])
        if spec.core is bool:
            self._to.add_boolean_argument(name, nick, words, spec.default, _KEPT)
        elif spec.core in (int, float):
            # Below its range: what suits.
            least = min(AUTOMATIC, limits.get("min", 0)) if spec.optional else limits.get("min", -_LARGEST_SEED)
            usual = AUTOMATIC if spec.optional else spec.default
            add = self._to.add_int_argument if spec.core is int else self._to.add_double_argument
            add(name, nick, words, least, min(limits.get("max", _LARGEST_SEED), _LARGEST_SEED), usual, _KEPT)
        elif issubclass(spec.core, StrEnum):
            self._choice(name, nick, words, {str(value): (str(value), "") for value in spec.core}, str(spec.default))
        else:
            self._to.add_string_argument(name, nick, words, spec.default or "", _KEPT)

    def _margin(self, name: str, nick: str) -> None:
        words = _("How far the canvas grows on this side")
        self._to.add_int_argument(name, nick, words, 0, _LARGEST_MARGIN, 25, _KEPT)

    def _choice(
        self, name: str, nick: str, words: str, offered: Mapping[str, tuple[str, str]], usual: str = ""
    ) -> None:
        choice = Gimp.Choice.new()
        for number, (value, (label, help_text)) in enumerate(offered.items()):
            choice.add(value, number, label, help_text)
        self._to.add_choice_argument(name, nick, words, choice, usual or next(iter(offered)), _KEPT)
