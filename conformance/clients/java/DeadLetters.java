import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/** Where expired, rejected and surplus messages go, and what their x-death header says. */
final class DeadLetters {
  private static Channel channel;
  private static String dead;
  private static String dlx;

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          Connection connection = Common.connect();
          channel = connection.createChannel();
          dead = Common.queue("dead");
          dlx = Common.exchange("dlx");
          channel.exchangeDeclare(dlx, "fanout");
          Common.declare(channel, dead, null);
          channel.queueBind(dead, dlx, "");
          expire();
          reject();
          overflow();
          retry();
          connection.close();
        });
  }

  private static void expire() throws Exception {
    String ttl = declare("ttl", Map.of("x-message-ttl", 1));
    AMQP.BasicProperties mine = new AMQP.BasicProperties.Builder().headers(Map.of("mine", 1)).build();
    Common.publish(channel, "expired by queue", "", ttl, mine);
    showDead("queue TTL");

    String own = declare("own", Map.of());
    AMQP.BasicProperties brief = new AMQP.BasicProperties.Builder().expiration("1").deliveryMode(2).build();
    Common.publish(channel, "expired by itself", "", own, brief);
    showDead("message TTL");
  }

  private static void reject() throws Exception {
    String rejecting = declare("rejecting", Map.of("x-dead-letter-routing-key", "new.key"));
    Common.publish(channel, "rejected", "", rejecting);
    channel.basicReject(Common.nextOf(channel, rejecting).getEnvelope().getDeliveryTag(), false);
    showDead("reject");
    Common.publish(channel, "nacked", "", rejecting);
    channel.basicNack(Common.nextOf(channel, rejecting).getEnvelope().getDeliveryTag(), false, false);
    showDead("nack");
  }

  private static void overflow() throws Exception {
    String shortest = declare("short", Map.of("x-max-length", 1));
    Common.publish(channel, "surplus", "", shortest);
    Common.publish(channel, "kept", "", shortest);
    showDead("length limit");
    Common.say("kept: %s", Common.drain(channel, shortest));
  }

  /** https://www.rabbitmq.com/docs/dlx: a retry queue sends what expires there back to work. */
  private static void retry() throws Exception {
    String work = Common.queue("work");
    String retry = Common.queue("retry");
    Common.declare(channel, work, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", retry));
    Common.declare(
        channel, retry, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", work, "x-message-ttl", 1));
    Common.publish(channel, "try", "", work);
    for (int number = 1; number <= 3; number++) {
      GetResponse message = Common.nextOf(channel, work);
      Common.say("attempt %d:", number);
      showHeaders(message);
      channel.basicReject(message.getEnvelope().getDeliveryTag(), false);
    }
  }

  private static String declare(String hint, Map<String, Object> arguments) throws Exception {
    String name = Common.queue(hint);
    Map<String, Object> all = new HashMap<>(arguments);
    all.put("x-dead-letter-exchange", dlx);
    Common.declare(channel, name, all);
    return name;
  }

  private static void showDead(String label) throws Exception {
    GetResponse message = Common.nextOf(channel, dead);
    channel.basicAck(message.getEnvelope().getDeliveryTag(), false);
    Common.say(
        "%s: %s from exchange '%s' with key '%s', expiration %s",
        label,
        Common.text(message.getBody()),
        message.getEnvelope().getExchange(),
        message.getEnvelope().getRoutingKey(),
        message.getProps().getExpiration());
    showHeaders(message);
  }

  private static void showHeaders(GetResponse message) {
    if (message.getProps().getHeaders() == null) return;
    new TreeMap<>(message.getProps().getHeaders())
        .forEach(
            (key, value) -> {
              // RabbitMQ has had these since 3.13.
              if (!key.startsWith("x-last-death-")) Common.say("  %s: %s", key, Common.show(value));
            });
  }
}
