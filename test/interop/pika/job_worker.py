"""A worker that fails: `job_worker.py URL WORK_QUEUE PARKING_QUEUE MAX_RETRIES HANGS_AT`.

A job called `bad` is rejected, as often as its history says it may be, and then parked. With the job that has been
rejected HANGS_AT times in hand the worker hangs, until the test ends it.
"""

import sys
import time

from common import connect, emit, start

url, work = start()
parking, max_retries, hangs_at = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])

connection = connect(url)
channel = connection.channel()
channel.confirm_delivery()
channel.basic_qos(prefetch_count=1)


def rejections(properties):
    deaths = (properties.headers or {}).get("x-death", [])
    return sum(death["count"] for death in deaths if death["queue"] == work and death["reason"] == "rejected")


def on_job(channel, method, properties, body):
    count = rejections(properties)
    emit("attempt", job=body.decode(), rejections=count, redelivered=method.redelivered)
    if count == hangs_at:
        time.sleep(60)
    if body != b"bad":
        channel.basic_ack(method.delivery_tag)
    elif count < max_retries:
        channel.basic_reject(method.delivery_tag, requeue=False)
    else:
        channel.basic_publish(
            exchange="", routing_key=parking, body=body, properties=properties, mandatory=True
        )
        channel.basic_ack(method.delivery_tag)


channel.basic_consume(queue=work, on_message_callback=on_job)
emit("ready")
channel.start_consuming()
