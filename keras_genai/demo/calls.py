"""The waiting calls, in a queue for each model."""

import time

from gradio.queueing import Queue
from gradio.route_utils import get_fn
from gradio.server_messages import ProcessCompletedMessage

MAX_WAITING = 32
PATIENCE = 60.0  # seconds
_DROPPED = (
    "Expected a reader of the results of the call. "
    "Received: no reader, so the call was dropped."
)


class Calls(Queue):
    """Gradio's queue, in which a call begins when a client reads its results.

    Each model has a queue of its own, of 32 calls at most. A call without a
    reader never runs: it is dropped after a minute, or as soon as the queue is
    full and another call comes.
    """

    async def push(self, body, request, username):
        """Takes a call, or returns the reason against it: `Queue.push`."""
        queue = self._queue_of(get_fn(self.blocks, None, body))
        if queue is not None and len(queue.queue) >= MAX_WAITING:
            left = [each for each in queue.queue if not self._is_followed(each)]
            if not left:
                message = f"Expected at most {MAX_WAITING} calls that wait."
                return False, message, "queue_full"
            self._drop(left[0])
        return await super().push(body, request, username)

    def get_events(self):
        """The next call, in a list: Gradio's `Queue.get_events`."""
        now = time.monotonic()
        for name, queue in self.event_queue_per_concurrency_id.items():
            for event in list(queue.queue):
                if not self._is_followed(event):
                    came = vars(event).setdefault("came", now)
                    if now - came > PATIENCE:
                        self._drop(event)
                elif queue.current_concurrency < queue.concurrency_limit:
                    queue.queue.remove(event)
                    return [event], False, name
        return None

    def _queue_of(self, function):
        return self.event_queue_per_concurrency_id.get(function.concurrency_id)

    def _is_followed(self, event):
        # Each call gets its place at once; an empty queue means that it was
        # read.
        messages = self.pending_messages_per_session.get(event.session_hash)
        return messages is not None and messages.empty()

    def _drop(self, event):
        self._queue_of(event.fn).queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        sessions = self.pending_messages_per_session
        if event.session_hash in sessions:
            # For clients that come too late.
            self.send_message(
                event,
                ProcessCompletedMessage(
                    output={"error": _DROPPED}, success=False
                ),
            )
        # Gradio keeps the last 2,000 sessions, and their numbers for ever.
        for gone in self.pending_event_ids_session.keys() - sessions.keys():
            del self.pending_event_ids_session[gone]
