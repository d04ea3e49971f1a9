# What the broker says when it closes a channel, and that the connection and its other channels go on.
# (basic.get of a missing queue is left out: Bunny waits until its own time limit before it tells.)

require_relative "common"

CONNECTION, OTHER = connect, connect
bystander = CONNECTION.create_channel
there, missing, exclusive = queue("there"), queue("missing"), "#{NAME}.exclusive"
direct, absent = exchange("direct"), exchange("absent")
bystander.queue_declare(there, durable: true, arguments: { "x-max-length" => 10 })
bystander.exchange_declare(direct, "direct")
OTHER.create_channel.queue_declare(exclusive, exclusive: true)

def deny(what, &action)
  attempt(CONNECTION, what, &action)
end

def deny_unanswered(what, &action)
  attempt_unanswered(CONNECTION, what, &action)
end

deny("check queue") { |c| c.queue_declare(missing, passive: true) }
deny("check exchange") { |c| c.exchange_declare(absent, "direct", passive: true) }
deny("consume") { |c| c.basic_consume(missing) }
deny("purge") { |c| c.queue_purge(missing) }
deny("delete what is missing") { |c| c.queue_delete(missing) }
deny_unanswered("publish") { |c| c.basic_publish("lost", absent, "key") }
deny("bind to exchange") { |c| c.queue_bind(there, absent, routing_key: "key") }
deny("bind queue") { |c| c.queue_bind(missing, direct, routing_key: "key") }
deny("unbind what is not bound") { |c| c.queue_unbind(there, direct, routing_key: "never") }

deny("exclusive, check") { |c| c.queue_declare(exclusive, passive: true) }
deny("exclusive, consume") { |c| c.basic_consume(exclusive) }

deny("other durability") { |c| c.queue_declare(there, arguments: { "x-max-length" => 10 }) }
deny("other argument") { |c| c.queue_declare(there, durable: true, arguments: { "x-max-length" => 11 }) }
deny("no argument") { |c| c.queue_declare(there, durable: true) }
deny("other type") { |c| c.exchange_declare(direct, "topic") }
deny("negative TTL") { |c| c.queue_declare(missing, arguments: { "x-message-ttl" => -1 }) }
deny("TTL of text") { |c| c.queue_declare(missing, arguments: { "x-message-ttl" => "soon" }) }
deny("unknown overflow") { |c| c.queue_declare(missing, arguments: { "x-overflow" => "spill" }) }
deny_unanswered("expiration of text") { |c| c.basic_publish("", "", there, expiration: "soon") }
deny_unanswered("user of others") { |c| c.basic_publish("", "", there, user_id: "somebody") }
deny_unanswered("unknown tag") { |c| c.basic_ack(99, false) }
deny("no binding of the default exchange") { |c| c.queue_bind(there, "", routing_key: "key") }
deny("reserved queue") { |c| c.queue_declare("amq.mine") }
deny("reserved exchange") { |c| c.exchange_declare("amq.mine", "direct") }
deny("delete of a predeclared exchange") { |c| c.exchange_delete("amq.direct") }

bystander.basic_publish("kept", "", there)
bystander.queue_bind(there, direct, routing_key: "key")
deny("in use") { |c| c.exchange_delete(direct, if_unused: true) }
deny("not empty") { |c| c.queue_delete(there, if_empty: true) }
deny_unanswered("settled twice") do |c|
  tag = c.basic_get(there, manual_ack: true)[0].delivery_tag.to_i
  2.times { c.basic_nack(tag, false, true) }
end
deny("exclusive consumer") do |c|
  c.basic_consume(there)
  c.basic_consume(there, "", false, true)
end

again = CONNECTION.create_channel
delivery, _properties, body = again.basic_get(there)
say "a new channel gets: #{body}, redelivered #{delivery.redelivered}"
say "the first channel is open: #{bystander.open?}"
say "the connection is open: #{CONNECTION.open?}"
OTHER.close
CONNECTION.close
