"""What may follow what: the state machines of both sides, sans-I/O.

A *connection* is one socket's life; a *session* outlives it. On the server, :class:`ServerConnection` checks the order
of a client's messages, and :class:`ServerSession` numbers the events, keeps them until they are acknowledged, and
replays them after a `resume`. On the client, :class:`ClientSession` does both halves of the other side. Neither knows
sockets, clocks or threads, so the whole protocol is tested without them. Runs on Python 3.9.
"""

from __future__ import annotations

from typing import Any, ClassVar, Optional, TypeVar, Union, cast

from ..errors import Sentence
from .errors import BridgeError
from .fields import StrEnum
from .messages import (
    PROTOCOL_VERSION,
    Cancelled,
    Checkpoints,
    ClientMessage,
    Closing,
    Device,
    Error,
    Failed,
    Hello,
    JobEvent,
    JobOrder,
    Preview,
    Progress,
    Pulled,
    Pulling,
    Queued,
    Result,
    Resume,
    Resumed,
    ServerMessage,
    Started,
    Trained,
    Unpulled,
    Welcome,
)
from .wire import decode_client, decode_server

__all__ = ["TERMINAL_EVENTS", "ClientSession", "JobState", "JobStates", "ServerConnection", "ServerSession"]

_EVENT_TYPES = (Queued, Started, Progress, Result, Trained, Failed, Cancelled)
TERMINAL_EVENTS = (Result, Trained, Failed, Cancelled)
# What the bridge tells every client of its own accord, at any moment after the welcome.
_NEWS = (Device, Checkpoints, Pulling, Pulled, Unpulled)

_MISCOUNTED = "Update the plug-in: it counts events wrongly."
_UPDATE_PLUGIN = "Update the plug-in to the bridge's release: `paintbridge plugins install` brings it."
_UPDATE_BRIDGE = "Update the bridge to the plug-in's release, and start it again."

E = TypeVar("E", bound=Union[Queued, Started, Progress, Result, Trained, Failed, Cancelled])
Order = TypeVar("Order", bound=JobOrder)


class JobState(StrEnum):
    """What was last said of a job: that it was submitted, or an event, by its type."""

    SUBMITTED = "submitted"
    QUEUED = "queued"
    STARTED = "started"
    PROGRESS = "progress"
    RESULT = "result"
    TRAINED = "trained"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ENDS = (JobState.RESULT, JobState.TRAINED, JobState.FAILED, JobState.CANCELLED)
_UNSTARTED_ENDS = (JobState.FAILED, JobState.CANCELLED)


class JobStates:
    """The life of each job: submitted, queued (any number of times), started, progress (any number), and one end."""

    _AFTER: ClassVar[dict[JobState, tuple[JobState, ...]]] = {
        JobState.SUBMITTED: (JobState.QUEUED, *_UNSTARTED_ENDS),
        JobState.QUEUED: (JobState.QUEUED, JobState.STARTED, *_UNSTARTED_ENDS),
        JobState.STARTED: (JobState.PROGRESS, *_ENDS),
        JobState.PROGRESS: (JobState.PROGRESS, *_ENDS),
    }

    def __init__(self) -> None:
        self._states: dict[str, JobState] = {}

    def begin(self, job: str) -> None:
        """A job was submitted.

        Raises:
            BridgeError: ``job_exists``.
        """
        if job in self._states:
            raise BridgeError("job_exists")
        self._states[job] = JobState.SUBMITTED

    def advance(self, event: JobEvent) -> None:
        """An event of a job.

        Raises:
            BridgeError: ``unexpected_message`` when it cannot follow the job's last one.
        """
        following = JobState(type(event).__name__.lower())
        state = self._states.get(event.job)
        if state is None or following not in self._AFTER.get(state, ()):
            raise BridgeError(
                "unexpected_message",
                "A job cannot be {kind} after it was {state}.",
                kind=following,
                state=state or "forgotten",
            )
        self._states[event.job] = following

    def allows_preview(self, job: str) -> bool:
        """Whether the job runs. A preview that is overtaken by the job's end is of no use to anybody."""
        return self._states.get(job) in (JobState.STARTED, JobState.PROGRESS)

    def forget(self, job: str) -> None:
        """The job's end has been dealt with; its name is free again."""
        self._states.pop(job, None)

    def open_jobs(self) -> list[str]:
        """Jobs that have not ended, in the order of their submission."""
        return [job for job, state in self._states.items() if state in self._AFTER]


