import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** Ends that are not the program's choice: consumers cancelled, connections refused or closed by the broker. */
final class Closing {
  private static final BlockingQueue<String> events = new LinkedBlockingQueue<>();

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          cancel();
          refuse("wrong password", null, "wrong", "/");
          refuse("unknown user", "nobody", null, "/");
          refuse("unknown virtual host", null, null, "nowhere");
          close(
              "tag in use",
              c -> {
                String name = Common.temporaryQueue(c);
                c.basicConsume(name, false, "tag", new DefaultConsumer(c));
                c.basicConsume(name, false, "tag", new DefaultConsumer(c));
              });
          close("immediate", c -> c.basicPublish("", "anything", false, true, null, new byte[0]));
          close("prefetch by size", c -> c.basicQos(10, 0, false));
        });
  }

  private static void cancel() throws Exception {
    Connection connection = Common.connect();
    Channel channel = connection.createChannel();
    String doomed = Common.queue("doomed");
    Common.declare(channel, doomed, null);
    channel.basicConsume(doomed, true, "mine", new Reporter(channel));
    Common.publish(channel, "one", "", doomed);
    Common.say(events.take());
    channel.basicCancel("mine");
    Common.say(events.take());
    Common.publish(channel, "two", "", doomed);
    Common.say("after cancelling: %d consumers", channel.consumerCount(doomed));
    channel.basicConsume(doomed, true, "again", new Reporter(channel));
    Common.say(events.take());
    Common.say("consumers again: %d", channel.consumerCount(doomed));

    Connection other = Common.connect();
    other.createChannel().queueDelete(doomed);
    other.close();
    Common.say(events.take());
    Common.say("the channel is open: %s", channel.isOpen());
    connection.close();
    Common.say("the connection is open: %s", connection.isOpen());
  }

  private static final class Reporter extends DefaultConsumer {
    Reporter(Channel channel) {
      super(channel);
    }

    @Override
    public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
      events.add(tag + " gets " + Common.text(body));
    }

    @Override
    public void handleCancelOk(String tag) {
      events.add("cancelled by the program: " + tag);
    }

    @Override
    public void handleCancel(String tag) {
      events.add("cancelled by the broker: " + tag);
    }
  }

  private static void refuse(String what, String user, String password, String virtualHost) throws Exception {
    ConnectionFactory factory = Common.factory();
    if (user != null) factory.setUsername(user);
    if (password != null) factory.setPassword(password);
    factory.setVirtualHost(virtualHost);
    try {
      factory.newConnection().close();
      Common.say("%s: let in", what);
    } catch (IOException error) {
      Throwable cause = error.getCause();
      String why =
          cause instanceof ShutdownSignalException
              ? Common.reasonOf((ShutdownSignalException) cause)
              : error.getMessage();
      Common.say("%s: %s, %s", what, error.getClass().getSimpleName(), why);
    }
  }

  private static void close(String what, Common.Action action) throws Exception {
    Connection connection = Common.connect();
    Common.attempt(connection, what, action);
    Common.say("  the connection is open: %s", connection.isOpen());
  }
}
