"""Tutorial 6, the client: an exclusive reply queue, or direct reply-to when the third argument is `direct`."""

import sys
import uuid

import pika
from common import connect, emit, start

url, rpc_queue = start()


class FibonacciClient:
    def __init__(self, direct):
        self.connection = connect(url)
        self.channel = self.connection.channel()
        if direct:
            self.reply_queue = "amq.rabbitmq.reply-to"
        else:
            self.reply_queue = self.channel.queue_declare(queue="", exclusive=True).method.queue
        self.channel.basic_consume(
            queue=self.reply_queue, on_message_callback=self.on_response, auto_ack=True
        )
        self.response = None
        self.correlation_id = None

    def on_response(self, _channel, _method, properties, body):
        if properties.correlation_id == self.correlation_id:
            self.response = body

    def call(self, n):
        self.response = None
        self.correlation_id = str(uuid.uuid4())
        self.channel.basic_publish(
            exchange="",
            routing_key=rpc_queue,
            properties=pika.BasicProperties(reply_to=self.reply_queue, correlation_id=self.correlation_id),
            body=str(n),
        )
        while self.response is None:
            self.connection.process_data_events(time_limit=1)
        return int(self.response)


client = FibonacciClient(direct=sys.argv[3:] == ["direct"])
for argument in (0, 1, 10, 30, -1):
    emit("called", n=argument, result=client.call(argument))
client.connection.close()
