"""One worker of a stage: `stage_worker.py URL QUEUE EXCHANGE EMITS`. Runs until it is ended."""

import sys

import pika
from common import connect, emit, start

url, queue = start()
exchange, emits = sys.argv[3:5]

connection = connect(url)
channel = connection.channel()
channel.confirm_delivery()
channel.basic_qos(prefetch_count=5)


def on_order(channel, method, _properties, body):
    # Blocks until the broker has the next event, and raises if it has not: only then is the order acked.
    channel.basic_publish(
        exchange=exchange,
        routing_key=emits,
        body=body,
        properties=pika.BasicProperties(delivery_mode=2),
        mandatory=True,
    )
    channel.basic_ack(method.delivery_tag)
    emit("done", order=body.decode(), redelivered=method.redelivered)


channel.basic_consume(queue=queue, on_message_callback=on_order)
emit("ready")
channel.start_consuming()
