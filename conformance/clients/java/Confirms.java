import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ConfirmListener;
import com.rabbitmq.client.Connection;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.LinkedBlockingQueue;

/** Publisher confirms: acks, nacks of a full queue that rejects, and returns of what has no queue. */
final class Confirms {
  private static final BlockingQueue<String> events = new LinkedBlockingQueue<>();

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          Connection connection = Common.connect();
          Channel channel = connection.createChannel();
          channel.confirmSelect();
          String full = Common.queue("full");
          channel.queueDeclare(
              full, true, false, false, Map.of("x-max-length", 2, "x-overflow", "reject-publish"));
          confirmOneByOne(channel, full);
          returnUnroutable(channel, full);
          confirmMany(connection, full);

          Common.attempt(
              connection,
              "confirms on a transactional channel",
              c -> {
                c.txSelect();
                c.confirmSelect();
              });
          Common.attempt(
              connection,
              "transactions on a confirming channel",
              c -> {
                c.confirmSelect();
                c.txSelect();
              });
          connection.close();
        });
  }

  private static void confirmOneByOne(Channel channel, String full) throws Exception {
    ConfirmListener listener =
        channel.addConfirmListener(
            (tag, multiple) -> events.add("acked " + tag), (tag, multiple) -> events.add("nacked " + tag));
    for (int number = 1; number <= 4; number++) {
      Common.publish(channel, "message " + number, "", full);
      Common.say("message %d: %s", number, events.take());
    }
    channel.basicGet(full, true);
    Common.publish(channel, "message 5", "", full);
    Common.say("message 5: %s, next %d", events.take(), channel.getNextPublishSeqNo());
    Common.say("in the queue: %s", Common.drain(channel, full));
    channel.removeConfirmListener(listener);
  }

  private static void returnUnroutable(Channel channel, String full) throws Exception {
    channel.addReturnListener(
        (code, text, exchange, key, properties, body) ->
            events.add(
                String.format(
                    "returned, %d %s, exchange '%s', key '%s', id %s, body %s",
                    code, text, exchange, key, properties.getMessageId(), Common.text(body))));
    channel.addConfirmListener(
        (tag, multiple) -> events.add("acked " + tag), (tag, multiple) -> events.add("nacked " + tag));
    String fanout = Common.exchange("nobody");
    channel.exchangeDeclare(fanout, "fanout");
    AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder().messageId("the id").build();
    channel.basicPublish(fanout, "some.key", true, properties, Common.bytes("without queue"));
    Common.say("without queue: %s", events.take());
    Common.say("without queue: %s", events.take());
    Common.publish(channel, "without queue or flag", fanout, "some.key");
    Common.say("without queue or flag: %s", events.take());
    channel.queueBind(full, fanout, "");
    channel.basicPublish(fanout, "some.key", true, properties, Common.bytes("with queue"));
    Common.say("with queue: %s", events.take());
    channel.queuePurge(full);
  }

  /** However the broker puts acks together, each message is confirmed once. */
  private static void confirmMany(Connection connection, String full) throws Exception {
    Channel channel = connection.createChannel();
    channel.confirmSelect();
    ConcurrentSkipListSet<Long> outstanding = new ConcurrentSkipListSet<>();
    TreeSet<Long> acked = new TreeSet<>();
    TreeSet<Long> nacked = new TreeSet<>();
    channel.addConfirmListener(
        (tag, multiple) -> settle(outstanding, tag, multiple, acked),
        (tag, multiple) -> settle(outstanding, tag, multiple, nacked));
    for (int number = 1; number <= 200; number++) {
      outstanding.add(channel.getNextPublishSeqNo());
      Common.publish(channel, "message " + number, "", full);
    }
    boolean allAcked = channel.waitForConfirms();
    while (!outstanding.isEmpty()) Thread.yield();
    Common.say("200 to a queue of 2: all acked %s, acked %s, nacked %d", allAcked, acked, nacked.size());
    channel.queuePurge(full);
    channel.close();
  }

  private static void settle(
      ConcurrentSkipListSet<Long> outstanding, long tag, boolean multiple, TreeSet<Long> settled) {
    if (!multiple) {
      settled.add(tag);
      outstanding.remove(tag);
      return;
    }
    for (Long known : outstanding.headSet(tag, true)) settled.add(known);
    outstanding.headSet(tag, true).clear();
  }
}
