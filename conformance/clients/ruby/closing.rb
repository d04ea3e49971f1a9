# Ends that are not the program's choice: consumers cancelled, connections refused or closed by the broker.

require_relative "common"

connection = connect
channel = connection.create_channel
doomed = channel.queue(queue("doomed"))
received = Queue.new
cancelled = Queue.new

mine = Bunny::Consumer.new(channel, doomed, "mine")
mine.on_delivery { |delivery, _properties, body| received << "#{delivery.consumer_tag} gets #{body}" }
doomed.subscribe_with(mine)
doomed.publish("one")
say received.pop
mine.cancel
doomed.publish("two")
say "after cancelling: #{doomed.consumer_count} consumers"
again = Bunny::Consumer.new(channel, doomed, "again")
again.on_delivery { |delivery, _properties, body| received << "#{delivery.consumer_tag} gets #{body}" }
again.on_cancellation { |cancel| cancelled << cancel.consumer_tag }
doomed.subscribe_with(again)
say received.pop
say "consumers again: #{doomed.consumer_count}"

other = connect
other.create_channel.queue_delete(doomed.name)
other.close
say "cancelled by the broker: #{cancelled.pop}"
say "the channel is open: #{channel.open?}"
connection.close
say "the connection is open: #{connection.open?}"

# Bunny takes the user of a URL rather than of its options.
known = URI(URL)
address = { host: known.host, port: known.port, **PLAIN }
{
  "wrong password" => { user: CGI.unescape(known.user), password: "wrong" },
  "unknown user" => { user: "nobody", password: "guest" },
  "unknown virtual host" => { user: CGI.unescape(known.user), password: CGI.unescape(known.password), vhost: "nowhere" },
}.each do |what, options|
  Bunny.new(**address, **options).start
  say "#{what}: let in"
rescue Bunny::Exception => e
  say "#{what}: #{e.class} #{e.message}"
end

# The connection tells its session error handler, which would otherwise be the main thread.
class Handler
  attr_reader :errors

  def initialize
    @errors = Queue.new
  end

  def raise(error)
    @errors << error
  end
end

def close(what)
  handler = Handler.new
  connection = connect(session_error_handler: handler)
  channel = connection.create_channel
  thread = Thread.new do
    yield channel
  rescue StandardError
    # The request that closed the connection is never answered.
  end
  error = handler.errors.pop
  say "#{what}: #{error.class}, #{error.connection_close.reply_code} #{error.connection_close.reply_text}"
  say "  the connection is open: #{connection.open?}"
  thread.kill
end

close("tag in use") do |channel|
  name = channel.queue_declare("", exclusive: true).queue
  2.times { channel.basic_consume(name, "tag") }
end
