# Publisher confirms: acks, nacks of a full queue that rejects, and returns of what has no queue.

require_relative "common"

connection = connect
channel = connection.create_channel
channel.confirm_select

full = channel.queue(queue("full"), durable: true, arguments: { "x-max-length" => 2, "x-overflow" => "reject-publish" })
1.upto(4) { |number| full.publish("message #{number}") }
say "four to a queue of two, all confirmed: #{channel.wait_for_confirms}, nacked: #{channel.nacked_set.to_a}"
full.pop
channel.nacked_set.clear
full.publish("message 5")
say "one more, after a get, confirmed: #{channel.wait_for_confirms}"
say "in the queue: #{drain(channel, full.name).join(", ")}"
say "unconfirmed: #{channel.unconfirmed_set.size}"

returns = Queue.new
fanout = channel.fanout(exchange("nobody"))
fanout.on_return do |returned, properties, body|
  returns << "returned, #{returned.reply_code} #{returned.reply_text}, exchange '#{returned.exchange}', " \
             "key '#{returned.routing_key}', id #{properties.message_id}, body #{body}"
end
fanout.publish("without queue", routing_key: "some.key", mandatory: true, message_id: "the id")
say "without queue: #{returns.pop}, confirmed #{channel.wait_for_confirms}"
fanout.publish("without queue or flag", routing_key: "some.key")
full.bind(fanout)
fanout.publish("with queue", routing_key: "some.key", mandatory: true)
say "confirmed: #{channel.wait_for_confirms}, returned: #{returns.size}, in the queue: #{drain(channel, full.name).join(", ")}"

attempt(connection, "confirms on a transactional channel") do |other|
  other.tx_select
  other.confirm_select
end
attempt(connection, "transactions on a confirming channel") do |other|
  other.confirm_select
  other.tx_select
end
connection.close
