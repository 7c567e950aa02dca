"""Enqueues, and says when a worker is done. One command a line, such as `["publish", 1000]`; one answer a line."""
import json
import sys
import time

from tasks import QUEUE, add, app


def publish(count):
    """By one producer. Answers the seconds until the server has all of them, which it is asked at the end."""
    with app.producer_pool.acquire(block=True) as producer:
        app.amqp.queues[QUEUE](producer.channel).declare()
        since = time.monotonic()
        for number in range(count):
            add.apply_async((number, 1), producer=producer)
        waiting(producer.channel)
        return time.monotonic() - since


def work(count):
    """Has the worker take the queue. Answers the seconds until the last job is settled and the queue empty."""
    with app.connection_for_read() as connection:
        channel = connection.channel()
        since = time.monotonic()
        app.control.add_consumer(QUEUE)
        while waiting(channel) > 0:
            time.sleep(0.002)
        # What is on its way to the worker is in neither place.
        while received() < count or in_hand() > 0:
            pass
        return time.monotonic() - since


def waiting(channel):
    return channel.queue_declare(QUEUE, passive=True).message_count


def received():
    """Jobs that the worker has had so far."""
    found = app.control.inspect(limit=1, timeout=5).stats()
    return sum(stats["total"].get(add.name, 0) for stats in found.values())


def in_hand():
    """Jobs that the worker has and has not acknowledged."""
    inspect = app.control.inspect(limit=1, timeout=5)
    return sum(len(jobs) for found in (inspect.reserved(), inspect.active()) for jobs in found.values())


def remaining():
    with app.connection_for_read() as connection:
        return waiting(connection.channel())


COMMANDS = {"publish": publish, "work": work, "remaining": remaining}

for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(COMMANDS[name](*arguments)), flush=True)
