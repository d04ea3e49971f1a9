import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What the Java programs share. Each is started with a URL and a name, and prints a line for whatever it sees. */
final class Common {
  interface Program {
    void run() throws Exception;
  }

  interface Action {
    void on(Channel channel) throws Exception;
  }

  private static final List<String> queues = new ArrayList<>();
  private static final List<String> exchanges = new ArrayList<>();
  private static String url;
  static String name;

  private Common() {}

  /** Runs a program, deletes its names, and ends the process, whatever threads are left. */
  static void run(String[] arguments, Program program) {
    url = arguments[0];
    name = arguments[1];
    int status = 0;
    try {
      program.run();
    } catch (Throwable error) {
      error.printStackTrace();
      status = 1;
    }
    try (Connection connection = connect()) {
      Channel channel = connection.createChannel();
      for (String queue : queues) channel.queueDelete(queue);
      for (String exchange : exchanges) channel.exchangeDelete(exchange);
    } catch (Exception error) {
      error.printStackTrace();
      status = 1;
    }
    System.out.flush();
    System.exit(status);
  }

  /** A name that only this run uses; the queue is deleted when the program ends. */
  static String queue(String hint) {
    queues.add(name + "." + hint);
    return queues.get(queues.size() - 1);
  }

  /** A name that only this run uses; the exchange is deleted when the program ends. */
  static String exchange(String hint) {
    exchanges.add(name + "." + hint);
    return exchanges.get(exchanges.size() - 1);
  }

  /** What connects to the broker, once, if it is not told otherwise. */
  static ConnectionFactory factory() throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUri(url);
    factory.setAutomaticRecoveryEnabled(false);
    return factory;
  }

  static Connection connect() throws Exception {
    return factory().newConnection();
  }

  /** Makes connections that put their socket into this list, for a program that wants to cut it. */
  static ConnectionFactory factoryWithSockets(List<Socket> sockets) throws Exception {
    ConnectionFactory factory = factory();
    factory.setSocketConfigurator(
        socket -> {
          socket.setTcpNoDelay(true);
          sockets.add(socket);
        });
    return factory;
  }

  static synchronized void say(String text, Object... values) {
    System.out.println(values.length == 0 ? text : String.format(text, values));
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String text(byte[] body) {
    return new String(body, StandardCharsets.UTF_8);
  }

  static void publish(Channel channel, String body, String exchange, String key, AMQP.BasicProperties properties)
      throws IOException {
    channel.basicPublish(exchange, key, properties, bytes(body));
  }

  static void publish(Channel channel, String body, String exchange, String key) throws IOException {
    publish(channel, body, exchange, key, null);
  }

  /** Declares a queue that lasts as long as the broker. */
  static AMQP.Queue.DeclareOk declare(Channel channel, String queue, Map<String, Object> arguments)
      throws IOException {
    return channel.queueDeclare(queue, false, false, false, arguments);
  }

  /** A queue of this connection, named by the broker. */
  static String temporaryQueue(Channel channel) throws IOException {
    return channel.queueDeclare().getQueue();
  }

  static long ready(Channel channel, String queue) throws IOException {
    return channel.messageCount(queue);
  }

  /** The next message, as soon as there is one; unacked. */
  static GetResponse nextOf(Channel channel, String queue) throws IOException {
    while (true) {
      GetResponse response = channel.basicGet(queue, false);
      if (response != null) return response;
    }
  }

  /** The bodies of all messages that are ready, in order. */
  static String drain(Channel channel, String queue) throws IOException {
    List<String> bodies = new ArrayList<>();
    while (true) {
      GetResponse response = channel.basicGet(queue, true);
      if (response == null) return bodies.isEmpty() ? "nothing" : String.join(", ", bodies);
      bodies.add(text(response.getBody()));
    }
  }

  /** Does something on a channel of its own and says how the broker answered. */
  static void attempt(Connection connection, String what, Action action) throws Exception {
    Channel channel = connection.createChannel();
    try {
      action.on(channel);
      // What is not answered fails by now, or not at all.
      temporaryQueue(channel);
      say("%s: no error", what);
      channel.close();
    } catch (ShutdownSignalException signal) {
      say("%s: %s", what, reasonOf(signal));
    } catch (IOException error) {
      if (!(error.getCause() instanceof ShutdownSignalException)) throw error;
      say("%s: %s", what, reasonOf((ShutdownSignalException) error.getCause()));
    }
  }

  static String reasonOf(ShutdownSignalException signal) {
    if (signal.getReason() instanceof AMQP.Channel.Close) {
      AMQP.Channel.Close close = (AMQP.Channel.Close) signal.getReason();
      return "channel closed, " + close.getReplyCode() + " " + close.getReplyText();
    }
    if (signal.getReason() instanceof AMQP.Connection.Close) {
      AMQP.Connection.Close close = (AMQP.Connection.Close) signal.getReason();
      return "connection closed, " + close.getReplyCode() + " " + close.getReplyText();
    }
    return signal.toString();
  }

  /** A value of a table as one reads it, with the keys in order. */
  static String show(Object value) {
    if (value == null) return "null";
    if (value instanceof byte[]) return "bytes of " + ((byte[]) value).length;
    if (value instanceof java.util.Date) return "date";
    if (value instanceof List) {
      List<String> items = new ArrayList<>();
      for (Object item : (List<?>) value) items.add(show(item));
      return items.toString();
    }
    if (value instanceof Map) {
      Map<String, String> items = new TreeMap<>();
      for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
        items.put(entry.getKey().toString(), show(entry.getValue()));
      }
      return items.toString();
    }
    String shown = value.toString();
    return shown.length() > 100 ? "text of " + shown.length() : shown;
  }
}
