"""Where exchanges of every type send a message, and what unbinding and alternate exchanges change."""

from common import connect, drain, exchange, say

import pika

connection = connect()
channel = connection.channel()


def declare(kind, **options):
    name = exchange(kind)
    channel.exchange_declare(name, kind, **options)
    return name


def bound(source, *keys, arguments=None):
    """A queue of this connection, bound to the exchange with these keys."""
    name = channel.queue_declare("", exclusive=True).method.queue
    for key in keys:
        channel.queue_bind(name, source, key, arguments)
    return name


def report(label, name):
    say("%s: %s" % (label, ", ".join(drain(channel, name)) or "nothing"))


fanout = declare("fanout")
first, second = bound(fanout, ""), bound(fanout, "ignored")
channel.basic_publish(fanout, "any", "to all")
report("fanout, first", first)
report("fanout, second", second)

direct = declare("direct", durable=True)
errors, both = bound(direct, "error"), bound(direct, "info", "error", "error")
for key in ("info", "error", "debug", "Error"):
    channel.basic_publish(direct, key, key)
report("direct, error", errors)
report("direct, info and error", both)
channel.queue_unbind(both, direct, "info")
for key in ("info", "error"):
    channel.basic_publish(direct, key, key)
report("direct, info unbound", both)

topic = declare("topic", auto_delete=True)
PATTERNS = ("#", "*", "kern.*", "*.critical", "kern.#", "#.critical", "a.*.#.b", "*.*", "")
queues = [(pattern, bound(topic, pattern)) for pattern in PATTERNS]
for key in ("kern", "kern.critical", "kern.disk.critical", "a.b", "a.x.b", "a.x.y.b", "", "a..b"):
    channel.basic_publish(topic, key, "'%s'" % key)
for pattern, name in queues:
    report("topic, '%s'" % pattern, name)

headers = declare("headers")
all_of = bound(headers, "", arguments={"x-match": "all", "format": "pdf", "pages": 3})
any_of = bound(headers, "", arguments={"x-match": "any", "format": "pdf", "pages": 3})
exists = bound(headers, "", arguments={"x-match": "all", "format": None})
plain = bound(headers, "", arguments={"format": "zip"})
for label, values in (
    ("pdf of 3", {"format": "pdf", "pages": 3, "more": True}),
    ("pdf of 4", {"format": "pdf", "pages": 4}),
    ("zip of '3'", {"format": "zip", "pages": "3"}),
    ("pages only", {"pages": 3}),
    ("empty", {}),
):
    channel.basic_publish(headers, "", label, pika.BasicProperties(headers=values))
channel.basic_publish(headers, "", "none at all")
report("headers, all", all_of)
report("headers, any", any_of)
report("headers, there", exists)
report("headers, zip", plain)

inner = exchange("inner")
channel.exchange_declare(inner, "fanout")
channel.exchange_bind(inner, direct, "onwards")
reached = bound(inner, "")
channel.basic_publish(direct, "onwards", "through two")
channel.exchange_unbind(inner, direct, "onwards")
channel.basic_publish(direct, "onwards", "no longer")
report("exchange to exchange", reached)

alternate = exchange("alternate")
channel.exchange_declare(alternate, "direct", arguments={"alternate-exchange": fanout})
chosen = bound(alternate, "known")
for key in ("known", "unknown"):
    channel.basic_publish(alternate, key, key)
report("alternate, chosen", chosen)
report("alternate, otherwise", first)

by_name = channel.queue_declare("", exclusive=True).method.queue
channel.basic_publish("", by_name, "by name")
report("default exchange", by_name)
connection.close()
