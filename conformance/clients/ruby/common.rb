# What the Bunny programs share. Each is started as `program.rb URL NAME` and prints a line for whatever it sees.

require "bunny"

$stdout.sync = true
URL, NAME = ARGV
QUEUES, EXCHANGES = [], []

# A name that only this run uses; the queue is deleted when the program ends.
def queue(hint)
  QUEUES << "#{NAME}.#{hint}"
  QUEUES.last
end

# A name that only this run uses; the exchange is deleted when the program ends.
def exchange(hint)
  EXCHANGES << "#{NAME}.#{hint}"
  EXCHANGES.last
end

# A connection that stays closed when it is closed. What Bunny would log, the programs say.
PLAIN = { log_level: Logger::FATAL, automatically_recover: false, recover_from_connection_close: false }.freeze

def connect(**options)
  Bunny.new(URL, **PLAIN, **options).start
end

def say(text)
  puts text
end

def ready(channel, name)
  channel.queue_declare(name, passive: true).message_count
end

# The bodies of all messages that are ready, in order.
def drain(channel, name)
  bodies = []
  loop do
    delivery, _properties, body = channel.basic_get(name, manual_ack: false)
    return bodies if delivery.nil?

    bodies << body
  end
end

# Does something that the broker answers, on a channel of its own, and says what became of it.
def attempt(connection, what)
  channel = connection.create_channel
  yield channel
  say "#{what}: no error"
  channel.close
rescue Bunny::ChannelLevelException => e
  say "#{what}: #{e.class}, #{e.channel_close.reply_code} #{e.channel_close.reply_text}"
end

# Does something that the broker answers only by closing the channel, and says how it did. Bunny calls the error handler
# after acks only, and tells the others when they use the channel again.
def attempt_unanswered(connection, what)
  channel = connection.create_channel
  text = nil
  channel.on_error { |_channel, method| text = method.reply_text }
  yield channel
  until text
    sleep 0.002
    begin
      channel.recover if channel.closed?
    rescue Bunny::ChannelAlreadyClosed => e
      text ||= e.message[/channel error: (.*)/, 1]
    end
  end
  say "#{what}: channel closed, #{text}"
end

at_exit do
  connection = connect
  channel = connection.create_channel
  QUEUES.each { |name| channel.queue_delete(name) }
  EXCHANGES.each { |name| channel.exchange_delete(name) }
  connection.close
end
