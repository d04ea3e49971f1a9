# A network failure: Bunny connects again by itself, with its exchanges, queues, bindings and consumers.

require_relative "common"

recovered = Queue.new
connection = Bunny.new(
  URL,
  log_level: Logger::FATAL,
  network_recovery_interval: 0.1,
  recovery_completed: -> { recovered << true },
).start
channel = connection.create_channel
channel.prefetch(1)
fanout = channel.fanout(exchange("fanout"), auto_delete: true)
temporary = channel.queue("", exclusive: true).bind(fanout)
first_name = temporary.name
lasting = channel.queue(queue("lasting"), durable: true)
seen, deliveries = Queue.new, Queue.new
temporary.subscribe { |_delivery, _properties, body| seen << "temporary gets #{body}" }
lasting.subscribe(manual_ack: true) do |delivery, _properties, body|
  seen << "lasting gets #{body}, redelivered #{delivery.redelivered?}"
  deliveries << delivery
end

fanout.publish("before")
say seen.pop
lasting.publish("in hand")
say seen.pop
deliveries.pop

# What a cut cable does, but at once.
connection.transport.socket.shutdown
recovered.pop
say seen.pop
say "the temporary queue has a new name: #{temporary.name != first_name}"
channel.ack(deliveries.pop.delivery_tag)
fanout.publish("after")
say seen.pop
ok = channel.queue_declare(lasting.name, passive: true)
say "lasting: #{ok.message_count} ready, #{ok.consumer_count} consumer"
say "open: #{connection.open?} #{channel.open?}"
connection.close
