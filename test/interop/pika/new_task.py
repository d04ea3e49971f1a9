"""Tutorial 2, the program that hands out tasks: the arguments after the queue are the tasks."""

import sys

import pika
from common import connect, emit, start

url, queue = start()
connection = connect(url)
channel = connection.channel()
channel.queue_declare(queue=queue, durable=True)
for task in sys.argv[3:]:
    channel.basic_publish(
        exchange="",
        routing_key=queue,
        body=task,
        properties=pika.BasicProperties(delivery_mode=2),
    )
emit("sent", count=len(sys.argv[3:]))
connection.close()
