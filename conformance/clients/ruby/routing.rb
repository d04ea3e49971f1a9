# Where exchanges of every type send a message, and what unbinding and alternate exchanges change.

require_relative "common"

CONNECTION = connect
CHANNEL = CONNECTION.create_channel

# A queue of this connection, bound to the exchange with these keys.
def bound(source, *keys, arguments: {})
  CHANNEL.queue("", exclusive: true).tap do |queue|
    keys.each { |key| queue.bind(source, routing_key: key, arguments: arguments) }
  end
end

def report(label, queue)
  bodies = drain(CHANNEL, queue.name)
  say "#{label}: #{bodies.empty? ? "nothing" : bodies.join(", ")}"
end

fanout = CHANNEL.fanout(exchange("fanout"))
first, second = bound(fanout, ""), bound(fanout, "ignored")
fanout.publish("to all", routing_key: "any")
report "fanout, first", first
report "fanout, second", second

direct = CHANNEL.direct(exchange("direct"), durable: true)
errors, both = bound(direct, "error"), bound(direct, "info", "error", "error")
%w[info error debug Error].each { |key| direct.publish(key, routing_key: key) }
report "direct, error", errors
report "direct, info and error", both
both.unbind(direct, routing_key: "info")
%w[info error].each { |key| direct.publish(key, routing_key: key) }
report "direct, info unbound", both

topic = CHANNEL.topic(exchange("topic"), auto_delete: true)
queues = ["#", "*", "kern.*", "*.critical", "kern.#", "#.critical", "a.*.#.b", "*.*", ""].to_h do |pattern|
  [pattern, bound(topic, pattern)]
end
["kern", "kern.critical", "kern.disk.critical", "a.b", "a.x.b", "a.x.y.b", "", "a..b"].each do |key|
  topic.publish("'#{key}'", routing_key: key)
end
queues.each { |pattern, queue| report "topic, '#{pattern}'", queue }

headers = CHANNEL.headers(exchange("headers"))
all = bound(headers, "", arguments: { "x-match" => "all", "format" => "pdf", "pages" => 3 })
any = bound(headers, "", arguments: { "x-match" => "any", "format" => "pdf", "pages" => 3 })
there = bound(headers, "", arguments: { "x-match" => "all", "format" => nil })
zip = bound(headers, "", arguments: { "format" => "zip" })
{
  "pdf of 3" => { "format" => "pdf", "pages" => 3, "more" => true },
  "pdf of 4" => { "format" => "pdf", "pages" => 4 },
  "zip of '3'" => { "format" => "zip", "pages" => "3" },
  "pages only" => { "pages" => 3 },
  "empty" => {},
}.each { |label, values| headers.publish(label, headers: values) }
headers.publish("none at all")
report "headers, all", all
report "headers, any", any
report "headers, there", there
report "headers, zip", zip

inner = CHANNEL.fanout(exchange("inner"))
inner.bind(direct, routing_key: "onwards")
reached = bound(inner, "")
direct.publish("through two", routing_key: "onwards")
inner.unbind(direct, routing_key: "onwards")
direct.publish("no longer", routing_key: "onwards")
report "exchange to exchange", reached

alternate = CHANNEL.direct(exchange("alternate"), arguments: { "alternate-exchange" => fanout.name })
chosen = bound(alternate, "known")
%w[known unknown].each { |key| alternate.publish(key, routing_key: key) }
report "alternate, chosen", chosen
report "alternate, otherwise", first

by_name = CHANNEL.queue("", exclusive: true)
by_name.publish("by name")
report "default exchange", by_name
CONNECTION.close
