"""Remote calls: direct reply-to, what the broker refuses of it, and a reply queue of one's own."""

from common import attempt, connect, queue, say

import pika

DIRECT = "amq.rabbitmq.reply-to"
requests = queue("requests")

server_connection, client_connection = connect(), connect()
server, client = server_connection.channel(), client_connection.channel()
server.queue_declare(requests)
replies = []


def on_reply(_channel, method, properties, body):
    replies.append((body.decode(), properties.correlation_id, method.redelivered, method.exchange))


def serve():
    """Answers the next request, and returns where its reply went."""
    while True:
        method, properties, body = server.basic_get(requests)
        if method is not None:
            break
    answer = pika.BasicProperties(correlation_id=properties.correlation_id)
    server.basic_publish("", properties.reply_to, body.decode().upper(), answer)
    server.basic_ack(method.delivery_tag)
    return properties.reply_to


def call(reply_to, request):
    properties = pika.BasicProperties(reply_to=reply_to, correlation_id="call of " + request)
    client.basic_publish("", requests, request, properties)
    address = serve()
    while not replies:
        client_connection.process_data_events(1)
    say("reply: %s, for %s, redelivered %s, exchange '%s'" % replies.pop())
    return address


client.basic_consume(DIRECT, on_reply, auto_ack=True)
address = call(DIRECT, "one")
say("the server sees an address of the client: %s" % address.startswith(DIRECT + "."))
say("the same for the next call: %s" % (call(DIRECT, "two") == address))
ok = server.queue_declare(address, passive=True).method
say("the address is a queue: %d ready, %d consumer" % (ok.message_count, ok.consumer_count))

own = client.queue_declare("", exclusive=True).method.queue
client.basic_consume(own, on_reply, auto_ack=True)
say("own reply queue: %s" % (call(own, "three") == own))


def publish_without_consumer(channel):
    channel.basic_publish("", requests, "x", pika.BasicProperties(reply_to=DIRECT))


def consume_twice(channel):
    channel.basic_consume(DIRECT, on_reply, auto_ack=True)
    channel.basic_consume(DIRECT, on_reply, auto_ack=True)


attempt(client_connection, "request without consumer", publish_without_consumer)
attempt(client_connection, "consumer that acks", lambda channel: channel.basic_consume(DIRECT, on_reply))
attempt(client_connection, "second consumer", consume_twice)

client_connection.close()


def ask_for_address(channel):
    channel.queue_declare(address, passive=True)


attempt(server_connection, "address of a client that left", ask_for_address)
server.basic_publish("", address, "to nobody")
say("a reply to nobody: the channel is open %s" % server.is_open)
server_connection.close()
