"""What the broker says when it closes a channel, and that the connection and its other channels go on."""

from common import NAME, attempt, connect, exchange, queue, say

import pika

connection, other = connect(), connect()
bystander = connection.channel()
there, missing, exclusive = queue("there"), queue("missing"), NAME + ".exclusive"
direct, absent = exchange("direct"), exchange("absent")
bystander.queue_declare(there, durable=True, arguments={"x-max-length": 10})
bystander.exchange_declare(direct, "direct")
other.channel().queue_declare(exclusive, exclusive=True)


def deny(what, action):
    attempt(connection, what, action)


def ignore(*_arguments):
    pass


deny("check queue", lambda c: c.queue_declare(missing, passive=True))
deny("check exchange", lambda c: c.exchange_declare(absent, passive=True))
deny("get", lambda c: c.basic_get(missing))
deny("consume", lambda c: c.basic_consume(missing, ignore))
deny("purge", lambda c: c.queue_purge(missing))
deny("delete what is missing", lambda c: c.queue_delete(missing))
deny("publish", lambda c: c.basic_publish(absent, "key", "lost"))
deny("bind to exchange", lambda c: c.queue_bind(there, absent, "key"))
deny("bind queue", lambda c: c.queue_bind(missing, direct, "key"))
deny("unbind what is not bound", lambda c: c.queue_unbind(there, direct, "never"))

deny("exclusive, check", lambda c: c.queue_declare(exclusive, passive=True))
deny("exclusive, declare", lambda c: c.queue_declare(exclusive, exclusive=True))
deny("exclusive, consume", lambda c: c.basic_consume(exclusive, ignore))
deny("exclusive, delete", lambda c: c.queue_delete(exclusive))

deny("other durability", lambda c: c.queue_declare(there, arguments={"x-max-length": 10}))
deny("other argument", lambda c: c.queue_declare(there, durable=True, arguments={"x-max-length": 11}))
deny("no argument", lambda c: c.queue_declare(there, durable=True))
deny("new argument", lambda c: c.queue_declare(there, durable=True, arguments={"x-max-length": 10, "x-expires": 9}))
deny("other type", lambda c: c.exchange_declare(direct, "topic"))
deny("other exchange durability", lambda c: c.exchange_declare(direct, "direct", durable=True))
deny("negative TTL", lambda c: c.queue_declare(missing, arguments={"x-message-ttl": -1}))
deny("TTL of text", lambda c: c.queue_declare(missing, arguments={"x-message-ttl": "soon"}))
deny("no expiry", lambda c: c.queue_declare(missing, arguments={"x-expires": 0}))
deny("unknown overflow", lambda c: c.queue_declare(missing, arguments={"x-overflow": "spill"}))
deny("key without exchange", lambda c: c.queue_declare(missing, arguments={"x-dead-letter-routing-key": "k"}))
deny("unknown queue type", lambda c: c.queue_declare(missing, arguments={"x-queue-type": "fast"}))
deny("expiration of text", lambda c: c.basic_publish("", there, "", pika.BasicProperties(expiration="soon")))
deny("user of others", lambda c: c.basic_publish("", there, "", pika.BasicProperties(user_id="somebody")))
deny("unknown tag", lambda c: c.basic_ack(99))
deny("unknown tag, reject", lambda c: c.basic_reject(7))
deny("no binding of the default exchange", lambda c: c.queue_bind(there, "", "key"))
deny("reserved queue", lambda c: c.queue_declare("amq.mine"))
deny("reserved exchange", lambda c: c.exchange_declare("amq.mine", "direct"))
deny("delete of a predeclared exchange", lambda c: c.exchange_delete("amq.direct"))

bystander.basic_publish("", there, "kept")
bystander.queue_bind(there, direct, "key")
deny("in use", lambda c: c.exchange_delete(direct, if_unused=True))
deny("not empty", lambda c: c.queue_delete(there, if_empty=True))


def ack_twice(channel):
    tag = channel.basic_get(there)[0].delivery_tag
    channel.basic_nack(tag)
    channel.basic_nack(tag)


deny("settled twice", ack_twice)


def delete_in_use(channel):
    channel.basic_consume(there, ignore)
    channel.queue_delete(there, if_unused=True)


def exclusive_consumer(channel):
    channel.basic_consume(there, ignore)
    channel.basic_consume(there, ignore, exclusive=True)


deny("queue in use", delete_in_use)
deny("exclusive consumer", exclusive_consumer)

again = connection.channel()
method, _properties, body = again.basic_get(there, auto_ack=True)
say("a new channel gets: %s, redelivered %s" % (body.decode(), method.redelivered))
say("the first channel is open: %s" % bystander.is_open)
say("the connection is open: %s" % connection.is_open)
other.close()
connection.close()
