"""Urgent jobs come while a worker is busy with its first one: `priority_worker.py URL QUEUE PREFETCH`."""

import sys

import pika
from common import connect, emit, start

url, queue = start()
prefetch = int(sys.argv[3])

sender = connect(url)
sending = sender.channel()
sending.confirm_delivery()
sending.queue_declare(queue=queue, arguments={"x-max-priority": 5})


def send(kind, count, priority):
    for number in range(count):
        sending.basic_publish(
            exchange="",
            routing_key=queue,
            body="%s %d" % (kind, number),
            properties=pika.BasicProperties(priority=priority),
        )


send("routine", 4, priority=None)
worker = connect(url)
working = worker.channel()
working.basic_qos(prefetch_count=prefetch)
jobs = []
for method, properties, body in working.consume(queue):
    if not jobs:
        # What the worker may fetch it has fetched by now, as far as it is there: the ready ones say so.
        while sending.queue_declare(queue=queue, passive=True).method.message_count > 4 - prefetch:
            sender.sleep(0.01)
        send("urgent", 2, priority=5)
    jobs.append(body.decode())
    working.basic_ack(method.delivery_tag)
    if len(jobs) == 6:
        break
emit("done", jobs=jobs)
working.cancel()
worker.close()
emit("left", messages=sending.queue_delete(queue=queue).method.message_count)
sender.close()
