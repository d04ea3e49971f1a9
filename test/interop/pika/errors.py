"""A channel that the broker closes leaves the connection and its other channels usable."""

import pika
from common import connect, emit, start

url, name = start()
connection = connect(url)
bystander = connection.channel()


def attempt(event, action):
    channel = connection.channel()
    try:
        action(channel)
        emit(event, code=0, text="no error")
    except pika.exceptions.ChannelClosedByBroker as error:
        emit(event, code=error.reply_code, text=error.reply_text)


def declare_again(channel):
    channel.queue_declare(queue=name)
    channel.queue_declare(queue=name, arguments={"x-max-length": 5})


def delete_if_empty(channel):
    channel.basic_publish(exchange="", routing_key=name, body="keeps it")
    channel.queue_delete(queue=name, if_empty=True)


attempt("missing queue", lambda channel: channel.queue_declare(queue=name, passive=True))
attempt("missing exchange", lambda channel: channel.exchange_declare(exchange=name, passive=True))
attempt("inequivalent queue", declare_again)
attempt("reserved name", lambda channel: channel.exchange_declare(exchange="amq." + name))
attempt("not empty", delete_if_empty)

bystander.basic_publish(exchange="", routing_key=name, body="still here")
emit("usable", messages=bystander.queue_delete(queue=name).method.message_count, open=connection.is_open)
connection.close()

try:
    connect(url.replace("guest:guest", "guest:wrong"))
    emit("wrong password", refused=False)
except pika.exceptions.ProbableAuthenticationError as error:
    emit("wrong password", refused=True, text=str(error))
