"""A worker that handles its deliveries up to a number and then hangs, until it is ended.

`hanging_worker.py URL manual|automatic COUNT PREFETCH QUEUES...`. It reports what it is handed, also when it hangs.
"""

import functools
import sys

from common import connect, emit, start

url, acks = start()
hangs_after, prefetch, queues = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
count = 0

connection = connect(url)
channel = connection.channel()
channel.basic_qos(prefetch_count=prefetch)


def on_message(queue, channel, method, _properties, body):
    global count
    handled = count < hangs_after
    count += 1
    if handled and acks == "manual":
        channel.basic_ack(method.delivery_tag)
    # Acks are not answered. This is, on the same channel, and so after them: the test may end us from now on.
    channel.queue_declare(queue=queue, passive=True)
    emit("handed", queue=queue, body=body.decode(), redelivered=method.redelivered, handled=handled)


for queue in queues:
    channel.basic_consume(
        queue=queue,
        on_message_callback=functools.partial(on_message, queue),
        auto_ack=acks == "automatic",
    )
emit("ready")
channel.start_consuming()
