"""A worker that retries a failing job by rejecting it and parks it after three retries."""

import pika
from common import connect, emit, start

MAX_RETRIES = 3
url, name = start()
work, retry, parking = name + ".work", name + ".retry", name + ".parking"
jobs, retries = name + ".jobs", name + ".retries"

connection = connect(url)
channel = connection.channel()
channel.exchange_declare(exchange=jobs, exchange_type="direct", durable=True)
channel.exchange_declare(exchange=retries, exchange_type="fanout", durable=True)
channel.queue_declare(queue=work, durable=True, arguments={"x-dead-letter-exchange": retries})
channel.queue_declare(queue=retry, durable=True, arguments={"x-dead-letter-exchange": jobs})
channel.queue_declare(queue=parking, durable=True)
channel.queue_bind(queue=work, exchange=jobs, routing_key="job")
channel.queue_bind(queue=retry, exchange=retries)
channel.basic_qos(prefetch_count=1)


def rejections(properties):
    deaths = (properties.headers or {}).get("x-death", [])
    return sum(death["count"] for death in deaths if death["queue"] == work and death["reason"] == "rejected")


def on_job(channel, method, properties, body):
    count = rejections(properties)
    emit("attempt", job=body.decode(), rejections=count)
    if body != b"bad":
        channel.basic_ack(method.delivery_tag)
    elif count < MAX_RETRIES:
        channel.basic_reject(method.delivery_tag, requeue=False)
    else:
        channel.basic_publish(exchange="", routing_key=parking, body=body, properties=properties)
        channel.basic_ack(method.delivery_tag)


def on_retry(channel, method, _properties, _body):
    # Dead-lettered from here too, back to the exchange of jobs.
    channel.basic_nack(method.delivery_tag, requeue=False)


def on_parked(channel, method, properties, body):
    newest = properties.headers["x-death"][0]
    emit(
        "parked",
        job=body.decode(),
        rejections=rejections(properties),
        first_queue_is_work=properties.headers["x-first-death-queue"] == work,
        first_reason=properties.headers["x-first-death-reason"],
        newest_queue_is_retry=newest["queue"] == retry,
        routing_keys=newest["routing-keys"],
    )
    channel.basic_ack(method.delivery_tag)
    channel.stop_consuming()


channel.basic_consume(queue=work, on_message_callback=on_job)
channel.basic_consume(queue=retry, on_message_callback=on_retry)
channel.basic_consume(queue=parking, on_message_callback=on_parked)
for job in ("good", "bad"):
    channel.basic_publish(exchange=jobs, routing_key="job", body=job, properties=pika.BasicProperties(delivery_mode=2))
channel.start_consuming()
emit("left", messages=[channel.queue_delete(queue=queue).method.message_count for queue in (work, retry, parking)])
for exchange in (jobs, retries):
    channel.exchange_delete(exchange=exchange)
connection.close()
