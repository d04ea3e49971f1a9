# Where expired, rejected and surplus messages go, and what their x-death header says.

require_relative "common"

CONNECTION = connect
CHANNEL = CONNECTION.create_channel
DEAD, DLX = queue("dead"), exchange("dlx")
CHANNEL.exchange_declare(DLX, "fanout")
CHANNEL.queue_declare(DEAD)
CHANNEL.queue_bind(DEAD, DLX)

# The next message, as soon as there is one; unacked.
def next_of(name)
  loop do
    delivery, properties, body = CHANNEL.basic_get(name, manual_ack: true)
    return [delivery, properties, body] if delivery
  end
end

def show(value)
  case value
  when Hash then "{#{value.sort.map { |key, item| "#{key}=#{show(item)}" }.join(", ")}}"
  when Array then "[#{value.map { |item| show(item) }.join(", ")}]"
  when String, Integer then value.to_s
  else value.class.name
  end
end

def show_headers(properties)
  (properties[:headers] || {}).sort.each do |key, value|
    # RabbitMQ has had these since 3.13.
    say "  #{key}: #{show(value)}" unless key.start_with?("x-last-death-")
  end
end

def show_dead(label)
  delivery, properties, body = next_of(DEAD)
  CHANNEL.ack(delivery.delivery_tag)
  say "#{label}: #{body} from exchange '#{delivery.exchange}' with key '#{delivery.routing_key}', " \
      "expiration #{properties[:expiration].inspect}"
  show_headers(properties)
end

def declare(hint, **arguments)
  name = queue(hint)
  given = arguments.to_h { |key, value| [key.to_s.tr("_", "-"), value] }
  CHANNEL.queue_declare(name, arguments: { "x-dead-letter-exchange" => DLX, **given })
  name
end

ttl = declare("ttl", x_message_ttl: 1)
CHANNEL.basic_publish("expired by queue", "", ttl, headers: { "mine" => 1 })
show_dead "queue TTL"

own = declare("own")
CHANNEL.basic_publish("expired by itself", "", own, expiration: 1, persistent: true)
show_dead "message TTL"

rejecting = declare("rejecting", x_dead_letter_routing_key: "new.key")
CHANNEL.basic_publish("rejected", "", rejecting)
CHANNEL.reject(next_of(rejecting)[0].delivery_tag, false)
show_dead "reject"
CHANNEL.basic_publish("nacked", "", rejecting)
CHANNEL.nack(next_of(rejecting)[0].delivery_tag, false, false)
show_dead "nack"

short = declare("short", x_max_length: 1)
CHANNEL.basic_publish("surplus", "", short)
CHANNEL.basic_publish("kept", "", short)
show_dead "length limit"
say "kept: #{drain(CHANNEL, short).join(", ")}"

# https://www.rabbitmq.com/docs/dlx: a retry queue sends what expires there back to work.
work, waiting = queue("work"), queue("retry")
CHANNEL.queue_declare(work, arguments: { "x-dead-letter-exchange" => "", "x-dead-letter-routing-key" => waiting })
CHANNEL.queue_declare(
  waiting,
  arguments: { "x-dead-letter-exchange" => "", "x-dead-letter-routing-key" => work, "x-message-ttl" => 1 },
)
CHANNEL.basic_publish("try", "", work)
1.upto(3) do |number|
  delivery, properties, = next_of(work)
  say "attempt #{number}:"
  show_headers(properties)
  CHANNEL.reject(delivery.delivery_tag, false)
end
CONNECTION.close
