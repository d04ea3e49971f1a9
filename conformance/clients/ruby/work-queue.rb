# A queue of tasks: prefetch, acks, a worker that crashes with tasks in hand, requeueing.

require_relative "common"

TASKS = queue("tasks")

def work_and_crash(connection)
  channel, watching = connection.create_channel, connection.create_channel
  deliveries = Queue.new
  channel.prefetch(2)
  channel.queue(TASKS, durable: true).subscribe(manual_ack: true) do |delivery, properties, body|
    say "worker gets #{body}, tag #{delivery.delivery_tag.to_i}, redelivered #{delivery.redelivered?}, " \
        "mode #{properties.delivery_mode}"
    deliveries << delivery
  end
  first = deliveries.pop
  deliveries.pop
  ok = watching.queue_declare(TASKS, passive: true)
  say "with two in hand: #{ok.message_count} ready, #{ok.consumer_count} consumer"
  channel.ack(first.delivery_tag)
  deliveries.pop
  say "after an ack: #{ready(watching, TASKS)} ready"
  Process.kill(:KILL, Process.pid)
end

crashing = fork do
  connection = connect
  channel = connection.create_channel
  ok = channel.queue_declare(TASKS, durable: true)
  say "declared: #{ok.message_count} ready, #{ok.consumer_count} consumers"
  channel.confirm_select
  1.upto(5) { |number| channel.default_exchange.publish("task #{number}", routing_key: TASKS, persistent: true) }
  say "confirmed: #{channel.wait_for_confirms}, #{ready(channel, TASKS)} ready"
  work_and_crash(connection)
end
Process.wait(crashing)

connection = connect
channel = connection.create_channel
loop { break if channel.queue_declare(TASKS, passive: true).consumer_count.zero? }
say "after the crash: #{ready(channel, TASKS)} ready"

channel.prefetch(1)
done = Queue.new
consumer = channel.queue(TASKS, durable: true).subscribe(manual_ack: true) do |delivery, _properties, body|
  say "second worker gets #{body}, redelivered #{delivery.redelivered?}"
  if body != "task 5"
    channel.ack(delivery.delivery_tag)
  elsif !delivery.redelivered?
    channel.nack(delivery.delivery_tag, false, true)
  else
    channel.reject(delivery.delivery_tag, false)
    done << true
  end
end
done.pop
consumer.cancel
say "deleted with #{channel.queue_delete(TASKS).message_count}"
connection.close
