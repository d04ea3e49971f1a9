# Remote calls: direct reply-to, what the broker refuses of it, and a reply queue of one's own.

require_relative "common"

DIRECT = "amq.rabbitmq.reply-to"
REQUESTS = queue("requests")
SERVING, CALLING = connect, connect
SERVER, CLIENT = SERVING.create_channel, CALLING.create_channel
SERVER.queue_declare(REQUESTS)
REPLIES = Queue.new
ADDRESSES = Queue.new

SERVER.queue(REQUESTS).subscribe(manual_ack: true) do |delivery, properties, body|
  options = { routing_key: properties.reply_to, correlation_id: properties.correlation_id }
  SERVER.default_exchange.publish(body.upcase, **options)
  SERVER.ack(delivery.delivery_tag)
  ADDRESSES << properties.reply_to
end

def call(reply_to, request)
  options = { routing_key: REQUESTS, reply_to: reply_to, correlation_id: "call of #{request}" }
  CLIENT.default_exchange.publish(request, **options)
  say REPLIES.pop
  ADDRESSES.pop
end

on_reply = lambda do |delivery, properties, body|
  REPLIES << "reply: #{body}, for #{properties.correlation_id}, redelivered #{delivery.redelivered?}, " \
             "exchange '#{delivery.exchange}'"
end

CLIENT.basic_consume(DIRECT, "", true) { |*reply| on_reply.call(*reply) }
address = call(DIRECT, "one")
say "the server sees an address of the client: #{address.start_with?("#{DIRECT}.")}"
say "the same for the next call: #{call(DIRECT, "two") == address}"
ok = SERVER.queue_declare(address, passive: true)
say "the address is a queue: #{ok.message_count} ready, #{ok.consumer_count} consumer"

own = CLIENT.queue("", exclusive: true)
own.subscribe { |*reply| on_reply.call(*reply) }
say "own reply queue: #{call(own.name, "three") == own.name}"

attempt_unanswered(CALLING, "request without consumer") do |channel|
  channel.default_exchange.publish("x", routing_key: REQUESTS, reply_to: DIRECT)
end
attempt(CALLING, "consumer that acks") { |channel| channel.basic_consume(DIRECT, "", false) }
attempt(CALLING, "second consumer") do |channel|
  2.times { channel.basic_consume(DIRECT, "", true) }
end

CALLING.close
attempt(SERVING, "address of a client that left") { |channel| channel.queue_declare(address, passive: true) }
SERVER.default_exchange.publish("to nobody", routing_key: address)
SERVER.queue_declare(REQUESTS, passive: true)
say "a reply to nobody: the channel is open #{SERVER.open?}"
SERVING.close
