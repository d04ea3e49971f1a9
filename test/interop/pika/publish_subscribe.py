"""Tutorial 3: a fanout exchange and two subscribers with exclusive queues that the broker names."""

from common import connect, emit, start

url, exchange = start()


def subscribe():
    connection = connect(url)
    channel = connection.channel()
    channel.exchange_declare(exchange=exchange, exchange_type="fanout")
    queue = channel.queue_declare(queue="", exclusive=True).method.queue
    channel.queue_bind(exchange=exchange, queue=queue)
    return connection, channel, queue


subscribers = [subscribe(), subscribe()]

emitter = connect(url)
emitting = emitter.channel()
emitting.exchange_declare(exchange=exchange, exchange_type="fanout")
emitting.basic_publish(exchange=exchange, routing_key="", body="info: Hello World!")

for number, (connection, channel, queue) in enumerate(subscribers):
    for method, _properties, body in channel.consume(queue, auto_ack=True):
        emit("received", subscriber=number, body=body.decode(), exchange=method.exchange, queue=queue)
        break
    emit("requeued", count=channel.cancel())
    connection.close()

emitting.exchange_delete(exchange=exchange)
emitter.close()
