import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.GetResponse;
import java.util.Map;

/** What the broker says when it closes a channel, and that the connection and its other channels go on. */
final class Errors {
  private static Connection connection;
  private static String there;
  private static String missing;
  private static String direct;
  private static String absent;

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          connection = Common.connect();
          Connection other = Common.connect();
          Channel bystander = connection.createChannel();
          there = Common.queue("there");
          missing = Common.queue("missing");
          direct = Common.exchange("direct");
          absent = Common.exchange("absent");
          String exclusive = Common.name + ".exclusive";
          bystander.queueDeclare(there, true, false, false, Map.of("x-max-length", 10));
          bystander.exchangeDeclare(direct, "direct");
          other.createChannel().queueDeclare(exclusive, false, true, false, null);

          denyWhatIsMissing();
          denyWhatIsLocked(exclusive);
          denyWhatDiffers();
          denyWhatIsInvalid();
          Common.publish(bystander, "kept", "", there);
          bystander.queueBind(there, direct, "key");
          denyWhatIsInUse();

          GetResponse response = connection.createChannel().basicGet(there, true);
          Common.say(
              "a new channel gets: %s, redelivered %s",
              Common.text(response.getBody()), response.getEnvelope().isRedeliver());
          Common.say("the first channel is open: %s", bystander.isOpen());
          Common.say("the connection is open: %s", connection.isOpen());
          other.close();
          connection.close();
        });
  }

  private static void deny(String what, Common.Action action) throws Exception {
    Common.attempt(connection, what, action);
  }

  private static void denyWhatIsMissing() throws Exception {
    deny("check queue", c -> c.queueDeclarePassive(missing));
    deny("check exchange", c -> c.exchangeDeclarePassive(absent));
    deny("get", c -> c.basicGet(missing, true));
    deny("consume", c -> c.basicConsume(missing, new DefaultConsumer(c)));
    deny("purge", c -> c.queuePurge(missing));
    deny("delete what is missing", c -> c.queueDelete(missing));
    deny("publish", c -> Common.publish(c, "lost", absent, "key"));
    deny("bind to exchange", c -> c.queueBind(there, absent, "key"));
    deny("bind queue", c -> c.queueBind(missing, direct, "key"));
    deny("bind exchange", c -> c.exchangeBind(direct, absent, "key"));
    deny("unbind what is not bound", c -> c.queueUnbind(there, direct, "never"));
  }

  private static void denyWhatIsLocked(String exclusive) throws Exception {
    deny("exclusive, check", c -> c.queueDeclarePassive(exclusive));
    deny("exclusive, declare", c -> c.queueDeclare(exclusive, false, true, false, null));
    deny("exclusive, consume", c -> c.basicConsume(exclusive, new DefaultConsumer(c)));
    deny("exclusive, delete", c -> c.queueDelete(exclusive));
  }

  private static void denyWhatDiffers() throws Exception {
    deny("other durability", c -> Common.declare(c, there, Map.of("x-max-length", 10)));
    deny("other argument", c -> c.queueDeclare(there, true, false, false, Map.of("x-max-length", 11)));
    deny("argument of another width", c -> c.queueDeclare(there, true, false, false, Map.of("x-max-length", 10L)));
    deny("argument of another type", c -> c.queueDeclare(there, true, false, false, Map.of("x-max-length", "10")));
    deny("no argument", c -> c.queueDeclare(there, true, false, false, null));
    deny("exclusive now", c -> c.queueDeclare(there, true, true, false, Map.of("x-max-length", 10)));
    deny("auto-delete now", c -> c.queueDeclare(there, true, false, true, Map.of("x-max-length", 10)));
    deny("other type", c -> c.exchangeDeclare(direct, "topic"));
    deny("other exchange durability", c -> c.exchangeDeclare(direct, "direct", true));
    deny("internal now", c -> c.exchangeDeclare(direct, "direct", false, false, true, null));
    deny("argument of an exchange", c -> c.exchangeDeclare(direct, "direct", false, false, Map.of("alternate-exchange", "x")));
  }

  private static void denyWhatIsInvalid() throws Exception {
    deny("negative TTL", c -> Common.declare(c, missing, Map.of("x-message-ttl", -1)));
    deny("TTL of text", c -> Common.declare(c, missing, Map.of("x-message-ttl", "soon")));
    deny("TTL of a fraction", c -> Common.declare(c, missing, Map.of("x-message-ttl", 1.5)));
    deny("TTL of a flag", c -> Common.declare(c, missing, Map.of("x-message-ttl", true)));
    deny("priority of 256", c -> Common.declare(c, missing, Map.of("x-max-priority", 256)));
    deny("unknown overflow", c -> Common.declare(c, missing, Map.of("x-overflow", "spill")));
    deny("key without exchange", c -> Common.declare(c, missing, Map.of("x-dead-letter-routing-key", "k")));
    deny("expiration of text", c -> publishWith(c, new AMQP.BasicProperties.Builder().expiration("soon").build()));
    deny("negative expiration", c -> publishWith(c, new AMQP.BasicProperties.Builder().expiration("-1").build()));
    deny("user of others", c -> publishWith(c, new AMQP.BasicProperties.Builder().userId("somebody").build()));
    deny("unknown tag", c -> c.basicAck(99, false));
    deny("unknown tag, all up to it", c -> c.basicAck(99, true));
    deny("unknown tag, reject", c -> c.basicReject(7, true));
    deny("no binding of the default exchange", c -> c.queueBind(there, "", "key"));
    deny("reserved queue", c -> Common.declare(c, "amq.mine", null));
    deny("reserved exchange", c -> c.exchangeDeclare("amq.mine", "direct"));
    deny("delete of a predeclared exchange", c -> c.exchangeDelete("amq.direct"));
  }

  private static void publishWith(Channel channel, AMQP.BasicProperties properties) throws Exception {
    Common.publish(channel, "", "", there, properties);
  }

  private static void denyWhatIsInUse() throws Exception {
    deny("in use", c -> c.exchangeDelete(direct, true));
    deny("not empty", c -> c.queueDelete(there, false, true));
    deny(
        "settled twice",
        c -> {
          long tag = c.basicGet(there, false).getEnvelope().getDeliveryTag();
          c.basicNack(tag, false, true);
          c.basicNack(tag, false, true);
        });
    deny(
        "queue in use",
        c -> {
          c.basicConsume(there, new DefaultConsumer(c));
          c.queueDelete(there, true, false);
        });
    deny(
        "exclusive consumer",
        c -> {
          c.basicConsume(there, new DefaultConsumer(c));
          c.basicConsume(there, false, "", false, true, null, new DefaultConsumer(c));
        });
  }
}
