"""The values that an artist rarely touches, folded away."""

from __future__ import annotations

from collections.abc import Collection

from bridge.protocol.messages import job_fields

from .fields import CheckBox, Choice, Field, OptionalChoice, OptionalNumber, named, plain_field
from .fold import Fold
from .modes import KINDS
from .qt import QtWidgets
from .sources import ACTIVE, BELOW, CHOSEN, VISIBLE
from .translation import _

__all__ = ["Advanced"]


class Advanced(Fold):
    """``parts`` are its fields by their names on the wire; and ``source``, what is read of the document. ``rows`` are
    where they stand. A field of a job's settings that has a widget neither here nor ``elsewhere`` gets a plain one.
    """

    def __init__(self, elsewhere: Collection[str]) -> None:
        super().__init__("advanced", _("Advanced"))
        self.steps = named(OptionalNumber("steps"), "steps", _("Denoising steps"))
        self.guidance = named(
            OptionalNumber("guidance", step=0.5, decimals=1), "guidance", _("How closely to follow the prompt")
        )
        self.sampler = named(
            OptionalChoice(_("Automatic")), "sampler", _("How the model walks from noise to a picture")
        )
        grow = named(OptionalNumber("grow"), "grow", _("Pixels to grow the selection by"))
        feather = named(OptionalNumber("feather"), "feather", _("Pixels over which the new fades into the old"))
        for box in (grow, feather):
            box.setSuffix(" px")
        context = named(Choice(), "context", _("How much of the canvas the model gets to see"))
        context.add("auto", _("Automatic"), _("The surroundings of the selection"))
        context.add("selection", _("The selection"), _("Little more than the selection: most detail"))
        context.add("canvas", _("The whole canvas"), _("Everything: most overview"))
        source = named(Choice(), "source", _("What the new is made to fit"))
        source.add(VISIBLE, _("All visible layers"), _("What you see"))
        source.add(BELOW, _("Active layer and below"), _("What you see, without what lies above the active layer"))
        source.add(ACTIVE, _("The active layer alone"), _("As if there were no other layers"))
        source.add(CHOSEN, _("The chosen layers"), _("Those that are selected in the Layers docker"))
        strict = named(CheckBox(_("Stay inside the selection")), "strict", _("Change nothing outside the selection"))
        self.parts: dict[str, Field] = {
            "steps": self.steps,
            "guidance": self.guidance,
            "sampler": self.sampler,
            "grow": grow,
            "feather": feather,
            "context": context,
            "source": source,
            "strict": strict,
        }
        self.rows = rows = QtWidgets.QFormLayout(self.folded)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow(_("Steps"), self.steps)
        rows.addRow(_("Guidance"), self.guidance)
        rows.addRow(_("Sampler"), self.sampler)
        rows.addRow(_("Grow"), grow)
        rows.addRow(_("Feather"), feather)
        rows.addRow(_("Context"), context)
        rows.addRow(_("Looks at"), source)
        rows.addRow(strict)
        for name, field in job_fields().items():
            if name not in self.parts and name not in elsewhere and any(map(field.counts_for, KINDS)):
                part = self.parts[name] = plain_field(field)
                rows.addRow(*((part,) if field.spec.core is bool else (_(field.title), part)))
