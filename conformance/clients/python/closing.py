"""Ends that are not the program's choice: consumers cancelled, connections refused or closed by the broker."""

from common import URL, attempt, connect, queue, say

import pika

connection = connect()
channel = connection.channel()
doomed = queue("doomed")
channel.queue_declare(doomed)


def on_message(_channel, method, _properties, body):
    say("%s gets %s" % (method.consumer_tag, body.decode()))


def on_cancel(frame):
    say("cancelled by the broker: %s" % frame.method.consumer_tag)


def consumers():
    return channel.queue_declare(doomed, passive=True).method.consumer_count


channel.basic_consume(doomed, on_message, auto_ack=True, consumer_tag="mine")
channel.basic_publish("", doomed, "one")
while consumers() != 1:
    pass
connection.process_data_events(0)
channel.basic_cancel("mine")
channel.basic_publish("", doomed, "two")
say("after cancelling: %d consumers" % consumers())
generated = channel.basic_consume(doomed, on_message, auto_ack=True, consumer_tag="again")
connection.process_data_events(0)
say("consumers again: %d" % consumers())

channel.add_on_cancel_callback(on_cancel)
other = connect()
other.channel().queue_delete(doomed)
other.close()
# Ends by itself when the last consumer of the channel is cancelled.
channel.start_consuming()
say("the channel is open: %s" % channel.is_open)
connection.close()
say("the connection is open: %s" % connection.is_open)


def refuse(what, user=None, password=None, virtual_host="/"):
    parameters = pika.URLParameters(URL)
    known = parameters.credentials
    parameters.credentials = pika.PlainCredentials(user or known.username, password or known.password)
    parameters.virtual_host = virtual_host
    try:
        pika.BlockingConnection(parameters).close()
        say("%s: let in" % what)
    except pika.exceptions.AMQPConnectionError as error:
        say("%s: %s %s" % (what, type(error).__name__, error))


refuse("wrong password", password="wrong")
refuse("unknown user", user="nobody")
refuse("unknown virtual host", virtual_host="nowhere")


def close(what, action):
    connection = connect()
    attempt(connection, what, action)
    say("  the connection is open: %s" % connection.is_open)


close("prefetch by size", lambda c: c.basic_qos(prefetch_size=10))
