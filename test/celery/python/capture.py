"""Writes what Celery puts on the wire, as fixtures: python3 capture.py redis://127.0.0.1:6379/0 > ../fixtures/messages.json

Needs a Redis of its own: it reads the queues back and deletes them. Each fixture is a name, the queue's key, and the raw
element of the list, as kombu wrote it. Host names are replaced before Celery is loaded.
"""
import datetime
import json
import os
import socket
import sys

socket.gethostname = lambda: "capture"
os.getpid = lambda: 1
os.environ["BROKER"] = sys.argv[1]

import celery  # noqa: E402
import kombu  # noqa: E402
from celery import chain, chord, group, signature  # noqa: E402

import tasks  # noqa: E402
from tasks import add, app, echo, on_error, tsum  # noqa: E402

client = app.backend.client
found = []


def take(name):
    for key in sorted(client.keys("celery*")):
        if client.type(key) != b"list":
            continue
        raw = client.lrange(key, 0, -1)
        client.delete(key)
        for at, one in enumerate(reversed(raw)):
            suffix = f"-{at}" if len(raw) > 1 else ""
            found.append({"name": name + suffix, "key": key.decode(), "raw": one.decode()})


def protocol(version, name, call):
    app.conf.task_protocol = version
    app.amqp.__dict__.pop("create_task_message", None)
    call()
    take(name)


def remote(name):
    """A task of another worker's."""
    return signature(name, app=app)


client.flushdb()
when = "2030-01-02T03:04:05.678901+00:00"
moment = datetime.datetime.fromisoformat(when)
protocol(2, "plain", lambda: add.delay(2, 3))
protocol(2, "kwargs", lambda: echo.delay(1, text="grüße ☃ \U0001f600", deep={"list": [1, None, True, 2.5]}))
protocol(2, "no-arguments", lambda: echo.delay())
protocol(2, "eta", lambda: add.apply_async((1, 2), eta=when))
protocol(2, "countdown", lambda: add.apply_async((1, 2), countdown=3600))
protocol(2, "expires", lambda: add.apply_async((1, 2), expires=moment))
protocol(2, "expires-seconds", lambda: add.apply_async((1, 2), expires=10))
protocol(2, "priority", lambda: add.apply_async((1, 2), priority=7))
protocol(2, "time-limits", lambda: add.apply_async((1, 2), time_limit=20, soft_time_limit=10.5))
protocol(2, "ignore-result", lambda: add.apply_async((1, 2), ignore_result=True))
protocol(2, "id-and-shadow", lambda: add.apply_async((1, 2), task_id="my-own-id", shadow="shadowed"))
protocol(2, "headers", lambda: add.apply_async((1, 2), headers={"trace": "abc", "stamps": {"a": 1}}))
protocol(2, "retries", lambda: add.apply_async((1, 2), retries=2))
protocol(2, "link", lambda: add.apply_async((1, 2), link=add.s(10)))
protocol(2, "links", lambda: add.apply_async((1, 2), link=[add.s(10), tsum.si([1]), group(add.s(1), add.s(2))]))
protocol(2, "link-error", lambda: add.apply_async((1, 2), link_error=on_error.s()))
protocol(2, "chain", lambda: chain(add.s(1, 2), add.s(3), add.s(4)).apply_async())
protocol(2, "chain-group", lambda: chain(add.s(1, 2), group(add.s(3), add.s(4))).apply_async())
protocol(2, "chain-chord", lambda: chain(add.s(1, 2), group(add.s(3), add.s(4)), tsum.s(), add.s(1)).apply_async())
protocol(2, "group", lambda: group(add.s(1, 1), add.s(2, 2)).apply_async())
protocol(2, "chord", lambda: chord([add.s(1, 1), add.s(2, 2)], tsum.s()).apply_async())
protocol(2, "chord-link-error", lambda: chord([add.s(1, 1)], tsum.s().on_error(on_error.s())).apply_async())
protocol(2, "other-queue", lambda: add.apply_async((1, 2), queue="celery-slow"))
protocol(2, "msgpack", lambda: echo.apply_async((1, "ß", b"\x00\xff", 2.5, None, [1]), {"k": {"a": 1}}, serializer="msgpack"))
protocol(2, "zlib", lambda: echo.apply_async(("x" * 200,), compression="zlib"))
protocol(2, "zlib-msgpack", lambda: echo.apply_async(("x" * 200,), serializer="msgpack", compression="zlib"))
protocol(2, "bzip2", lambda: echo.apply_async(("x" * 200,), compression="bzip2"))
protocol(2, "pickle", lambda: echo.apply_async((1,), serializer="pickle"))
protocol(2, "yaml", lambda: echo.apply_async((1,), serializer="yaml"))
protocol(1, "v1", lambda: add.delay(2, 3))
protocol(1, "v1-eta", lambda: add.apply_async((1, 2), eta=moment, expires=moment))
protocol(1, "v1-link", lambda: add.apply_async((1, 2), link=add.s(1), link_error=on_error.s()))
protocol(1, "v1-chain", lambda: chain(add.s(1, 2), add.s(3)).apply_async())
protocol(1, "v1-msgpack", lambda: add.apply_async((1, 2), serializer="msgpack", compression="zlib"))

made = f"Celery {celery.__version__}, kombu {kombu.__version__}: capture.py"
json.dump({"made": made, "messages": found}, sys.stdout, indent=1, ensure_ascii=True)
sys.stdout.write("\n")
