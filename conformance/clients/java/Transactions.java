import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;

/** Transactions: publishes and acks take effect together, at the commit, or not at all. */
final class Transactions {
  private static String name;
  private static Channel observing;

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          Connection connection = Common.connect();
          name = Common.queue("queue");
          observing = connection.createChannel();
          Common.declare(observing, name, null);
          publish(connection);
          acknowledge(connection);
          Common.say("in the end: %s", Common.drain(observing, name));
          // The client itself refuses to commit before txSelect.
          try {
            connection.createChannel().txCommit();
          } catch (IllegalStateException | java.io.IOException error) {
            Common.say("commit without select: %s", error.getClass().getSimpleName());
          }
          connection.close();
        });
  }

  private static void publish(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    channel.txSelect();
    for (int number = 1; number <= 3; number++) Common.publish(channel, "message " + number, "", name);
    Common.say("before the commit: %d ready", ready(channel));
    channel.txCommit();
    Common.say("after the commit: %d ready", ready(channel));
    Common.publish(channel, "taken back", "", name);
    channel.txRollback();
    channel.txCommit();
    Common.say("after a rollback: %d ready", ready(channel));

    channel.basicAck(channel.basicGet(name, false).getEnvelope().getDeliveryTag(), false);
    channel.txRollback();
    channel.close();
    GetResponse again = observing.basicGet(name, false);
    Common.say(
        "an ack that was rolled back: %s comes again, redelivered %s",
        Common.text(again.getBody()), again.getEnvelope().isRedeliver());
    observing.basicNack(again.getEnvelope().getDeliveryTag(), false, true);
  }

  private static void acknowledge(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    channel.txSelect();
    GetResponse message = channel.basicGet(name, false);
    channel.basicAck(message.getEnvelope().getDeliveryTag(), false);
    Common.publish(channel, "answer to " + Common.text(message.getBody()), "", name);
    channel.txCommit();
    Common.say("an ack and a publish together: %d ready", ready(channel));
    Common.publish(channel, "never committed", "", name);
    channel.close();
  }

  private static long ready(Channel channel) throws Exception {
    // What the transactional channel sent before has been handled by the time it answers this.
    Common.ready(channel, name);
    return Common.ready(observing, name);
  }
}
