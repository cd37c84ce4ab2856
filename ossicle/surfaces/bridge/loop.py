"""Lines in, a conversation about them, until one side ends it. The one place that knows there is more than one version.

A client that never heard of versions speaks the first; `start` with a `protocol` chooses.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from ossicle.surfaces.bridge import v1
from ossicle.surfaces.bridge.messages import Refused, Request, read_line
from ossicle.surfaces.bridge.wire import Wire


class Conversation(Protocol):
    """What the loop needs of a version."""

    @property
    def is_idle(self) -> bool: ...

    def take(self, request: Request) -> bool: ...

    def refuse(self, error: Exception, request: Request | None = None) -> None: ...

    def close(self, has_time: bool = True) -> None: ...


def converse(wire: Wire, versions: Mapping[str, Callable[[], Conversation]]) -> None:
    """Answer requests until `stop` or the end of the input. Bad input is answered, too.

    versions   by the name of the protocol; each begins a conversation
    """
    spoken, conversation = v1.PROTOCOL, versions[v1.PROTOCOL]()
    has_time = False                                        # an interrupt, or a fault of ours: nobody waits for the rest
    try:
        for line in wire.lines():
            try:
                request = read_line(line)
            except (ValueError, RecursionError, Refused) as error:
                conversation.refuse(error)
                continue
            asked = request.get("protocol") if request.get("type") == "start" else None
            if asked is not None and asked != spoken:
                try:
                    _check(asked, versions, conversation)
                except Refused as error:
                    conversation.refuse(error, request)
                    continue
                conversation.close()
                spoken, conversation = str(asked), versions[str(asked)]()
            if not conversation.take(request):
                break
        has_time = True
    finally:
        conversation.close(has_time)


def _check(asked: object, versions: Mapping[str, Callable[[], Conversation]], conversation: Conversation) -> None:
    if asked not in versions:
        raise Refused("bad_request", f"protocol must be one of {', '.join(versions)}; got {asked!r}")
    if not conversation.is_idle:
        raise Refused("bad_request", "the protocol can change only while no stream is open and no result is waited for")
