"""The app of the peer "celery", as a user would write it."""
import os
import socket

from celery import Celery

QUEUE = "bench"

app = Celery("bench", broker=os.environ["BROKER"])
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    # As ours: a job is settled when it has run.
    task_acks_late=True,
    # Times two processes: 100 jobs in hand.
    worker_prefetch_multiplier=50,
    # py-amqp gives up a connection that a busy server has not read from for a second.
    broker_transport_options={"socket_settings": {socket.TCP_USER_TIMEOUT: 60_000}},
)


@app.task(name="bench.add")
def add(a, b):
    return a + b
