"""A queue of tasks: prefetch, acks, a worker that crashes with tasks in hand, requeueing."""

import os
import signal

import pika
from common import connect, queue, say

tasks = queue("tasks")
tags = []


def on_task(channel, method, properties, body):
    tags.append(method.delivery_tag)
    say(
        "worker gets %s, tag %d, redelivered %s, mode %d"
        % (body.decode(), method.delivery_tag, method.redelivered, properties.delivery_mode)
    )


def work_and_crash():
    connection = connect()
    channel, watching = connection.channel(), connection.channel()
    channel.basic_qos(prefetch_count=2)
    channel.basic_consume(tasks, on_task)
    while len(tags) < 2:
        connection.process_data_events(1)
    ok = watching.queue_declare(tasks, passive=True).method
    say("with two in hand: %d ready, %d consumer" % (ok.message_count, ok.consumer_count))
    channel.basic_ack(1)
    while len(tags) < 3:
        connection.process_data_events(1)
    say("after an ack: %d ready" % watching.queue_declare(tasks, passive=True).method.message_count)
    os.kill(os.getpid(), signal.SIGKILL)


crashing = os.fork()
if crashing == 0:
    connection = connect()
    channel = connection.channel()
    ok = channel.queue_declare(tasks, durable=True).method
    say("declared: %d ready, %d consumers" % (ok.message_count, ok.consumer_count))
    channel.confirm_delivery()
    for number in range(1, 6):
        channel.basic_publish("", tasks, "task %d" % number, pika.BasicProperties(delivery_mode=2))
    say("published: %d ready" % channel.queue_declare(tasks, passive=True).method.message_count)
    work_and_crash()
os.waitpid(crashing, 0)

connection = connect()
channel = connection.channel()
while channel.queue_declare(tasks, passive=True).method.consumer_count > 0:
    pass
say("after the crash: %d ready" % channel.queue_declare(tasks, passive=True).method.message_count)

channel.basic_qos(prefetch_count=1)
for method, _properties, body in channel.consume(tasks):
    say("second worker gets %s, redelivered %s" % (body.decode(), method.redelivered))
    if body != b"task 5":
        channel.basic_ack(method.delivery_tag)
    elif not method.redelivered:
        channel.basic_nack(method.delivery_tag, requeue=True)
    else:
        channel.basic_reject(method.delivery_tag, requeue=False)
        break
say("given back by cancel: %d" % channel.cancel())
say("deleted with %d" % channel.queue_delete(tasks).method.message_count)
connection.close()
