"""SelectConnection, publishing with confirms: the shape of pika's asynchronous publisher example."""

import sys

import pika
from common import emit, start

COUNT = 100
url, queue = start()


class Publisher:
    def __init__(self):
        self.unconfirmed = set()
        self.acked = 0
        self.nacked = 0
        self.channel = None
        self.connection = pika.SelectConnection(
            pika.URLParameters(url),
            on_open_callback=self.on_connection_open,
            on_open_error_callback=self.on_connection_open_error,
            on_close_callback=self.on_connection_closed,
        )

    def on_connection_open(self, connection):
        connection.channel(on_open_callback=self.on_channel_open)

    def on_connection_open_error(self, _connection, error):
        sys.exit("cannot connect: %r" % error)

    def on_connection_closed(self, connection, reason):
        emit("closed", code=reason.reply_code)
        connection.ioloop.stop()

    def on_channel_open(self, channel):
        self.channel = channel
        channel.queue_declare(queue=queue, durable=True, callback=self.on_queue_declared)

    def on_queue_declared(self, _frame):
        self.channel.confirm_delivery(self.on_confirm, callback=self.on_confirms_selected)

    def on_confirms_selected(self, _frame):
        properties = pika.BasicProperties(content_type="text/plain", delivery_mode=2)
        for number in range(1, COUNT + 1):
            self.unconfirmed.add(number)
            self.channel.basic_publish("", queue, "message %d" % number, properties)
        emit("published", count=COUNT)

    def on_confirm(self, frame):
        tag = frame.method.delivery_tag
        settled = {number for number in self.unconfirmed if number <= tag} if frame.method.multiple else {tag}
        if not settled <= self.unconfirmed:
            sys.exit("confirmed twice: %r" % sorted(settled - self.unconfirmed))
        self.unconfirmed -= settled
        if isinstance(frame.method, pika.spec.Basic.Ack):
            self.acked += len(settled)
        else:
            self.nacked += len(settled)
        if not self.unconfirmed:
            emit("confirmed", acked=self.acked, nacked=self.nacked)
            self.connection.close()


Publisher().connection.ioloop.start()
