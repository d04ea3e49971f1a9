"""Retries after a delay that doubles: `delayed_retry.py URL NAME DELAYS`, milliseconds separated by commas.

A job that fails waits in a queue without consumers, one for each delay, and expires back into the work queue. Here
the messages carry the delay, and a waiting queue is declared when it is needed.
"""

import sys
import time

import pika
from common import connect, emit, start

url, name = start()
delays = [int(delay) for delay in sys.argv[3].split(",")]
work, parking = name + ".work", name + ".parking"
FAILURES = {"good": 0, "flaky": 2, "bad": len(delays) + 1}

connection = connect(url)
channel = connection.channel()
channel.confirm_delivery()
channel.queue_declare(queue=work, durable=True)
channel.queue_declare(queue=parking, durable=True)
channel.basic_qos(prefetch_count=1)
waiting_since = {}


def publish(queue, body, retries, expiration=None):
    channel.basic_publish(
        exchange="",
        routing_key=queue,
        body=body,
        properties=pika.BasicProperties(
            delivery_mode=2, expiration=expiration, headers={"x-retry-count": retries}
        ),
        mandatory=True,
    )


def waiting_queue(delay):
    queue = "%s.waiting.%d" % (name, delay)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": work}
    channel.queue_declare(queue=queue, durable=True, arguments=arguments)
    return queue


def on_job(channel, method, properties, body):
    job, retries = body.decode(), properties.headers["x-retry-count"]
    waited = (time.monotonic() - waiting_since.get(job, 0)) * 1000
    emit("attempt", job=job, retries=retries, waitedMs=waited)
    if retries < FAILURES[job]:
        if retries < len(delays):
            queue = waiting_queue(delays[retries])
            waiting_since[job] = time.monotonic()
            publish(queue, body, retries + 1, expiration=str(delays[retries]))
        else:
            publish(parking, body, retries)
    channel.basic_ack(method.delivery_tag)


def on_parked(channel, method, properties, body):
    emit(
        "parked",
        job=body.decode(),
        retries=properties.headers["x-retry-count"],
        expiration=properties.expiration,
    )
    channel.basic_ack(method.delivery_tag)
    channel.stop_consuming()


for job in FAILURES:
    publish(work, job, 0)
channel.basic_consume(queue=work, on_message_callback=on_job)
channel.basic_consume(queue=parking, on_message_callback=on_parked)
channel.start_consuming()
queues = [work, parking] + [waiting_queue(delay) for delay in delays]
emit("left", messages=[channel.queue_delete(queue=queue).method.message_count for queue in queues])
connection.close()
