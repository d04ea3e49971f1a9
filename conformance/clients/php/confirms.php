<?php
// Publisher confirms: acks, nacks of a full queue that rejects, and returns of what has no queue.

require __DIR__ . '/common.php';

use PhpAmqpLib\Message\AMQPMessage;

$connection = connect();
$channel = $connection->channel();
$channel->confirm_select();
$channel->set_ack_handler(fn (AMQPMessage $message) => say("{$message->body}: acked"));
$channel->set_nack_handler(fn (AMQPMessage $message) => say("{$message->body}: nacked"));
$channel->set_return_listener(
    function (int $code, string $text, string $exchange, string $key, AMQPMessage $message) {
        say("{$message->body}: returned, $code $text, exchange '$exchange', key '$key', "
            . "id {$message->get('message_id')}");
    },
);

function publishAndWait(string $body, string $exchange, string $key, bool $mandatory = false): void
{
    global $channel;
    $channel->basic_publish(new AMQPMessage($body, ['message_id' => "id of $body"]), $exchange, $key, $mandatory);
    $channel->wait_for_pending_acks_returns();
}

$full = queue('full');
declareQueue($channel, $full, ['x-max-length' => 2, 'x-overflow' => 'reject-publish'], true);
for ($number = 1; $number <= 4; $number++) {
    publishAndWait("message $number", '', $full);
}
$channel->basic_get($full, true);
publishAndWait('message 5', '', $full);
say('in the queue: ' . drain($channel, $full));

$fanout = exchange('nobody');
$channel->exchange_declare($fanout, 'fanout');
publishAndWait('without queue', $fanout, 'some.key', true);
publishAndWait('without queue or flag', $fanout, 'some.key');
$channel->queue_bind($full, $fanout);
publishAndWait('with queue', $fanout, 'some.key', true);

$channel->queue_purge($full);
for ($number = 1; $number <= 50; $number++) {
    $channel->batch_basic_publish(new AMQPMessage("batched $number"), '', $full);
}
$acked = 0;
$nacked = 0;
$channel->set_ack_handler(function () use (&$acked) {
    $acked++;
});
$channel->set_nack_handler(function () use (&$nacked) {
    $nacked++;
});
$channel->publish_batch();
$channel->wait_for_pending_acks();
say("a batch of 50 to a queue of 2: $acked acked, $nacked nacked");

attempt($connection, 'confirms on a transactional channel', function ($channel) {
    $channel->tx_select();
    $channel->confirm_select();
});
attempt($connection, 'transactions on a confirming channel', function ($channel) {
    $channel->confirm_select();
    $channel->tx_select();
});
$connection->close();
