"""A host's side of the wire: find the bridge, start it, connect, plan, submit, follow, cancel, resume.

Start at :class:`.bridge.Bridge`, on an event loop at :class:`.asynchronous.AsyncBridge`. Runs on Python 3.9, on the
standard library, msgpack and websockets alone, and imports nothing absolutely: it travels inside the plug-ins.
"""

from ..protocol.errors import BridgeError
from ..protocol.messages import ContextChoice, Document, LibraryEntry, Preview, Progress
from .asynchronous import AsyncBridge
from .bridge import Bridge
from .discovery import Address, discover
from .errors import (
    BadAddress,
    BridgeClosed,
    BridgeNotFound,
    ClientError,
    ConnectionLost,
    InsecureAddress,
    JobCancelled,
    NotRunning,
    Refused,
)
from .job import ConditionPixels, Job, JobResult, LoraJob, Pixels, RegionPixels, ResultLayer, TrainedLora

__all__ = [
    "Address",
    "AsyncBridge",
    "BadAddress",
    "Bridge",
    "BridgeClosed",
    "BridgeError",
    "BridgeNotFound",
    "ClientError",
    "ConditionPixels",
    "ConnectionLost",
    "ContextChoice",
    "Document",
    "InsecureAddress",
    "Job",
    "JobCancelled",
    "JobResult",
    "LibraryEntry",
    "LoraJob",
    "NotRunning",
    "Pixels",
    "Preview",
    "Progress",
    "Refused",
    "RegionPixels",
    "ResultLayer",
    "TrainedLora",
    "discover",
]