class ServerConnection:
    """The order of a client's messages on one connection: hello, at once perhaps resume, then anything else."""

    def __init__(self) -> None:
        self.greeted = False
        self._may_resume = False

    def receive(self, frame: bytes) -> ClientMessage:
        """Decode a frame, and see that it may come now.

        Raises:
            BridgeError: those of the decoder; ``unexpected_message``.
        """
        message = decode_client(frame)
        if not self.greeted:
            if not isinstance(message, Hello):
                raise BridgeError("unexpected_message", "The first message must be hello.")
            return message
        if isinstance(message, Hello):
            raise BridgeError("unexpected_message", "hello came twice.")
        if isinstance(message, Resume) and not self._may_resume:
            raise BridgeError("unexpected_message", "resume must come right after welcome.")
        self._may_resume = False
        return message

    def accept(self, hello: Hello) -> None:
        """The hello's token was right: check its version, and open the connection.

        Raises:
            BridgeError: ``version_unsupported``, naming the version that is served.
        """
        if hello.version != PROTOCOL_VERSION:
            raise BridgeError(
                "version_unsupported",
                "The plug-in speaks version {version} of the protocol; this bridge serves {own_version}.",
                _UPDATE_PLUGIN if hello.version < PROTOCOL_VERSION else _UPDATE_BRIDGE,
                version=hello.version,
                own_version=PROTOCOL_VERSION,
            )
        self.greeted = True
        self._may_resume = True


