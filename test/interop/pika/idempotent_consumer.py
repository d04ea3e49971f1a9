"""Applies each order once, by its message id: `idempotent_consumer.py URL QUEUE DATABASE`.

Hangs between applying an order and acking it, at every seventh, until the test ends it; ends with the last order.
"""

import sqlite3
import sys
import time

from common import connect, emit, start

url, queue = start()
HANGS_EVERY = 7
LAST = "order 19"

ledger = sqlite3.connect(sys.argv[3])
ledger.execute("CREATE TABLE IF NOT EXISTS orders (message_id TEXT PRIMARY KEY)")


def apply(message_id):
    """Whether it is new. An application has its own changes in the same transaction."""
    with ledger:
        return ledger.execute("INSERT OR IGNORE INTO orders VALUES (?)", (message_id,)).rowcount == 1


def applied():
    return [message_id for (message_id,) in ledger.execute("SELECT message_id FROM orders ORDER BY message_id")]


connection = connect(url)
channel = connection.channel()
channel.basic_qos(prefetch_count=5)
for method, properties, _body in channel.consume(queue):
    order = properties.message_id
    new = apply(order)
    emit("applied" if new else "repeated", order=order, redelivered=method.redelivered)
    if new and len(applied()) % HANGS_EVERY == 0:
        # Acks are not answered. This is, on the same channel, and so after them.
        channel.queue_declare(queue=queue, passive=True)
        emit("hanging")
        time.sleep(60)
    channel.basic_ack(method.delivery_tag)
    if order == LAST:
        break
channel.cancel()
connection.close()
emit("done", ledger=applied())
