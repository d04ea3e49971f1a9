"""Tutorials 4 and 5: `routing.py URL EXCHANGE TYPE BINDING_KEYS ROUTING_KEYS`, keys separated by commas."""

import sys

from common import connect, emit, start

url, exchange = start()
exchange_type, binding_keys, routing_keys = sys.argv[3], sys.argv[4].split(","), sys.argv[5].split(",")

receiver = connect(url)
receiving = receiver.channel()
receiving.exchange_declare(exchange=exchange, exchange_type=exchange_type)
queue = receiving.queue_declare(queue="", exclusive=True).method.queue
for binding_key in binding_keys:
    receiving.queue_bind(exchange=exchange, queue=queue, routing_key=binding_key)

emitter = connect(url)
emitting = emitter.channel()
emitting.exchange_declare(exchange=exchange, exchange_type=exchange_type)
for routing_key in routing_keys:
    emitting.basic_publish(exchange=exchange, routing_key=routing_key, body=routing_key)
# Sent straight to the queue after everything else: nothing that was routed can come behind it.
emitting.basic_publish(exchange="", routing_key=queue, body="the end")


def on_message(channel, method, _properties, body):
    if body == b"the end":
        channel.stop_consuming()
        return
    emit("received", routing_key=method.routing_key, body=body.decode())


receiving.basic_consume(queue=queue, on_message_callback=on_message, auto_ack=True)
receiving.start_consuming()
receiving.exchange_delete(exchange=exchange)
receiver.close()
emitter.close()
