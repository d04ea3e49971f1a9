import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** Where exchanges of every type send a message, and what unbinding and alternate exchanges change. */
final class Routing {
  private static Channel channel;

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          Connection connection = Common.connect();
          channel = connection.createChannel();
          String fanout = declare("fanout", "fanout", null);
          String first = bound(fanout, "");
          routeToAll(fanout, first);
          String direct = declare("direct", "direct", null);
          routeByKey(direct);
          routeByPattern();
          routeByHeaders();
          routeFurther(direct, fanout, first);
          String byName = Common.temporaryQueue(channel);
          Common.publish(channel, "by name", "", byName);
          report("default exchange", byName);
          connection.close();
        });
  }

  private static void routeToAll(String fanout, String first) throws Exception {
    String second = bound(fanout, "ignored");
    Common.publish(channel, "to all", fanout, "any");
    report("fanout, first", first);
    report("fanout, second", second);
  }

  private static void routeByKey(String direct) throws Exception {
    String errors = bound(direct, "error");
    String both = bound(direct, "info", "error", "error");
    for (String key : new String[] {"info", "error", "debug", "Error"}) {
      Common.publish(channel, key, direct, key);
    }
    report("direct, error", errors);
    report("direct, info and error", both);
    channel.queueUnbind(both, direct, "info");
    for (String key : new String[] {"info", "error"}) Common.publish(channel, key, direct, key);
    report("direct, info unbound", both);
  }

  private static void routeByPattern() throws Exception {
    String topic = declare("topic", "topic", null);
    Map<String, String> queues = new LinkedHashMap<>();
    String[] patterns = {"#", "*", "kern.*", "*.critical", "kern.#", "#.critical", "a.*.#.b", "*.*", ""};
    for (String pattern : patterns) queues.put(pattern, bound(topic, pattern));
    String[] keys = {"kern", "kern.critical", "kern.disk.critical", "a.b", "a.x.b", "a.x.y.b", "", "a..b"};
    for (String key : keys) Common.publish(channel, "'" + key + "'", topic, key);
    for (Map.Entry<String, String> entry : queues.entrySet()) {
      report("topic, '" + entry.getKey() + "'", entry.getValue());
    }
  }

  private static void routeByHeaders() throws Exception {
    String headers = declare("headers", "headers", null);
    String all = boundTo(headers, "x-match", "all", "format", "pdf", "pages", 3);
    String any = boundTo(headers, "x-match", "any", "format", "pdf", "pages", 3);
    String there = boundTo(headers, "x-match", "all", "format", null);
    String zip = boundTo(headers, "format", "zip");
    publishTo(headers, "pdf of 3", table("format", "pdf", "pages", 3, "more", true));
    publishTo(headers, "pdf of long 3", table("format", "pdf", "pages", 3L));
    publishTo(headers, "pdf of 4", table("format", "pdf", "pages", 4));
    publishTo(headers, "zip of '3'", table("format", "zip", "pages", "3"));
    publishTo(headers, "pages only", table("pages", 3));
    publishTo(headers, "empty", table());
    publishTo(headers, "none at all", null);
    report("headers, all", all);
    report("headers, any", any);
    report("headers, there", there);
    report("headers, zip", zip);
  }

  private static void routeFurther(String direct, String fanout, String first) throws Exception {
    String inner = declare("inner", "fanout", null);
    channel.exchangeBind(inner, direct, "onwards");
    String reached = bound(inner, "");
    Common.publish(channel, "through two", direct, "onwards");
    channel.exchangeUnbind(inner, direct, "onwards");
    Common.publish(channel, "no longer", direct, "onwards");
    report("exchange to exchange", reached);

    String alternate = declare("alternate", "direct", table("alternate-exchange", fanout));
    String chosen = bound(alternate, "known");
    for (String key : new String[] {"known", "unknown"}) Common.publish(channel, key, alternate, key);
    report("alternate, chosen", chosen);
    report("alternate, otherwise", first);
  }

  private static String declare(String hint, String type, Map<String, Object> arguments) throws Exception {
    String name = Common.exchange(hint);
    channel.exchangeDeclare(name, type, false, false, arguments);
    return name;
  }

  /** A queue of this connection, bound to the exchange with these keys. */
  private static String bound(String source, String... keys) throws Exception {
    String name = Common.temporaryQueue(channel);
    for (String key : keys) channel.queueBind(name, source, key, Collections.emptyMap());
    return name;
  }

  private static String boundTo(String source, Object... keysAndValues) throws Exception {
    String name = Common.temporaryQueue(channel);
    channel.queueBind(name, source, "", table(keysAndValues));
    return name;
  }

  private static void publishTo(String exchange, String label, Map<String, Object> headers) throws Exception {
    AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder().headers(headers).build();
    Common.publish(channel, label, exchange, "", properties);
  }

  private static void report(String label, String queue) throws Exception {
    Common.say("%s: %s", label, Common.drain(channel, queue));
  }

  private static Map<String, Object> table(Object... keysAndValues) {
    Map<String, Object> table = new HashMap<>();
    for (int at = 0; at < keysAndValues.length; at += 2) table.put((String) keysAndValues[at], keysAndValues[at + 1]);
    return table;
  }
}
