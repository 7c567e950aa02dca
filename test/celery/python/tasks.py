"""The Python half of the Celery tests: an app as a user would write it, configured by environment variables."""
import os
import time

from celery import Celery
from kombu import Queue

app = Celery("proj", broker=os.environ["BROKER"], backend=os.environ.get("BACKEND") or os.environ["BROKER"])
app.conf.update(
    task_default_queue=os.environ.get("QUEUE", "celery"),
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_track_started=True,
    result_extended=os.environ.get("EXTENDED") == "1",
    task_serializer=os.environ.get("SERIALIZER", "json"),
    accept_content=["json", "msgpack"],
    task_protocol=int(os.environ.get("PROTOCOL", "2")),
    task_queue_max_priority=int(os.environ.get("MAX_PRIORITY", "0")) or None,
    broker_transport_options={"visibility_timeout": int(os.environ.get("VISIBILITY", "3600"))},
)
if os.environ.get("QUORUM"):
    quorum = {"x-queue-type": "quorum"}
    app.conf.task_queues = [Queue(n, routing_key=n, queue_arguments=quorum) for n in os.environ["QUORUM"].split(",")]
if os.environ.get("TIMEZONE"):
    app.conf.update(timezone=os.environ["TIMEZONE"], enable_utc=False)


class Refused(Exception):
    """An exception of the project's own."""


@app.task(name="proj.add")
def add(a, b):
    return a + b


@app.task(name="proj.tsum")
def tsum(numbers):
    return sum(numbers)


@app.task(name="proj.echo")
def echo(*args, **kwargs):
    return {"args": list(args), "kwargs": kwargs}


@app.task(name="proj.fail")
def fail(message):
    raise Refused(message, 42)


@app.task(name="proj.flaky", bind=True, max_retries=3)
def flaky(self, succeed_at):
    if self.request.retries + 1 < succeed_at:
        raise self.retry(countdown=0, exc=ValueError("not yet"))
    return self.request.retries + 1


@app.task(name="proj.request", bind=True)
def request(self, *args):
    r = self.request
    return {
        "id": r.id, "root_id": r.root_id, "parent_id": r.parent_id, "group": r.group, "retries": r.retries,
        "timelimit": list(r.timelimit or []), "reply_to": r.reply_to, "args": list(args), "eta": r.eta,
        "expires": r.expires, "correlation_id": r.correlation_id, "ignore_result": r.ignore_result,
    }


@app.task(name="proj.append")
def append(path, line, seconds=0):
    """Appends a line to a file when it starts, waits, and appends another."""
    with open(path, "a") as f:
        f.write(f"start {line}\n")
    time.sleep(seconds)
    with open(path, "a") as f:
        f.write(f"end {line}\n")
    return line


@app.task(name="proj.on_error")
def on_error(task_id):
    app.backend.client.lpush("errors", task_id)
    return task_id


@app.task(name="proj.stamps_of", bind=True)
def stamps_of(self):
    """5.2 has no stamps, but gives a task all headers of its message."""
    return {"stamped_headers": self.request.stamped_headers, "stamps": self.request.stamps}
