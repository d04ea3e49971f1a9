import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** A queue of tasks: prefetch, acks, a worker whose connection is cut with tasks in hand, requeueing. */
final class WorkQueue {
  private static String tasks;

  public static void main(String[] arguments) {
    Common.run(arguments, WorkQueue::run);
  }

  private static void run() throws Exception {
    tasks = Common.queue("tasks");
    Connection connection = Common.connect();
    Channel channel = connection.createChannel();
    AMQP.Queue.DeclareOk ok = channel.queueDeclare(tasks, true, false, false, null);
    Common.say("declared: %d ready, %d consumers", ok.getMessageCount(), ok.getConsumerCount());
    channel.confirmSelect();
    for (int number = 1; number <= 5; number++) {
      Common.publish(channel, "task " + number, "", tasks, MessageProperties.PERSISTENT_TEXT_PLAIN);
    }
    Common.say("confirmed: %s, %d ready", channel.waitForConfirms(), Common.ready(channel, tasks));
    workAndCrash(channel);

    while (channel.consumerCount(tasks) > 0) Thread.yield();
    Common.say("after the crash: %d ready", Common.ready(channel, tasks));
    finish(channel);
    Common.say("deleted with %d", channel.queueDelete(tasks).getMessageCount());
    connection.close();
  }

  private static void workAndCrash(Channel watching) throws Exception {
    List<Socket> sockets = new ArrayList<>();
    Channel channel = Common.factoryWithSockets(sockets).newConnection().createChannel();
    BlockingQueue<Long> tags = new LinkedBlockingQueue<>();
    channel.basicQos(2);
    channel.basicConsume(
        tasks,
        new DefaultConsumer(channel) {
          @Override
          public void handleDelivery(
              String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
            Common.say(
                "worker gets %s, tag %d, redelivered %s, mode %d",
                Common.text(body),
                envelope.getDeliveryTag(),
                envelope.isRedeliver(),
                properties.getDeliveryMode());
            tags.add(envelope.getDeliveryTag());
          }
        });
    long first = tags.take();
    tags.take();
    AMQP.Queue.DeclareOk ok = watching.queueDeclarePassive(tasks);
    Common.say("with two in hand: %d ready, %d consumer", ok.getMessageCount(), ok.getConsumerCount());
    channel.basicAck(first, false);
    tags.take();
    Common.say("after an ack: %d ready", Common.ready(watching, tasks));
    sockets.get(0).close();
  }

  private static void finish(Channel channel) throws Exception {
    BlockingQueue<String> done = new LinkedBlockingQueue<>();
    channel.basicQos(1);
    String consumer =
        channel.basicConsume(
            tasks,
            new DefaultConsumer(channel) {
              @Override
              public void handleDelivery(
                  String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
                  throws IOException {
                String task = Common.text(body);
                Common.say("second worker gets %s, redelivered %s", task, envelope.isRedeliver());
                if (!task.equals("task 5")) {
                  channel.basicAck(envelope.getDeliveryTag(), false);
                } else if (!envelope.isRedeliver()) {
                  channel.basicNack(envelope.getDeliveryTag(), false, true);
                } else {
                  channel.basicReject(envelope.getDeliveryTag(), false);
                  done.add(task);
                }
              }
            });
    done.take();
    channel.basicCancel(consumer);
  }
}
