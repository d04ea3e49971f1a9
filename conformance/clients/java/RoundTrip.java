import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Every property and every type of header that the Java client can write, as they come back. */
final class RoundTrip {
  private static Channel channel;
  private static String name;

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          Connection connection = Common.connect();
          channel = connection.createChannel();
          name = Common.queue("types");
          Common.declare(channel, name, null);
          headers();
          properties();
          bodies();
          connection.close();
        });
  }

  private static GetResponse sendAndGet(byte[] body, AMQP.BasicProperties properties) throws Exception {
    channel.basicPublish("", name, properties, body);
    return channel.basicGet(name, true);
  }

  private static void headers() throws Exception {
    Map<String, Object> sent = new LinkedHashMap<>();
    sent.put("text", "grüße, 世界 🐇");
    sent.put("empty text", "");
    sent.put("long text", "x".repeat(3000));
    sent.put("yes", true);
    sent.put("no", false);
    sent.put("byte", (byte) -8);
    sent.put("short", (short) -300);
    sent.put("int", Integer.MAX_VALUE);
    sent.put("negative int", Integer.MIN_VALUE);
    sent.put("long", Long.MAX_VALUE);
    sent.put("negative long", Long.MIN_VALUE);
    sent.put("small long", 1L);
    sent.put("float", 3.25f);
    sent.put("double", Math.PI);
    sent.put("decimal", new BigDecimal("3.14"));
    sent.put("time", new Date(1709208000000L));
    sent.put("nothing", null);
    sent.put("bytes", new byte[] {0, -1, -2});
    sent.put("list", Arrays.asList("a", 1, 1L << 40, true, null, 1.5, List.of(List.of("deep")), Map.of("k", "v")));
    sent.put("empty list", Collections.emptyList());
    sent.put("array", new Object[] {"an", "array"});
    sent.put("table", Map.of("nested", Map.of("empty", Map.of(), "list", List.of(1, Map.of("x", List.of(2)))), "n", 1));
    sent.put("grüße", "a name that is not ASCII");
    sent.put("", "no name");

    AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder().headers(sent).build();
    Map<String, Object> received = sendAndGet(new byte[0], properties).getProps().getHeaders();
    // RabbitMQ keeps the order of headers up to 3.12 and sorts them since 3.13.
    for (Map.Entry<String, Object> entry : new TreeMap<>(received).entrySet()) {
      Object value = entry.getValue();
      String type = value == null ? "null" : value.getClass().getSimpleName();
      String shown = value instanceof Date ? "at " + ((Date) value).getTime() : Common.show(value);
      if (value instanceof byte[]) shown = Arrays.toString((byte[]) value);
      Common.say("header '%s': %s %s", entry.getKey(), type, shown);
    }
    Common.say("headers missing: %d", sent.size() - received.size());

    properties = new AMQP.BasicProperties.Builder().headers(Map.of()).build();
    Common.say("no headers: %s", sendAndGet(new byte[0], properties).getProps().getHeaders());
  }

  private static void properties() throws Exception {
    AMQP.BasicProperties sent =
        new AMQP.BasicProperties.Builder()
            .contentType("application/json")
            .contentEncoding("utf-8")
            .deliveryMode(2)
            .priority(255)
            .correlationId("correlation")
            .replyTo("somewhere")
            .expiration("600000")
            .messageId("m".repeat(255))
            .timestamp(new Date(1700000000000L))
            .type("type")
            .userId(Common.factory().getUsername())
            .appId("")
            .clusterId("cluster")
            .build();
    AMQP.BasicProperties received = sendAndGet(new byte[0], sent).getProps();
    Common.say("properties: as sent %s", received.toString().equals(sent.toString()));
    received = sendAndGet(new byte[0], null).getProps();
    Common.say("without properties: none %s", received.toString().equals(new AMQP.BasicProperties().toString()));
    received = sendAndGet(new byte[0], new AMQP.BasicProperties.Builder().priority(0).deliveryMode(1).build()).getProps();
    Common.say("priority %d, delivery mode %d", received.getPriority(), received.getDeliveryMode());
  }

  private static void bodies() throws Exception {
    for (int size : new int[] {0, 1, 131064, 131065, 1000000}) {
      byte[] body = new byte[size];
      for (int at = 0; at < size; at++) body[at] = (byte) (at % 251);
      Common.say("body of %d: as sent %s", size, Arrays.equals(sendAndGet(body, null).getBody(), body));
    }
  }
}
