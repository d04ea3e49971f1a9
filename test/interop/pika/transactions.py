"""tx.select, tx.commit, tx.rollback: publishes and acks take effect together or not at all."""

from common import connect, emit, start

url, queue = start()
connection = connect(url)
observing = connection.channel()
observing.queue_declare(queue=queue)
channel = connection.channel()
channel.tx_select()


def ready():
    return observing.queue_declare(queue=queue, passive=True).method.message_count


for number in range(3):
    channel.basic_publish(exchange="", routing_key=queue, body="message %d" % number)
emit("before commit", messages=ready())
channel.tx_commit()
emit("after commit", messages=ready())

channel.basic_publish(exchange="", routing_key=queue, body="taken back")
channel.tx_rollback()
emit("after rollback", messages=ready())

# An ack that is rolled back leaves the message unacked: it comes back when the channel closes.
method, _properties, body = channel.basic_get(queue=queue)
channel.basic_ack(method.delivery_tag)
channel.tx_rollback()
channel.close()
method, _properties, body = observing.basic_get(queue=queue)
emit("ack rolled back", body=body.decode(), redelivered=method.redelivered, left=method.message_count)
observing.basic_nack(method.delivery_tag)

# An ack that is committed is final.
channel = connection.channel()
channel.tx_select()
method, _properties, body = channel.basic_get(queue=queue)
channel.basic_ack(method.delivery_tag)
channel.tx_commit()
channel.close()
emit("ack committed", body=body.decode(), messages=ready())

observing.queue_delete(queue=queue)
connection.close()
