"""Publisher confirms: acks, nacks of a full queue that rejects, and returns of what has no queue."""

from common import attempt, connect, drain, exchange, queue, say

import pika

connection = connect()
channel = connection.channel()
channel.confirm_delivery()


def publish(label, to, key, mandatory=True):
    try:
        channel.basic_publish(to, key, label, pika.BasicProperties(message_id=label), mandatory=mandatory)
        say("%s: confirmed" % label)
    except pika.exceptions.UnroutableError as error:
        for returned in error.messages:
            method = returned.method
            say(
                "%s: returned, %d %s, exchange '%s', key '%s', id %s, body %s"
                % (
                    label,
                    method.reply_code,
                    method.reply_text,
                    method.exchange,
                    method.routing_key,
                    returned.properties.message_id,
                    returned.body.decode(),
                )
            )
    except pika.exceptions.NackError as error:
        say("%s: nacked, %d messages" % (label, len(error.messages)))


full = queue("full")
channel.queue_declare(full, durable=True, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
for number in range(1, 5):
    publish("message %d" % number, "", full, mandatory=False)
method, _properties, _body = channel.basic_get(full, auto_ack=True)
publish("message 5", "", full)
say("in the queue: %s" % ", ".join(drain(channel, full)))

fanout = exchange("nobody")
channel.exchange_declare(fanout, "fanout")
publish("without queue", fanout, "some.key")
publish("without queue or flag", fanout, "some.key", mandatory=False)
channel.queue_bind(full, fanout)
publish("with queue", fanout, "some.key")


def confirm_in_transaction(channel):
    channel.tx_select()
    channel.confirm_delivery()


def transaction_in_confirm(channel):
    channel.confirm_delivery()
    channel.tx_select()


attempt(connection, "confirms on a transactional channel", confirm_in_transaction)
attempt(connection, "transactions on a confirming channel", transaction_in_confirm)
connection.close()
