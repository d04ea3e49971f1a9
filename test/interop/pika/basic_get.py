"""Polling with basic.get, and what nack, reject and recover do to the redelivered flag."""

from common import connect, emit, start

url, queue = start()
connection = connect(url)
channel = connection.channel()
channel.queue_declare(queue=queue)


def get(event, auto_ack=False):
    method, _properties, body = channel.basic_get(queue=queue, auto_ack=auto_ack)
    if method is None:
        emit(event, empty=True)
        return None
    emit(event, body=body.decode(), redelivered=method.redelivered, left=method.message_count)
    return method.delivery_tag


get("empty queue")
for body in ("first", "second"):
    channel.basic_publish(exchange="", routing_key=queue, body=body)

channel.basic_nack(get("first time"), requeue=True)
channel.basic_reject(get("after nack"), requeue=True)
get("after reject")
channel.basic_recover(requeue=True)
channel.basic_ack(get("after recover"))
get("automatic ack", auto_ack=True)
get("nothing left")

for body in ("a", "b", "c"):
    channel.basic_publish(exchange="", routing_key=queue, body=body)
tags = [get("unacked"), get("unacked"), get("unacked")]
channel.basic_ack(tags[1], multiple=True)
channel.close()

channel = connection.channel()
channel.basic_ack(get("after closing"))
emit("purged", messages=channel.queue_purge(queue=queue).method.message_count)
channel.queue_delete(queue=queue)
connection.close()