class ServerSession:
    """Numbers a session's events, keeps them until the client acknowledges them, and replays them."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self._states = JobStates()
        self._last = 0
        self._acknowledged = 0
        self._unacknowledged: dict[int, JobEvent] = {}

    def begin(self, order: JobOrder) -> None:
        """A job was submitted. Raises as :meth:`JobStates.begin`."""
        self._states.begin(order.job)

    def emit(self, kind: type[E], **values: Any) -> E:
        """Number an event and keep it until it is acknowledged.

        Raises:
            BridgeError: ``unexpected_message`` when it cannot follow the job's last event (a fault of the server).
        """
        event = kind(event=self._last + 1, **values)
        self._states.advance(cast(JobEvent, event))
        self._last = event.event
        self._unacknowledged[self._last] = cast(JobEvent, event)
        return event

    def preview_allowed(self, job: str) -> bool:
        """Whether a preview of this job may be sent."""
        return self._states.allows_preview(job)

    def open_jobs(self) -> list[str]:
        """Jobs that have not ended."""
        return self._states.open_jobs()

    def acknowledge(self, number: int) -> list[JobEvent]:
        """The client has dealt with all events up to this number; they are forgotten and returned.

        Raises:
            BridgeError: ``out_of_range`` for an event that was never sent.
        """
        if number > self._last:
            raise BridgeError("out_of_range", "Event {number} has not been sent yet.", _MISCOUNTED, number=number)
        self._acknowledged = max(self._acknowledged, number)
        done = [event for key, event in self._unacknowledged.items() if key <= number]
        for event in done:
            del self._unacknowledged[event.event]
            if isinstance(event, TERMINAL_EVENTS):
                self._states.forget(event.job)
        return done

    def replay(self, last_event: int) -> list[JobEvent]:
        """All events after this one, for a client that has come back.

        Raises:
            BridgeError: ``out_of_range`` for an event that was never sent, or when later ones were acknowledged and
                are gone.
        """
        if last_event > self._last:
            raise BridgeError("out_of_range", "Event {number} has not been sent yet.", _MISCOUNTED, number=last_event)
        if last_event < self._acknowledged:
            gone = Sentence("Events up to {number} were acknowledged, and are gone.", number=self._acknowledged)
            raise BridgeError("out_of_range", gone, _MISCOUNTED)
        return [event for number, event in self._unacknowledged.items() if number > last_event]

    def event_after(self, number: int) -> Optional[JobEvent]:
        """The first event after this one that is not acknowledged; None: there is none yet."""
        return self._unacknowledged.get(max(number, self._acknowledged) + 1)

    @property
    def waiting(self) -> int:
        """How many events wait to be acknowledged."""
        return len(self._unacknowledged)

    def held_results(self) -> list[Result]:
        """Results that wait to be acknowledged, oldest first."""
        return [event for event in self._unacknowledged.values() if isinstance(event, Result)]

    def expire(self, result: Result) -> Failed:
        """Give up a waiting result; in the replay a failure with ``result_expired`` stands at its place."""
        error = BridgeError("result_expired")
        failed = Failed(result.event, result.job, error.code, error.message, error.hint)
        self._unacknowledged[result.event] = failed
        return failed


class ClientSession:
    """A client's view: greets, follows its jobs, drops what comes twice, and knows what to ask for after a lost
    connection.
    """

    def __init__(self, *, client: str) -> None:
        self._client = client
        self._phase = "closed"
        self._states = JobStates()
        self._resuming: Optional[str] = None
        self.session: Optional[str] = None
        self.last_event = 0
        self.lost_jobs: tuple[str, ...] = ()

    def connect(self, token: str) -> Hello:
        """A connection was opened: send this first. The token may have changed since the last one."""
        self._phase = "greeting"
        return Hello(PROTOCOL_VERSION, self._client, token)

    def disconnected(self) -> None:
        """The connection is gone. The session may be resumed on the next one."""
        self._phase = "closed"

    @property
    def open(self) -> bool:
        """Whether jobs may be sent."""
        return self._phase == "open"

    def submit(self, message: Order) -> Order:
        """A job is about to be sent.

        Raises:
            BridgeError: ``job_exists``; ``unexpected_message`` without a session.
        """
        if not self.open:
            raise BridgeError("unexpected_message", "There is no connection to the bridge.")
        self._states.begin(message.job)
        return message

    def forget(self, job: str) -> None:
        """The caller has done with an ended job."""
        self._states.forget(job)

    def open_jobs(self) -> list[str]:
        """Jobs that have not ended."""
        return self._states.open_jobs()

    def receive(self, frame: bytes) -> tuple[Optional[ServerMessage], Optional[Resume]]:
        """Decode a frame.

        Returns:
            The message, or None for an event that had arrived before, and for a message of a type that is not known (a
            later bridge's); and what must be sent at once, if anything.

        Raises:
            BridgeError: those of the decoder; ``unexpected_message`` when the server breaks the order.
        """
        try:
            message = decode_server(frame)
        except BridgeError as error:
            if error.code == "unknown_type":
                return None, None
            raise
        if isinstance(message, (Error, Closing)):
            return self._receive_error(message), None
        if self._phase == "greeting":
            return message, self._welcome(message)
        if self._phase == "resuming":
            if not isinstance(message, (Resumed, *_NEWS)):
                raise BridgeError("unexpected_message", "The bridge did not answer resume.")
            if isinstance(message, Resumed):
                self._phase, self.session, self._resuming = "open", message.session, None
            return message, None
        if self._phase != "open" or isinstance(message, (Welcome, Resumed)):
            raise BridgeError(
                "unexpected_message", "The bridge sent {type} out of order.", type=type(message).__name__.lower()
            )
        if isinstance(message, _EVENT_TYPES):
            return self._receive_event(message), None
        if isinstance(message, Preview) and not self._states.allows_preview(message.job):
            return None, None
        return message, None

    def _welcome(self, message: ServerMessage) -> Optional[Resume]:
        if not isinstance(message, Welcome):
            raise BridgeError("unexpected_message", "The bridge did not answer hello.")
        earlier, self._resuming = self.session, message.session
        if earlier is None:
            self._phase, self.session = "open", message.session
            return None
        self._phase = "resuming"
        return Resume(earlier, self.last_event)

    def _receive_error(self, message: Union[Error, Closing]) -> Union[Error, Closing]:
        if isinstance(message, Error) and self._phase == "resuming" and message.about == self.session:
            # Whatever keeps it from being resumed: the welcome's fresh session takes its place.
            self._phase, self.session, self.last_event = "open", self._resuming, 0
            self.lost_jobs = tuple(self._states.open_jobs())
            for job in self.lost_jobs:
                self._states.forget(job)
        return message

    def _receive_event(self, event: JobEvent) -> Optional[JobEvent]:
        if event.event <= self.last_event:
            return None
        if event.event != self.last_event + 1:
            raise BridgeError("unexpected_message", "Event {number} is missing.", number=self.last_event + 1)
        self._states.advance(event)
        self.last_event = event.event
        return event
