"""What queue and consumer arguments, CC and BCC, and ends of lives do."""

from common import attempt, connect, drain, exchange, queue, say

import pika

connection = connect()
channel = connection.channel()
channel.confirm_delivery()


def declare(hint, durable=False, **arguments):
    name = queue(hint)
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    channel.queue_declare(name, durable=durable, arguments=given)
    return name


def publish(name, body, **properties):
    """Publishes and waits for the confirm, so that whatever follows follows."""
    channel.basic_publish("", name, body, pika.BasicProperties(**properties))


def count(name):
    ok = channel.queue_declare(name, passive=True).method
    return "%d ready, %d consumers" % (ok.message_count, ok.consumer_count)


class Consumers:
    """Consumers that note what they get, each with a channel of its own and its messages unacked."""

    def __init__(self, name):
        self.connection = connect()
        self.name = name
        self.got = []
        self.channels = {}

    def add(self, tag, prefetch=0, global_qos=False, exclusive=False, **arguments):
        own = self.channels[tag] = self.connection.channel()
        if prefetch:
            own.basic_qos(prefetch_count=prefetch, global_qos=global_qos)
        self.more(tag, tag, exclusive, **arguments)

    def more(self, channel_tag, tag, exclusive=False, **arguments):
        given = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.channels[channel_tag].basic_consume(
            self.name, self._on_message, exclusive=exclusive, consumer_tag=tag, arguments=given
        )

    def _on_message(self, _channel, method, _properties, body):
        self.got.append("%s by %s%s" % (body.decode(), method.consumer_tag, " again" * method.redelivered))

    def wait(self, number):
        while len(self.got) < number:
            self.connection.process_data_events(1)
        # The broker sends to one channel in order, and to several as it likes.
        taken, self.got = sorted(self.got), []
        return ", ".join(taken)

    def close(self):
        self.connection.close()


priority = declare("priority", x_max_priority=5)
for body, level in (("low", 1), ("none", None), ("high", 5), ("higher still", 9), ("middle", 3), ("low too", 1)):
    publish(priority, body, priority=level)
say("priorities: %s" % ", ".join(drain(channel, priority)))

head = declare("head", x_max_length=2)
for body in ("a", "b", "c", "d"):
    publish(head, body)
say("length limit: %s" % ", ".join(drain(channel, head)))
sized = declare("sized", x_max_length_bytes=10)
for body in ("12345", "6789", "0", "x" * 6, "y" * 11):
    publish(sized, body)
    say("  bytes limit after %d more: %s" % (len(body), count(sized)))
drain(channel, sized)

single = declare("single", x_single_active_consumer=True)
consumers = Consumers(single)
consumers.add("first")
consumers.add("second")
for body in ("one", "two"):
    publish(single, body)
say("single active consumer: %s" % consumers.wait(2))
say("  %s" % count(single))
consumers.channels["first"].close()
say("  after the first has gone: %s" % consumers.wait(2))
consumers.close()

preferred = declare("preferred")
consumers = Consumers(preferred)
consumers.add("plain")
consumers.add("preferred", prefetch=2, x_priority=10)
for body in ("one", "two", "three"):
    publish(preferred, body)
say("consumer priorities: %s" % consumers.wait(3))
consumers.close()

shared = declare("shared")
consumers = Consumers(shared)
consumers.add("left", prefetch=3, global_qos=True)
consumers.more("left", "right")
for number in range(1, 6):
    publish(shared, str(number))
say("a prefetch of 3 for the channel: %s; %s" % (consumers.wait(3), count(shared)))
consumers.close()

exclusive = declare("exclusive-consumer")
consumers = Consumers(exclusive)
consumers.add("alone", exclusive=True)
attempt(connection, "beside an exclusive consumer", lambda c: c.basic_consume(exclusive, print))
consumers.close()

recovered = declare("recovered")
consumers = Consumers(recovered)
consumers.add("it")
for body in ("one", "two"):
    publish(recovered, body)
consumers.wait(2)
consumers.channels["it"].basic_recover(requeue=True)
say("recover: %s" % consumers.wait(2))
consumers.close()

poisoned = declare("poisoned")
quorum = declare(
    "quorum",
    durable=True,
    x_queue_type="quorum",
    x_delivery_limit=2,
    x_dead_letter_exchange="",
    x_dead_letter_routing_key=poisoned,
)
publish(quorum, "poison", delivery_mode=2)
deliveries, dead = [], None
while dead is None:
    method, _properties, _body = channel.basic_get(quorum)
    if method is not None:
        deliveries.append("again" if method.redelivered else "new")
        channel.basic_nack(method.delivery_tag, requeue=True)
    dead, properties, _body = channel.basic_get(poisoned, auto_ack=True)
say("quorum, delivered: %s, then %s" % (", ".join(deliveries), properties.headers["x-first-death-reason"]))

copied, blind, main = declare("copied"), declare("blind"), declare("main")
publish(main, "to three", headers={"CC": [copied], "BCC": [blind], "kept": True})
for label, name in (("main", main), ("CC", copied), ("BCC", blind)):
    method, properties, body = channel.basic_get(name, auto_ack=True)
    say("%s: %s, headers %s" % (label, body.decode(), sorted(properties.headers)))
attempt(
    connection,
    "CC that is no list",
    lambda c: c.basic_publish("", main, "x", pika.BasicProperties(headers={"CC": "text"})),
)

internal = exchange("internal")
channel.exchange_declare(internal, "fanout", internal=True)
attempt(connection, "publish to an internal exchange", lambda c: c.basic_publish(internal, "", "x"))

passing = queue("passing")
channel.queue_declare(passing, auto_delete=True)
say("auto-delete, never consumed: %s" % count(passing))
tag = channel.basic_consume(passing, print)
channel.basic_cancel(tag)
attempt(connection, "auto-delete, after its consumer", lambda c: c.queue_declare(passing, passive=True))
fleeting = exchange("fleeting")
channel.exchange_declare(fleeting, "fanout", auto_delete=True)
channel.queue_bind(main, fleeting)
channel.queue_unbind(main, fleeting)
attempt(connection, "auto-delete exchange, after its binding", lambda c: c.exchange_declare(fleeting, passive=True))

other = connect()
own = other.channel().queue_declare("", exclusive=True).method.queue
other.close()
attempt(connection, "exclusive queue, after its connection", lambda c: c.queue_declare(own, passive=True))

for body in ("a", "b", "c"):
    publish(main, body)
say("purged: %d" % channel.queue_purge(main).method.message_count)
publish(main, "left")
say("deleted with: %d" % channel.queue_delete(main).method.message_count)
connection.close()
