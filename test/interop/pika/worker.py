"""Tutorial 2, a worker: prefetch 1, acks each task when it is done, ends when a task says `stop`."""

from common import connect, emit, start

url, queue = start()
connection = connect(url)
channel = connection.channel()
channel.queue_declare(queue=queue, durable=True)
channel.basic_qos(prefetch_count=1)


def on_task(channel, method, properties, body):
    task = body.decode()
    channel.basic_ack(delivery_tag=method.delivery_tag)
    emit("done", task=task, delivery_mode=properties.delivery_mode)
    if task == "stop":
        channel.stop_consuming()


channel.basic_consume(queue=queue, on_message_callback=on_task)
emit("ready")
channel.start_consuming()
connection.close()
