"""What the artist wants: the docker's fields, and their values by their names on the wire."""

from __future__ import annotations

from typing import Any

from bridge.client import Bridge
from bridge.protocol.fields import StrEnum
from bridge.protocol.messages import CheckpointInfo, Recipe, flat_settings, job_fields

from .advanced import Advanced
from .fields import Choice, Field, NumberField, OptionalChoice, Percent, SeedField, TextField, align, named
from .fold import Fold
from .modes import AUTOMATIC, EXPAND, Repaints, job_of, mode_of, modes, name_of
from .presets import Presets
from .prompt import Prompt
from .qt import QtWidgets, Signal
from .translation import _

__all__ = ["Form"]

# These belong to one picture, and are not saved in presets.
_OF_ONE_PICTURE = ("prompt", "seed")
# The mode says the kind, an upscale is no layer of this canvas, and pictures are no field's value.
_PICTURED = tuple(name for name, field in job_fields().items() if field.with_pictures)
_WITHOUT_FIELD = ("kind", "scale", *_PICTURED)
# Where nothing was denoised a recipe has the checkpoint's own.
_OF_DENOISING = ("steps", "guidance", "sampler")


class Form(QtWidgets.QWidget):
    """Prompt and mode. ``options``, the values that are touched less often, is a widget of its own.

    ``sent``: the artist wants it now. ``changed``: some value is another one. ``unfolded`` has a part of the options
    that has just become larger.
    """

    sent = Signal()
    changed = Signal()
    unfolded = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.prompt = Prompt()
        self.prompt.sent.connect(self.sent)
        negative = named(TextField(), "negative_prompt", _("What is not wanted, in English"))
        negative.setPlaceholderText(_("What is not wanted"))
        self._mode = named(Choice(), "mode", _("What to do with the selection"))
        for mode, (title, tip) in modes().items():
            self._mode.add(mode, title, tip)
        strength = Percent("strength")
        strength.setToolTip(_("100 %: repaint freely; less: keep more of what is there"))
        self._checkpoint = named(OptionalChoice(_("The bridge's default")), "checkpoint", _("The model that paints"))
        self._checkpoints: tuple[CheckpointInfo, ...] = ()
        seed = named(SeedField(), "seed", _("The same seed gives the same picture"))
        seed.setPlaceholderText(_("Random"))
        self._batch = named(NumberField("batch"), "batch", _("How many pictures"))
        self._batch.setPrefix("× ")
        self._presets = Presets()
        self._presets.chosen.connect(self.recall)
        self._presets.save_requested.connect(lambda name: self._presets.save(name, self._preset_values()))
        by_hand: dict[str, Field] = {
            "prompt": self.prompt,
            "negative_prompt": negative,
            "mode": self._mode,
            "strength": strength,
            "checkpoint": self._checkpoint,
            "seed": seed,
            "batch": self._batch,
        }
        self._advanced = Advanced((*by_hand, *_WITHOUT_FIELD))
        self._parts: dict[str, Field] = {**by_hand, **self._advanced.parts}
        for part in self._parts.values():
            part.changed.connect(self.changed)
        self._checkpoint.changed.connect(self._suggest)
        self._fresh = self._wanted()
        self.options = Fold("options", _("Options"))
        rows = QtWidgets.QFormLayout(self.options.folded)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow(negative)
        rows.addRow(_("Strength"), strength)
        rows.addRow(_("Checkpoint"), self._checkpoint)
        pictures = QtWidgets.QHBoxLayout()
        pictures.addWidget(seed, 1)
        pictures.addWidget(self._batch)
        rows.addRow(_("Seed"), pictures)
        rows.addRow(_("Preset"), self._presets)
        rows.addRow(self._advanced)
        align(rows, self._advanced.rows)
        for fold in (self.options, self._advanced):
            fold.unfolded.connect(lambda fold=fold: self.unfolded.emit(fold))
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.prompt)
        column.addWidget(self._mode)

    @property
    def checkpoint(self) -> CheckpointInfo | None:
        """The one that would paint now, as far as the bridge has said."""
        chosen = self._checkpoint.field_value()
        return next((one for one in self._checkpoints if chosen in (None, one.name)), None)

    def planning(self, repaints: Repaints) -> dict[str, Any]:
        """Fields of ``plan`` for what *Automatic* would come to."""
        wanted = self._wanted()
        job = job_of(AUTOMATIC, strength=wanted["strength"], repaints=repaints)
        return {**job, **{name: wanted[name] for name in ("checkpoint", "grow", "feather")}}

    @property
    def expands(self) -> bool:
        """Whether the artist has chosen to go on beyond the picture's edge."""
        return bool(self._mode.field_value() == EXPAND)

    @property
    def may_expand(self) -> bool:
        """Whether strips beside the picture would be painted where nothing is selected."""
        wanted = self._wanted()
        return self.expands or (wanted["mode"] == AUTOMATIC and wanted["strength"] == 1.0)

    @property
    def source(self) -> str:
        """Which layers are read."""
        return str(self._advanced.parts["source"].field_value())

    def offer(self, bridge: Bridge) -> None:
        """What the bridge has. What is chosen stays so, if it is there."""
        self._checkpoints = bridge.checkpoints.checkpoints
        families = {one.name: f"{one.name}\n{one.family}" for one in self._checkpoints}
        self._checkpoint.offer(families, next(iter(families.values()), ""))
        self._batch.setMaximum(bridge.welcome.limits.batch)
        self._advanced.sampler.offer({name: name for name in bridge.welcome.samplers})
        self._suggest()

    def show_auto_mode(self, mode: str | None) -> None:
        """The mode that *Automatic* resolves to; None: not known."""
        title = name_of(AUTOMATIC)
        self._mode.setItemText(0, title if mode is None else f"{title}: {name_of(mode)}")

    def values(self, repaints: Repaints) -> dict[str, Any]:
        """Fields of ``submit``, with ``context`` as the kind of choice."""
        wanted = self._sendable()
        return {**wanted, **job_of(wanted["mode"], strength=wanted["strength"], repaints=repaints)}

    def expansion(self, _repaints: Repaints) -> dict[str, Any]:
        """As :meth:`values`, to paint what is new of the canvas, whatever mode is chosen."""
        return {**self._sendable(), "kind": "fill", "mode": EXPAND}

    def removal(self) -> dict[str, Any]:
        """As :meth:`values`, to let the surroundings grow together over the selection. It asks for nothing: a prompt
        that stands there is meant for something else.
        """
        asked = {"prompt": "", "negative_prompt": "", "strength": 1.0}
        return {**self._sendable(), **asked, "kind": "fill", "mode": "remove"}

    def begin(self) -> None:
        """The values that the artist begins with."""
        self._presets.begin()

    def recall(self, values: dict[str, Any]) -> None:
        """Take values by their names; the others but the picture's own become as they are at the start."""
        for name, part in self._parts.items():
            if name in values or name not in _OF_ONE_PICTURE:
                part.set_field_value(values.get(name, self._fresh[name]))

    def reuse(self, recipe: Recipe, values: dict[str, Any]) -> None:
        """Take all that made a picture: its recipe, and how its edges were wanted, which the recipe has in pixels."""
        settings = recipe.settings
        left_out = () if settings.sampling.steps else _OF_DENOISING
        made = {
            name: str(value) if isinstance(value, StrEnum) else value
            for name, value in flat_settings(settings).items()
            if job_fields()[name].group != "edges" and name not in left_out
        }
        self.recall({**values, **made, "mode": mode_of(settings.kind, settings.mode)})

    def _wanted(self) -> dict[str, Any]:
        return {name: part.field_value() for name, part in self._parts.items()}

    def _sendable(self) -> dict[str, Any]:
        # None: what suits, which is the default of every field that may be None.
        return {name: value for name, value in self._wanted().items() if name != "source" and value is not None}

    def _preset_values(self) -> dict[str, Any]:
        """What a preset saves; for :meth:`recall`."""
        return {name: value for name, value in self._wanted().items() if name not in _OF_ONE_PICTURE}

    def _suggest(self) -> None:
        """What suits depends on the checkpoint."""
        known = self.checkpoint
        self._advanced.steps.suggest(None if known is None else known.default_steps)
        self._advanced.guidance.suggest(None if known is None else known.default_guidance)
