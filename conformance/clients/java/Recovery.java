import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.impl.recovery.AutorecoveringConnection;
import java.io.IOException;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;

/** A network failure: the client connects again by itself, with its exchanges, queues, bindings and consumers. */
final class Recovery {
  private static final BlockingQueue<String> seen = new LinkedBlockingQueue<>();
  private static final BlockingQueue<Long> tags = new LinkedBlockingQueue<>();

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          List<Socket> sockets = new CopyOnWriteArrayList<>();
          ConnectionFactory factory = Common.factoryWithSockets(sockets);
          factory.setAutomaticRecoveryEnabled(true);
          factory.setNetworkRecoveryInterval(100);
          Connection connection = factory.newConnection();
          BlockingQueue<String> recovered = new LinkedBlockingQueue<>();
          listen((AutorecoveringConnection) connection, recovered);
          Channel channel = connection.createChannel();
          channel.basicQos(1);
          String fanout = Common.exchange("fanout");
          channel.exchangeDeclare(fanout, "fanout", false, true, null);
          String temporary = Common.temporaryQueue(channel);
          channel.queueBind(temporary, fanout, "");
          String lasting = Common.queue("lasting");
          channel.queueDeclare(lasting, true, false, false, null);
          channel.basicConsume(temporary, true, new Reporter(channel, "temporary"));
          channel.basicConsume(lasting, false, new Reporter(channel, "lasting"));

          Common.publish(channel, "before", fanout, "");
          Common.say(seen.take());
          Common.publish(channel, "in hand", "", lasting);
          Common.say(seen.take());
          tags.take();

          // What a cut cable does, but at once.
          sockets.get(0).close();
          Common.say("a new name: %s", !recovered.take().equals(temporary));
          Common.say(recovered.take());
          Common.say(seen.take());
          channel.basicAck(tags.take(), false);
          Common.publish(channel, "after", fanout, "");
          Common.say(seen.take());
          AMQP.Queue.DeclareOk ok = channel.queueDeclarePassive(lasting);
          Common.say("lasting: %d ready, %d consumer", ok.getMessageCount(), ok.getConsumerCount());
          Common.say("open: %s %s", connection.isOpen(), channel.isOpen());
          connection.close();
        });
  }

  private static void listen(AutorecoveringConnection connection, BlockingQueue<String> recovered) {
    connection.addQueueRecoveryListener(
        (oldName, newName) -> {
          if (!oldName.equals(newName)) recovered.add(newName);
        });
    connection.addRecoveryListener(
        new RecoveryListener() {
          @Override
          public void handleRecovery(Recoverable recoverable) {
            recovered.add("recovered");
          }

          @Override
          public void handleRecoveryStarted(Recoverable recoverable) {}
        });
  }

  private static final class Reporter extends DefaultConsumer {
    private final String label;

    Reporter(Channel channel, String label) {
      super(channel);
      this.label = label;
    }

    @Override
    public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
        throws IOException {
      seen.add(label + " gets " + Common.text(body) + ", redelivered " + envelope.isRedeliver());
      if (label.equals("lasting")) tags.add(envelope.getDeliveryTag());
    }
  }
}
