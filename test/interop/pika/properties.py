"""Every property and header type that pika can write comes back as it went."""

import datetime
import decimal

import pika
from common import connect, emit, start

url, queue = start()
connection = connect(url)
channel = connection.channel()
channel.queue_declare(queue=queue)

headers = {
    "text": "grüße",
    "bytes": b"\x00\xff",
    "yes": True,
    "no": False,
    "int": -7,
    "long": 2**40,
    "decimal": decimal.Decimal("3.14"),
    "time": datetime.datetime(2024, 2, 29, 12, 0, 0),
    "nothing": None,
    "list": ["a", 1, [True], {"k": "v"}],
    "table": {"nested": {"empty": {}}},
}
sent = pika.BasicProperties(
    content_type="application/json",
    content_encoding="utf-8",
    headers=headers,
    delivery_mode=2,
    priority=5,
    correlation_id="correlation",
    reply_to="somewhere",
    expiration="600000",
    message_id="message",
    timestamp=1700000000,
    type="type",
    user_id="guest",
    app_id="app",
    cluster_id="cluster",
)
body = bytes(range(256)) * 8192
channel.basic_publish(exchange="", routing_key=queue, body=body, properties=sent)
_method, received, received_body = channel.basic_get(queue=queue, auto_ack=True)
emit("full", different=[name for name, value in vars(sent).items() if getattr(received, name) != value])
emit("body", size=len(received_body), same=received_body == body)

channel.basic_publish(exchange="", routing_key=queue, body="")
_method, received, received_body = channel.basic_get(queue=queue, auto_ack=True)
present = [name for name, value in vars(received).items() if value is not None]
emit("none", present=present, size=len(received_body))

channel.queue_delete(queue=queue)
connection.close()
