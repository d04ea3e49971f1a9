# Every property and every type of header that Bunny can write, as they come back.

require "bigdecimal"
require_relative "common"

CONNECTION = connect
CHANNEL = CONNECTION.create_channel
NAME_OF_QUEUE = queue("types")
CHANNEL.queue_declare(NAME_OF_QUEUE)

def send_and_get(body, **properties)
  CHANNEL.basic_publish(body, "", NAME_OF_QUEUE, properties)
  _delivery, received, received_body = CHANNEL.basic_get(NAME_OF_QUEUE)
  [received.to_h, received_body]
end

headers = {
  "text" => "grüße, 世界 \u{1f407}",
  "empty text" => "",
  "long text" => "x" * 3000,
  "yes" => true,
  "no" => false,
  "zero" => 0,
  "small" => -7,
  "int" => 2**31 - 1,
  "negative int" => -(2**31),
  "long" => 2**31,
  "longest" => 2**63 - 1,
  "negative long" => -(2**63),
  "float" => 3.25,
  "pi" => Math::PI,
  "decimal" => BigDecimal("3.14"),
  "time" => Time.at(1_709_208_000).utc,
  "nothing" => nil,
  "list" => ["a", 1, 2**40, true, nil, 1.5, [["deep"]], { "k" => "v" }],
  "empty list" => [],
  "table" => { "nested" => { "empty" => {}, "list" => [1, { "x" => [2] }] }, "n" => 1 },
  # Bunny writes names as bytes.
  "grüße".b => "a name that is not ASCII",
  "" => "no name",
}

def show(value)
  case value
  when Hash then "{#{value.sort.map { |key, item| "#{utf8(key)}=#{show(item)}" }.join(", ")}}"
  when Array then "[#{value.map { |item| show(item) }.join(", ")}]"
  when String then value.size > 100 ? "text of #{value.size}" : "'#{utf8(value)}'"
  when Time then "time #{value.to_i}"
  when BigDecimal then "decimal #{value.to_s("F")}"
  when nil then "nil"
  else value.to_s
  end
end

def utf8(text)
  text.dup.force_encoding("UTF-8")
end

received, _body = send_and_get("", headers: headers)
# RabbitMQ keeps the order of headers up to 3.12 and sorts them since 3.13.
received[:headers].sort.each { |key, value| say "header '#{utf8(key)}': #{value.class} #{show(value)}" }
say "headers missing: #{headers.size - received[:headers].size}"

received, _body = send_and_get("", headers: {})
say "no headers: #{received.slice(:headers)}"

sent = {
  content_type: "application/json",
  content_encoding: "utf-8",
  delivery_mode: 2,
  priority: 255,
  correlation_id: "correlation",
  reply_to: "somewhere",
  expiration: "600000",
  message_id: "m" * 255,
  timestamp: 1_700_000_000,
  type: "type",
  user_id: CONNECTION.user,
  app_id: "",
  cluster_id: "cluster",
}
received, _body = send_and_get("", **sent)
received.sort.each do |key, value|
  value = value.to_i if key == :timestamp
  say "property #{key}: as sent #{value == sent[key]}"
end

received, _body = send_and_get("")
say "without properties: #{received}"
[0, 1, 131_064, 131_065, 1_000_000].each do |size|
  body = Array.new(size) { |number| number % 251 }.pack("C*")
  _received, received_body = send_and_get(body)
  say "body of #{size}: as sent #{received_body.to_s.b == body}"
end
CONNECTION.close
