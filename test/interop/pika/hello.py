"""Tutorial 1: one program sends, another receives."""

from common import connect, emit, start

url, queue = start()

sender = connect(url)
sending = sender.channel()
sending.queue_declare(queue=queue)
sending.basic_publish(exchange="", routing_key=queue, body="Hello World!")
sender.close()

receiver = connect(url)
receiving = receiver.channel()
declared = receiving.queue_declare(queue=queue)
emit("declared", messages=declared.method.message_count, consumers=declared.method.consumer_count)


def on_message(channel, method, _properties, body):
    emit("received", body=body.decode(), redelivered=method.redelivered, exchange=method.exchange)
    channel.stop_consuming()


receiving.basic_consume(queue=queue, on_message_callback=on_message, auto_ack=True)
receiving.start_consuming()
emit("deleted", messages=receiving.queue_delete(queue=queue).method.message_count)
receiver.close()
