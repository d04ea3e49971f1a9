"""Where expired, rejected and surplus messages go, and what their x-death header says."""

from common import connect, drain, exchange, queue, say

import pika

connection = connect()
channel = connection.channel()
dead, dlx = queue("dead"), exchange("dlx")
channel.exchange_declare(dlx, "fanout")
channel.queue_declare(dead)
channel.queue_bind(dead, dlx)


def next_of(name):
    """The next message, as soon as there is one; unacked."""
    while True:
        method, properties, body = channel.basic_get(name)
        if method is not None:
            return method, properties, body


def show(value):
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s=%s" % (key, show(item)) for key, item in sorted(value.items()))
    if isinstance(value, list):
        return "[%s]" % ", ".join(show(item) for item in value)
    return type(value).__name__ if not isinstance(value, (str, int)) else str(value)


def show_headers(properties):
    for key, value in sorted((properties.headers or {}).items()):
        # RabbitMQ has had these since 3.13.
        if not key.startswith("x-last-death-"):
            say("  %s: %s" % (key, show(value)))


def show_dead(label):
    method, properties, body = next_of(dead)
    channel.basic_ack(method.delivery_tag)
    say(
        "%s: %s from exchange '%s' with key '%s', expiration %s"
        % (label, body.decode(), method.exchange, method.routing_key, properties.expiration)
    )
    show_headers(properties)


def declare(hint, **arguments):
    name = queue(hint)
    arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
    channel.queue_declare(name, arguments={"x-dead-letter-exchange": dlx, **arguments})
    return name


ttl = declare("ttl", x_message_ttl=1)
channel.basic_publish("", ttl, "expired by queue", pika.BasicProperties(headers={"mine": 1}))
show_dead("queue TTL")

own = declare("own")
channel.basic_publish("", own, "expired by itself", pika.BasicProperties(expiration="1", delivery_mode=2))
show_dead("message TTL")

rejecting = declare("rejecting", x_dead_letter_routing_key="new.key")
channel.basic_publish("", rejecting, "rejected")
channel.basic_reject(next_of(rejecting)[0].delivery_tag, requeue=False)
show_dead("reject")
channel.basic_publish("", rejecting, "nacked")
channel.basic_nack(next_of(rejecting)[0].delivery_tag, requeue=False)
show_dead("nack")

short = declare("short", x_max_length=1)
channel.basic_publish("", short, "surplus")
channel.basic_publish("", short, "kept")
show_dead("length limit")
say("kept: %s" % ", ".join(drain(channel, short)))

# https://www.rabbitmq.com/docs/dlx: a retry queue sends what expires there back to work.
work, retry = queue("work"), queue("retry")
channel.queue_declare(work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": retry})
channel.queue_declare(
    retry,
    arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": work, "x-message-ttl": 1},
)
channel.basic_publish("", work, "try")
for number in range(1, 4):
    method, properties, _body = next_of(work)
    say("attempt %d:" % number)
    show_headers(properties)
    channel.basic_reject(method.delivery_tag, requeue=False)

expiring = queue("expiring")
channel.queue_declare(expiring, arguments={"x-expires": 1})
gone = False
while not gone:
    try:
        probe = connection.channel()
        probe.queue_declare(expiring, passive=True)
        probe.close()
        connection.sleep(0.02)
    except pika.exceptions.ChannelClosedByBroker as error:
        say("queue expiry: %d" % error.reply_code)
        gone = True
connection.close()
