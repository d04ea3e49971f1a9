"""Transactions: publishes and acks take effect together, at the commit, or not at all."""

from common import attempt, connect, drain, queue, say

connection = connect()
name = queue("queue")
observing = connection.channel()
observing.queue_declare(name)
channel = connection.channel()
channel.tx_select()


def ready():
    # What the transactional channel sent before has been handled by the time it answers this.
    channel.queue_declare(name, passive=True)
    return observing.queue_declare(name, passive=True).method.message_count


for number in (1, 2, 3):
    channel.basic_publish("", name, "message %d" % number)
say("before the commit: %d ready" % ready())
channel.tx_commit()
say("after the commit: %d ready" % ready())

channel.basic_publish("", name, "taken back")
channel.tx_rollback()
channel.tx_commit()
say("after a rollback: %d ready" % ready())

method, _properties, body = channel.basic_get(name)
channel.basic_ack(method.delivery_tag)
channel.tx_rollback()
channel.close()
method, _properties, body = observing.basic_get(name)
say("an ack that was rolled back: %s comes again, redelivered %s" % (body.decode(), method.redelivered))
observing.basic_nack(method.delivery_tag)

channel = connection.channel()
channel.tx_select()
method, _properties, body = channel.basic_get(name)
channel.basic_ack(method.delivery_tag)
channel.basic_publish("", name, "answer to " + body.decode())
channel.tx_commit()
say("an ack and a publish together: %d ready" % ready())

channel.basic_publish("", name, "never committed")
channel.close()
say("in the end: %s" % ", ".join(drain(observing, name)))

attempt(connection, "commit without select", lambda c: c.tx_commit())
attempt(connection, "rollback without select", lambda c: c.tx_rollback())
connection.close()
