"""SelectConnection, consuming with a prefetch count: the shape of pika's asynchronous consumer example."""

import sys

import pika
from common import emit, start

COUNT = 100
PREFETCH = 10
url, queue = start()


class Consumer:
    def __init__(self):
        self.bodies = []
        self.channel = None
        self.tag = None
        self.connection = pika.SelectConnection(
            pika.URLParameters(url),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self.on_channel_open),
            on_open_error_callback=lambda _connection, error: sys.exit("cannot connect: %r" % error),
            on_close_callback=self.on_connection_closed,
        )

    def on_connection_closed(self, connection, reason):
        emit("closed", code=reason.reply_code)
        connection.ioloop.stop()

    def on_channel_open(self, channel):
        self.channel = channel
        channel.add_on_close_callback(lambda _channel, _reason: self.connection.close())
        channel.queue_declare(queue=queue, durable=True, callback=self.on_queue_declared)

    def on_queue_declared(self, _frame):
        self.channel.basic_qos(prefetch_count=PREFETCH, callback=self.on_qos)

    def on_qos(self, _frame):
        self.channel.add_on_cancel_callback(lambda _frame: sys.exit("cancelled by the broker"))
        self.tag = self.channel.basic_consume(queue, self.on_message)

    def on_message(self, channel, method, properties, body):
        self.bodies.append(body.decode())
        channel.basic_ack(method.delivery_tag)
        if len(self.bodies) == COUNT:
            expected = ["message %d" % number for number in range(1, COUNT + 1)]
            emit("received", count=len(self.bodies), in_order=self.bodies == expected)
            channel.basic_cancel(self.tag, callback=self.on_cancelled)

    def on_cancelled(self, _frame):
        self.channel.queue_delete(queue=queue, callback=self.on_deleted)

    def on_deleted(self, frame):
        emit("deleted", messages=frame.method.message_count)
        self.channel.close()


Consumer().connection.ioloop.start()
