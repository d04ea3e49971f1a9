"""Publisher confirms: basic_publish blocks until the broker answered and raises if the message went nowhere."""

import pika
from common import connect, emit, start

url, queue = start()
connection = connect(url)
channel = connection.channel()
channel.confirm_delivery()
channel.queue_declare(queue=queue, durable=True)

for number in range(20):
    channel.basic_publish(
        exchange="",
        routing_key=queue,
        body="message %d" % number,
        properties=pika.BasicProperties(content_type="text/plain", delivery_mode=2),
        mandatory=True,
    )
emit("confirmed", messages=channel.queue_declare(queue=queue, passive=True).method.message_count)

try:
    channel.basic_publish(exchange="", routing_key=queue + ".missing", body="nowhere to go", mandatory=True)
    emit("not returned")
except pika.exceptions.UnroutableError as error:
    returned = error.messages[0]
    emit(
        "returned",
        count=len(error.messages),
        reply_code=returned.method.reply_code,
        reply_text=returned.method.reply_text,
        exchange=returned.method.exchange,
        body=returned.body.decode(),
    )

# Without the mandatory flag the broker confirms and drops it.
channel.basic_publish(exchange="", routing_key=queue + ".missing", body="nowhere to go")
emit("dropped")

full = channel.queue_declare(
    queue=queue + ".full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
).method.queue
channel.basic_publish(exchange="", routing_key=full, body="fits")
try:
    channel.basic_publish(exchange="", routing_key=full, body="too many")
    emit("not nacked")
except pika.exceptions.NackError:
    emit("nacked")

channel.queue_delete(queue=full)
channel.queue_delete(queue=queue)
connection.close()
