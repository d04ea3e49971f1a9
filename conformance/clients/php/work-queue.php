<?php
// A queue of tasks: prefetch, acks, a worker that crashes with tasks in hand, requeueing.

require __DIR__ . '/common.php';

use PhpAmqpLib\Message\AMQPMessage;

$tasks = queue('tasks');

function workAndCrash($connection, string $tasks): void
{
    $channel = $connection->channel();
    $watching = $connection->channel();
    $messages = [];
    $channel->basic_qos(0, 2, false);
    $channel->basic_consume($tasks, '', false, false, false, false, function (AMQPMessage $message) use (&$messages) {
        $messages[] = $message;
        say("worker gets {$message->body}, tag {$message->getDeliveryTag()}, "
            . 'redelivered ' . bool($message->isRedelivered()) . ", mode {$message->get('delivery_mode')}");
    });
    while (count($messages) < 2) {
        $channel->wait();
    }
    [$ready, $consumers] = counts($watching, $tasks);
    say("with two in hand: $ready ready, $consumers consumer");
    $messages[0]->ack();
    while (count($messages) < 3) {
        $channel->wait();
    }
    say('after an ack: ' . counts($watching, $tasks)[0] . ' ready');
    posix_kill(posix_getpid(), SIGKILL);
}

$crashing = pcntl_fork();
if ($crashing === 0) {
    $connection = connect();
    $channel = $connection->channel();
    [, $ready, $consumers] = declareQueue($channel, $tasks, [], true);
    say("declared: $ready ready, $consumers consumers");
    $channel->confirm_select();
    for ($number = 1; $number <= 5; $number++) {
        publish($channel, "task $number", '', $tasks, ['delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT]);
    }
    $channel->wait_for_pending_acks();
    say('published: ' . counts($channel, $tasks)[0] . ' ready');
    workAndCrash($connection, $tasks);
}
pcntl_waitpid($crashing, $status);

$connection = connect();
$channel = $connection->channel();
while (counts($channel, $tasks)[1] > 0);
say('after the crash: ' . counts($channel, $tasks)[0] . ' ready');

$channel->basic_qos(0, 1, false);
$channel->basic_consume($tasks, 'second', false, false, false, false, function (AMQPMessage $message) use ($channel) {
    say("second worker gets {$message->body}, redelivered " . bool($message->isRedelivered()));
    if ($message->body !== 'task 5') {
        $message->ack();
    } elseif (!$message->isRedelivered()) {
        $message->nack(true);
    } else {
        $message->reject(false);
        $channel->basic_cancel('second');
    }
});
while ($channel->is_consuming()) {
    $channel->wait();
}
say('deleted with ' . $channel->queue_delete($tasks));
$connection->close();
