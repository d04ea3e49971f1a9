# Transactions: publishes and acks take effect together, at the commit, or not at all.

require_relative "common"

connection = connect
name = queue("queue")
observing = connection.create_channel
observing.queue_declare(name)
channel = connection.create_channel
channel.tx_select

count = lambda do
  # What the transactional channel sent before has been handled by the time it answers this.
  channel.queue_declare(name, passive: true)
  ready(observing, name)
end

1.upto(3) { |number| channel.default_exchange.publish("message #{number}", routing_key: name) }
say "before the commit: #{count.call} ready"
channel.tx_commit
say "after the commit: #{count.call} ready"

channel.default_exchange.publish("taken back", routing_key: name)
channel.tx_rollback
channel.tx_commit
say "after a rollback: #{count.call} ready"

delivery, = channel.basic_get(name, manual_ack: true)
channel.ack(delivery.delivery_tag)
channel.tx_rollback
channel.close
delivery, _properties, body = observing.basic_get(name, manual_ack: true)
say "an ack that was rolled back: #{body} comes again, redelivered #{delivery.redelivered}"
observing.nack(delivery.delivery_tag, false, true)

channel = connection.create_channel
channel.tx_select
delivery, _properties, body = channel.basic_get(name, manual_ack: true)
channel.ack(delivery.delivery_tag)
channel.default_exchange.publish("answer to #{body}", routing_key: name)
channel.tx_commit
say "an ack and a publish together: #{count.call} ready"

channel.default_exchange.publish("never committed", routing_key: name)
channel.close
say "in the end: #{drain(observing, name).join(", ")}"

attempt(connection, "commit without select", &:tx_commit)
attempt(connection, "rollback without select", &:tx_rollback)
connection.close
