"""Every property and every type of header that pika can write, as they come back."""

import datetime
import decimal

from common import URL, connect, queue, say

import pika

name = queue("types")
connection = connect()
channel = connection.channel()
channel.queue_declare(name)


def send_and_get(body, properties):
    channel.basic_publish("", name, body, properties)
    _method, received, received_body = channel.basic_get(name, auto_ack=True)
    return received, received_body


headers = {
    "text": "grüße, 世界 \U0001f407",
    "empty text": "",
    "long text": "x" * 3000,
    "bytes": bytes(range(256)),
    "yes": True,
    "no": False,
    "zero": 0,
    "small": -7,
    "int": 2**31 - 1,
    "negative int": -(2**31),
    "long": 2**31,
    "longest": 2**63 - 1,
    "negative long": -(2**63),
    "decimal": decimal.Decimal("3.14"),
    "whole decimal": decimal.Decimal(100),
    "time": datetime.datetime(2024, 2, 29, 12, 0, 0),
    "nothing": None,
    "list": ["a", 1, 2**40, True, None, [["deep"]], {"k": "v"}],
    "empty list": [],
    "table": {"nested": {"empty": {}, "list": [1, {"x": [2]}]}, "n": 1},
    "grüße": "a name that is not ASCII",
    "": "no name",
    "n" * 128: "a long name",
}
received, _body = send_and_get("", pika.BasicProperties(headers=headers))
# RabbitMQ keeps the order of headers up to 3.12 and sorts them since 3.13.
for key, value in sorted(received.headers.items()):
    shown = repr(value) if len(repr(value)) < 200 else "%d characters" % len(repr(value))
    shown_key = key if len(key) < 100 else "%d characters" % len(key)
    same = value == headers[key] and isinstance(value, type(headers[key]))
    say("header '%s': %s %s, as sent %s" % (shown_key, type(value).__name__, shown, same))
say("headers missing: %d" % (len(headers) - len(received.headers)))

received, _body = send_and_get("", pika.BasicProperties(headers={}))
say("no headers: %r" % received.headers)

sent = pika.BasicProperties(
    content_type="application/json",
    content_encoding="utf-8",
    delivery_mode=2,
    priority=255,
    correlation_id="correlation",
    reply_to="somewhere",
    expiration="600000",
    message_id="m" * 255,
    timestamp=1700000000,
    type="type",
    user_id=pika.URLParameters(URL).credentials.username,
    app_id="",
    cluster_id="cluster",
)
received, _body = send_and_get("", sent)
for key, value in sorted(vars(received).items()):
    say("property %s: as sent %s" % (key, getattr(sent, key) == value))

received, _body = send_and_get("", None)
say("without properties: %s" % {key: value for key, value in vars(received).items() if value is not None})
for size in (0, 1, 131064, 131065, 1000000):
    body = bytes(number % 251 for number in range(size))
    _received, received_body = send_and_get(body, None)
    say("body of %d: as sent %s" % (size, received_body == body))
connection.close()
