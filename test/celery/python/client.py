"""Evaluates one expression a line, and answers each with a line of JSON: the Python side of a test."""
import base64
import json
import sys
import time
from datetime import datetime, timedelta, timezone

import celery
from celery import chain, chord, chunks, group, signature, states, xmap, xstarmap
from celery.exceptions import TimeoutError
from celery.result import AsyncResult, GroupResult
from celery.utils.iso8601 import parse_iso8601 as maybe_iso8601
from celery.utils.time import maybe_make_aware

import tasks
from tasks import *  # noqa: F403
from tasks import app

def heard(app, wanted, node, then):
    """The events of nodes whose names begin so, until each wanted type has come. Calls `then` once one is heard."""
    missing, found = set(wanted), []
    deadline = time.time() + 30

    def handle(event):
        if event["hostname"].startswith(node):
            if not found:
                then()
            found.append(event)
            missing.discard(event["type"])
        if not missing or time.time() > deadline:
            receiver.should_stop = True

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": handle})
        receiver.capture(limit=None, timeout=20, wakeup=False)
    return found


def states_in(app, uuid, events):
    """The states of a task, as Celery's monitors see them when they hear these events one after the other."""
    state = app.events.State()
    found = []
    for event in events:
        state.event(event)
        if event.get("uuid") == uuid:
            found.append(state.tasks[uuid].state)
    return found


def with_errback(header, body, errback):
    """A chord with an errback, with task_allow_error_cb_on_chord_header. 5.2 has no such setting: by hand then."""
    app.conf.task_allow_error_cb_on_chord_header = True
    if celery.VERSION < (5, 3):
        for task in header:
            task.link_error(errback.clone(immutable=True))
    made = chord(header, body)
    made.link_error(errback)
    return made


def first_in(queue, then):
    """The delivery mode, correlation id and result of the first message in a queue that is made here, after `then`."""
    with app.connection_for_read() as connection:
        waiting = connection.SimpleQueue(queue)
        then()
        message = waiting.get(timeout=20)
        message.ack()
        return [message.properties["delivery_mode"], message.properties["correlation_id"], message.payload["result"]]


names = {**globals(), "remote": lambda name, *args, **kwargs: signature(name, args=args, kwargs=kwargs, app=app)}


def plain(value):
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if hasattr(value, "as_tuple"):
        return value.as_tuple()
    return repr(value)


for line in sys.stdin:
    try:
        answer = {"value": eval(json.loads(line), names)}
    except BaseException as error:  # The test wants to know of each.
        cls = type(error)
        answer = {"error": {"type": cls.__name__, "module": cls.__module__, "args": [str(a) for a in error.args]}}
    sys.stdout.write(json.dumps(answer, default=plain) + "\n")
    sys.stdout.flush()
