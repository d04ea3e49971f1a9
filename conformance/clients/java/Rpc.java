import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcServer;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** Remote calls: direct reply-to, what the broker refuses of it, a reply queue of one's own, RpcClient. */
final class Rpc {
  private static final String DIRECT = "amq.rabbitmq.reply-to";
  private static final BlockingQueue<String> replies = new LinkedBlockingQueue<>();
  private static String requests;
  private static Channel server;
  private static Channel client;

  public static void main(String[] arguments) {
    Common.run(
        arguments,
        () -> {
          requests = Common.queue("requests");
          Connection serving = Common.connect();
          Connection calling = Common.connect();
          server = serving.createChannel();
          client = calling.createChannel();
          Common.declare(server, requests, null);
          String address = callInTurn();
          useRpcClient(serving, calling);
          refuse(calling);

          calling.close();
          Common.attempt(serving, "address of a client that left", c -> c.queueDeclarePassive(address));
          Common.publish(server, "to nobody", "", address);
          server.queueDeclarePassive(requests);
          Common.say("a reply to nobody: the channel is open %s", server.isOpen());
          serving.close();
        });
  }

  private static String callInTurn() throws Exception {
    client.basicConsume(DIRECT, true, new Replies());
    String address = call(DIRECT, "one");
    Common.say("the server sees an address of the client: %s", address.startsWith(DIRECT + "."));
    Common.say("the same for the next call: %s", call(DIRECT, "two").equals(address));
    AMQP.Queue.DeclareOk ok = server.queueDeclarePassive(address);
    Common.say("the address is a queue: %d ready, %d consumer", ok.getMessageCount(), ok.getConsumerCount());
    String own = Common.temporaryQueue(client);
    client.basicConsume(own, true, new Replies());
    Common.say("own reply queue: %s", call(own, "three").equals(own));
    return address;
  }

  /** @return where the reply went, as the server saw it */
  private static String call(String replyTo, String request) throws Exception {
    AMQP.BasicProperties properties =
        new AMQP.BasicProperties.Builder().replyTo(replyTo).correlationId("call of " + request).build();
    Common.publish(client, request, "", requests, properties);
    GetResponse response = Common.nextOf(server, requests);
    AMQP.BasicProperties answer =
        new AMQP.BasicProperties.Builder().correlationId(response.getProps().getCorrelationId()).build();
    String address = response.getProps().getReplyTo();
    Common.publish(server, Common.text(response.getBody()).toUpperCase(Locale.ROOT), "", address, answer);
    server.basicAck(response.getEnvelope().getDeliveryTag(), false);
    Common.say(replies.take());
    return address;
  }

  private static final class Replies extends DefaultConsumer {
    Replies() {
      super(client);
    }

    @Override
    public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
      replies.add(
          String.format(
              "reply: %s, for %s, redelivered %s, exchange '%s'",
              Common.text(body), properties.getCorrelationId(), envelope.isRedeliver(), envelope.getExchange()));
    }
  }

  /** The helpers of the library, which use direct reply-to by themselves. */
  private static void useRpcClient(Connection serving, Connection calling) throws Exception {
    RpcServer reversing =
        new RpcServer(serving.createChannel(), requests) {
          @Override
          public byte[] handleCall(byte[] body, AMQP.BasicProperties reply) {
            return Common.bytes(new StringBuilder(Common.text(body)).reverse().toString());
          }
        };
    Thread thread =
        new Thread(
            () -> {
              try {
                reversing.mainloop();
              } catch (Exception error) {
                Common.say("the server of the library failed: %s", error);
              }
            });
    thread.start();
    RpcClient rpc = new RpcClient(calling.createChannel(), "", requests);
    for (String request : new String[] {"abc", "drawer"}) {
      Common.say("RpcClient: %s", rpc.stringCall(request));
    }
    rpc.close();
    // Its loop ends with its channel.
    reversing.getChannel().close();
    thread.join();
  }

  private static void refuse(Connection calling) throws Exception {
    Common.attempt(
        calling,
        "request without consumer",
        c -> {
          AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder().replyTo(DIRECT).build();
          Common.publish(c, "x", "", requests, properties);
        });
    Common.attempt(calling, "consumer that acks", c -> c.basicConsume(DIRECT, new DefaultConsumer(c)));
    Common.attempt(
        calling,
        "second consumer",
        c -> {
          c.basicConsume(DIRECT, true, new DefaultConsumer(c));
          c.basicConsume(DIRECT, true, new DefaultConsumer(c));
        });
  }
}
