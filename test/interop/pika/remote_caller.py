"""Calls that are under way at the same time: `remote_caller.py URL QUEUE direct|queue EXPIRATION REQUESTS...`."""

import sys
import uuid

import pika
from common import connect, emit, start

url, queue = start()
direct, expiration, requests = sys.argv[3] == "direct", sys.argv[4] or None, sys.argv[5:]

connection = connect(url)
channel = connection.channel()
if direct:
    reply_to = "amq.rabbitmq.reply-to"
else:
    reply_to = channel.queue_declare(queue="", exclusive=True).method.queue
pending = {}
answers = {}
strays = 0


def on_answer(_channel, _method, properties, body):
    global strays
    request = pending.pop(properties.correlation_id, None)
    if request is None:
        strays += 1
    else:
        answers[request] = body.decode()


channel.basic_consume(queue=reply_to, on_message_callback=on_answer, auto_ack=True)
for request in requests:
    correlation_id = str(uuid.uuid4())
    pending[correlation_id] = request
    channel.basic_publish(
        exchange="",
        routing_key=queue,
        properties=pika.BasicProperties(
            reply_to=reply_to, correlation_id=correlation_id, expiration=expiration
        ),
        body=request,
    )
while pending:
    connection.process_data_events(time_limit=1)
emit("answers", answers=[answers[request] for request in requests], strays=strays)
connection.close()
