"""Both directions of basic.cancel: by the consumer, and by the broker when the queue is deleted."""

from common import connect, emit, start

url, queue = start()
connection = connect(url)
channel = connection.channel()
channel.queue_declare(queue=queue)


def on_message(_channel, _method, _properties, body):
    emit("received", body=body.decode())


tag = channel.basic_consume(queue=queue, on_message_callback=on_message, auto_ack=True, consumer_tag="my.tag")
emit("consuming", tag=tag, consumers=channel.queue_declare(queue=queue, passive=True).method.consumer_count)
channel.basic_publish(exchange="", routing_key=queue, body="before")
connection.process_data_events(time_limit=5)
channel.basic_cancel(tag)
channel.basic_publish(exchange="", routing_key=queue, body="after")
consumers = channel.queue_declare(queue=queue, passive=True).method.consumer_count
_method, _properties, body = channel.basic_get(queue=queue, auto_ack=True)
emit("cancelled", consumers=consumers, body=body.decode())


def on_cancel(frame):
    emit("cancelled by broker", tag=frame.method.consumer_tag)


channel.add_on_cancel_callback(on_cancel)
channel.basic_consume(queue=queue, on_message_callback=on_message, consumer_tag="doomed")
other = connect(url)
other.channel().queue_delete(queue=queue)
other.close()
# Ends by itself when the last consumer of the channel is cancelled.
channel.start_consuming()
emit("done", channel_open=channel.is_open)
connection.close()
