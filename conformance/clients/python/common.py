"""What the pika programs share. Each is started as `program.py URL NAME` and prints a line for whatever it sees."""

import atexit
import sys

import pika

URL, NAME = sys.argv[1:3]
_queues, _exchanges = [], []


def queue(hint):
    """A name that only this run uses; the queue is deleted when the program ends."""
    _queues.append("%s.%s" % (NAME, hint))
    return _queues[-1]


def exchange(hint):
    """A name that only this run uses; the exchange is deleted when the program ends."""
    _exchanges.append("%s.%s" % (NAME, hint))
    return _exchanges[-1]


def connect():
    return pika.BlockingConnection(pika.URLParameters(URL))


def say(*words):
    print(*words, flush=True)


def drain(channel, name):
    """The bodies of all messages that are ready, in order."""
    bodies = []
    while True:
        method, _properties, body = channel.basic_get(name, auto_ack=True)
        if method is None:
            return bodies
        bodies.append(body.decode())


def attempt(connection, what, action):
    """Does something on a channel of its own and says how the broker answered."""
    channel = connection.channel()
    try:
        action(channel)
        # What is not answered fails by now, or not at all.
        channel.queue_declare("", exclusive=True)
        say("%s: no error" % what)
        channel.close()
    except pika.exceptions.ChannelClosedByBroker as error:
        say("%s: channel closed, %d %s" % (what, error.reply_code, error.reply_text))
    except pika.exceptions.ConnectionClosedByBroker as error:
        say("%s: connection closed, %d %s" % (what, error.reply_code, error.reply_text))


@atexit.register
def _clean_up():
    connection = connect()
    channel = connection.channel()
    for name in _queues:
        channel.queue_delete(name)
    for name in _exchanges:
        channel.exchange_delete(name)
    connection.close()
