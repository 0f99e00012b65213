"""Every error that crosses the wire: one table of codes, and the exception that carries one of them.

Raw exception text never goes out (see "Safety" in docs/architecture.md). What a peer gets is a code from
:data:`CODES`, a message of one sentence that an artist understands, and a hint that says what to do.
``docs/protocol.md`` prints this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from ..errors import PaintbridgeError

__all__ = ["CODES", "BridgeError", "CloseCode", "ErrorCode"]


@dataclass(frozen=True)
class ErrorCode:
    """What a code means.

    ``message`` and ``hint`` are the words for the artist; ``BridgeError`` may put more exact ones in their place.
    ``closes`` says that the connection ends after this error.
    """

    code: str
    message: str
    hint: str
    closes: bool = False


_TABLE = (
    # The wire itself.
    ErrorCode(
        "bad_frame", "The message could not be read.", "Update the plug-in: it speaks a broken protocol.", closes=True
    ),
    ErrorCode(
        "frame_too_large",
        "The message is larger than the bridge accepts.",
        "Shorten the texts; if they are short, update the plug-in: it sends too much at once.",
        closes=True,
    ),
    ErrorCode(
        "unknown_type", "The message is of a kind that the bridge does not know.", "Update the bridge or the plug-in."
    ),
    ErrorCode(
        "unknown_field", "The message has a field that the bridge does not know.", "Update the bridge or the plug-in."
    ),
    ErrorCode("missing_field", "The message lacks a field.", "Update the plug-in."),
    ErrorCode("wrong_type", "A field of the message has the wrong type.", "Update the plug-in."),
    ErrorCode(
        "bad_text",
        "A text holds half of a character, which is no text.",
        "Write it again; it may have been cut in the middle of an emoji, or be in another encoding than UTF-8.",
    ),
    ErrorCode(
        "out_of_range", "A value lies outside its range.", "Choose a value inside the range that the message names."
    ),
    ErrorCode("text_too_long", "A text is longer than the bridge accepts.", "Shorten it."),
    ErrorCode(
        "unexpected_message",
        "The message does not fit here.",
        "Update the plug-in: it sends messages in a wrong order.",
    ),
    # Who may come in.
    ErrorCode(
        "version_unsupported",
        "The bridge and the plug-in speak different versions of the protocol.",
        "Install the plug-in and the bridge from the same release.",
        closes=True,
    ),
    ErrorCode(
        "unauthorized",
        "The bridge refused the token.",
        "Take the token from the bridge's runtime file, or from `paintbridge token`.",
        closes=True,
    ),
    ErrorCode("hello_timeout", "The client did not introduce itself in time.", "Connect again.", closes=True),
    ErrorCode(
        "too_many_connections",
        "Too many clients are connected.",
        "Close one of them, then connect again.",
        closes=True,
    ),
    ErrorCode(
        "session_unknown",
        "The bridge does not know this session; probably it was restarted.",
        "Send the lost jobs again.",
    ),
    ErrorCode(
        "session_dropped",
        "The bridge gave up this session while its client was away.",
        "Send the lost jobs again.",
    ),
    ErrorCode(
        "library_unavailable", "The library is switched off.", "Set `library` to on, and start the bridge again."
    ),
    ErrorCode("entry_unknown", "The library has no such entry.", "It has expired, or was forgotten."),
    ErrorCode(
        "result_expired",
        "A result that had not been fetched made room for newer ones, and is lost.",
        "Send the job again.",
    ),
    ErrorCode(
        "unacknowledged",
        "Too many events of this session wait to be acknowledged, so it takes no more jobs.",
        "Disconnect and connect again; if it comes back, update the plug-in: it acknowledges nothing.",
    ),
    ErrorCode("shutting_down", "The bridge is shutting down.", "Start it again, then send the job again."),
    # Pictures.
    ErrorCode(
        "picture_too_large",
        "The picture has more pixels than the bridge accepts.",
        "Select a smaller area, or choose a smaller context.",
    ),
    ErrorCode("picture_unknown", "The bridge does not hold this picture.", "Send the job again, with its pictures."),
    ErrorCode(
        "picture_mismatch",
        "The picture's data does not match its description.",
        "Send the job again; if that does not help, update the plug-in.",
    ),
    ErrorCode(
        "picture_unreadable",
        "The picture could not be decoded.",
        "Send the job again; if that does not help, update the plug-in.",
    ),
    ErrorCode(
        "upload_budget",
        "The pictures of jobs that wait or run leave no room for more.",
        "Wait until one of these jobs has ended, then send this one again.",
    ),
    # Jobs.
    ErrorCode("empty_selection", "Nothing is selected on the canvas.", "Select the area to repaint, then try again."),
    ErrorCode(
        "nothing_known",
        "There is nothing to continue from: all of the context is selected or transparent.",
        "Select less, or choose a larger context.",
    ),
    ErrorCode(
        "bad_context",
        "The area around the selection does not fit the canvas.",
        "Choose another context, or try again: the canvas may have changed.",
    ),
    ErrorCode(
        "unsupported_mode",
        "This kind of job does not have that mode.",
        "Choose one of the modes that the bridge offers.",
    ),
    ErrorCode(
        "unsupported_condition",
        "The checkpoint cannot be guided in this way.",
        "Remove the condition, or choose another checkpoint.",
    ),
    ErrorCode(
        "estimator_missing",
        "There is no network here that makes such a map.",
        "Fetch one, or draw the map yourself.",
    ),
    ErrorCode(
        "unsupported_sampler",
        "The bridge does not have that sampler.",
        "Choose one of the samplers that the bridge offers.",
    ),
    ErrorCode(
        "job_exists",
        "A job of that name is under way, or its end is not acknowledged yet.",
        "Update the plug-in: each job needs a name of its own.",
    ),
    ErrorCode(
        "job_unknown", "The bridge has no such job.", "It may have ended already; then there is nothing to cancel."
    ),
    ErrorCode("queue_full", "Too many jobs are waiting.", "Wait until one of them has begun, or cancel one."),
    # Checkpoints.
    ErrorCode(
        "checkpoint_unknown",
        "The bridge does not have that checkpoint.",
        "Choose one from the list, or add it to the models folder.",
    ),
    ErrorCode(
        "checkpoint_unreadable", "The checkpoint's files are broken or incomplete.", "Fetch the checkpoint again."
    ),
    ErrorCode(
        "checkpoint_unsupported",
        "The bridge cannot use this kind of checkpoint.",
        "Choose a checkpoint of a supported family.",
    ),
    ErrorCode(
        "model_not_finite",
        "The checkpoint computed values that are no numbers, so there is no picture.",
        "Get the checkpoint again, give it another VAE, or choose another one.",
    ),
    # Fetching a checkpoint.
    ErrorCode(
        "pull_unknown",
        "The bridge fetches no checkpoint of that name.",
        "Choose one of those that it recommends; any other: `paintbridge models pull`.",
    ),
    ErrorCode(
        "pull_busy", "Another checkpoint is being fetched.", "Wait until that one is here, or stop it, then try again."
    ),
    ErrorCode("pull_stopped", "Fetching the checkpoint was stopped.", "Pull again: it goes on where it stopped."),
    ErrorCode(
        "pull_conflict",
        "Something else lies where the checkpoint would go.",
        "Move it out of the models folder, then pull again.",
    ),
    ErrorCode(
        "hub_offline",
        "The hub cannot be reached.",
        "Check the network, then pull again: it goes on where it stopped.",
    ),
    ErrorCode("hub_not_found", "The hub has no such checkpoint.", "Choose another one."),
    ErrorCode(
        "hub_gated",
        "The hub gives this checkpoint only to those who have accepted its licence.",
        "Accept the licence on its page, then run `hf auth login` on the bridge's machine, and pull again.",
    ),
    ErrorCode("download_damaged", "What arrived is not what the hub announced.", "Pull again."),
    ErrorCode("disk_full", "It does not fit onto the disk.", "Make room, then try again."),
    # Prompts and LoRAs.
    ErrorCode(
        "prompt_unreadable",
        "The prompt cannot be meant as it is written.",
        "Correct it; docs/prompts.md shows how weights, choices, wildcards and LoRAs are written.",
    ),
    ErrorCode(
        "wildcard_unknown",
        "The bridge does not have that wildcard.",
        "Choose another one, or put its text file into the folder of wildcards.",
    ),
    ErrorCode(
        "wildcard_unreadable",
        "The wildcard's file cannot be read.",
        "Save it as UTF-8 text with one option a line.",
    ),
    ErrorCode(
        "lora_unknown", "The bridge does not have that LoRA.", "Choose one from the list, or add it to models/loras."
    ),
    ErrorCode("lora_unreadable", "The LoRA's file is broken or incomplete.", "Fetch the LoRA again."),
    ErrorCode(
        "lora_unsupported",
        "The LoRA does not fit the checkpoint.",
        "Choose a checkpoint of the family that it was made for, or take it out of the prompt.",
    ),
    # Training a LoRA.
    ErrorCode("lora_name", "A LoRA cannot have that name, or one has it already.", "Choose another name."),
    ErrorCode(
        "loss_not_finite",
        "The training has gone astray: its loss is no number any more.",
        "Train again with a lower learning rate.",
    ),
    ErrorCode("state_invalid", "What an earlier training left cannot be gone on with.", "Train again: it begins anew."),
    ErrorCode("not_writable", "It cannot be written to the disk.", "Correct the permissions of the bridge's folder."),
    # What can happen on the way.
    ErrorCode(
        "out_of_memory",
        "The picture did not fit into memory.",
        "Select a smaller area, choose a smaller checkpoint, or close other programs.",
    ),
    ErrorCode(
        "worker_crashed",
        "The process that paints stopped unexpectedly; this job is lost.",
        "Send the job again; the bridge has recovered.",
    ),
    ErrorCode(
        "worker_silent",
        "The process that paints stopped answering and was replaced; this job is lost.",
        "Send the job again.",
    ),
    ErrorCode(
        "internal",
        "Something went wrong inside the bridge.",
        "Try again; if it happens again, look into the bridge's log.",
    ),
)

CODES: Mapping[str, ErrorCode] = MappingProxyType({entry.code: entry for entry in _TABLE})


class CloseCode(IntEnum):
    """With which codes the bridge closes a websocket: RFC 6455, 7.4.1, and the registry that it founded."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> CloseCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    GOING_AWAY = 1001, "The bridge is shutting down; `closing` came before. The jobs have ended."
    REFUSED = 1008, "The client was refused, or broke the protocol; the `error` that came before says how."
    TOO_LARGE = 1009, "A frame was longer than `limits.frame_bytes`. No `error` comes before: it was not read."
    NO_PONG = 1011, "A ping was not answered in time. The session waits to be resumed."
    TRY_LATER = 1013, "Too many clients are connected (`too_many_connections`). Try again, with growing pauses."
    TAKEN_OVER = 4001, "Another connection has resumed the session; `closing` came before. Leave it to that one."


class BridgeError(PaintbridgeError):
    """An error with a code of :data:`CODES`, in words for the artist.

    Raises:
        KeyError: ``code`` is not in the table (a fault of the program, found by its tests).
    """

    def __init__(self, code: str, message: str = "", hint: str = "", **values: object) -> None:
        entry = CODES[code]
        super().__init__(message or entry.message, hint or entry.hint, **values)
        self.code = code
        self.closes = entry.closes

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.hint}"
