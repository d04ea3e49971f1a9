"""Tutorial 6, the server: answers `fib(n)` and ends after the request -1."""

import pika
from common import connect, emit, start

url, queue = start()


def fib(n):
    previous, current = 0, 1
    for _ in range(n):
        previous, current = current, previous + current
    return previous


def on_request(channel, method, properties, body):
    n = int(body)
    channel.basic_publish(
        exchange="",
        routing_key=properties.reply_to,
        properties=pika.BasicProperties(correlation_id=properties.correlation_id),
        body=str(fib(max(n, 0))),
    )
    channel.basic_ack(delivery_tag=method.delivery_tag)
    emit("answered", n=n)
    if n < 0:
        channel.stop_consuming()


connection = connect(url)
channel = connection.channel()
channel.queue_declare(queue=queue)
channel.basic_qos(prefetch_count=1)
channel.basic_consume(queue=queue, on_message_callback=on_request)
emit("ready")
channel.start_consuming()
channel.queue_delete(queue=queue)
connection.close()
