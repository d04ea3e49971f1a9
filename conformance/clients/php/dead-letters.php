<?php
// Where expired, rejected and surplus messages go, and what their x-death header says.

require __DIR__ . '/common.php';

use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

$connection = connect();
$channel = $connection->channel();
$dead = queue('dead');
$dlx = exchange('dlx');
$channel->exchange_declare($dlx, 'fanout');
declareQueue($channel, $dead);
$channel->queue_bind($dead, $dlx);

/** The next message, as soon as there is one; unacked. */
function nextOf(string $name): AMQPMessage
{
    global $channel;
    while (($message = $channel->basic_get($name)) === null);
    return $message;
}

function show(mixed $value): string
{
    if (is_array($value)) {
        ksort($value);
        $items = array_map(fn ($key, $item) => "$key=" . show($item), array_keys($value), $value);
        return '[' . implode(', ', $items) . ']';
    }
    return is_object($value) ? get_class($value) : (string) $value;
}

function showHeaders(AMQPMessage $message): void
{
    $headers = $message->has('application_headers') ? $message->get('application_headers')->getNativeData() : [];
    ksort($headers);
    foreach ($headers as $key => $value) {
        // RabbitMQ has had these since 3.13.
        if (strpos($key, 'x-last-death-') !== 0) {
            say("  $key: " . show($value));
        }
    }
}

function showDead(string $label): void
{
    global $dead;
    $message = nextOf($dead);
    $message->ack();
    say("$label: {$message->body} from exchange '{$message->getExchange()}' with key '{$message->getRoutingKey()}', "
        . 'expiration ' . ($message->has('expiration') ? $message->get('expiration') : 'none'));
    showHeaders($message);
}

function declareWithDlx(string $hint, array $arguments = []): string
{
    global $channel, $dlx;
    $name = queue($hint);
    declareQueue($channel, $name, ['x-dead-letter-exchange' => $dlx] + $arguments);
    return $name;
}

$ttl = declareWithDlx('ttl', ['x-message-ttl' => 1]);
publish($channel, 'expired by queue', '', $ttl, ['application_headers' => new AMQPTable(['mine' => 1])]);
showDead('queue TTL');

$own = declareWithDlx('own');
publish($channel, 'expired by itself', '', $own, ['expiration' => '1', 'delivery_mode' => 2]);
showDead('message TTL');

$rejecting = declareWithDlx('rejecting', ['x-dead-letter-routing-key' => 'new.key']);
publish($channel, 'rejected', '', $rejecting);
nextOf($rejecting)->reject(false);
showDead('reject');
publish($channel, 'nacked', '', $rejecting);
nextOf($rejecting)->nack(false);
showDead('nack');

$short = declareWithDlx('short', ['x-max-length' => 1]);
publish($channel, 'surplus', '', $short);
publish($channel, 'kept', '', $short);
showDead('length limit');
say('kept: ' . drain($channel, $short));

// https://www.rabbitmq.com/docs/dlx: a retry queue sends what expires there back to work.
$work = queue('work');
$retry = queue('retry');
declareQueue($channel, $work, ['x-dead-letter-exchange' => '', 'x-dead-letter-routing-key' => $retry]);
$back = ['x-dead-letter-exchange' => '', 'x-dead-letter-routing-key' => $work, 'x-message-ttl' => 1];
declareQueue($channel, $retry, $back);
publish($channel, 'try', '', $work);
for ($number = 1; $number <= 3; $number++) {
    $message = nextOf($work);
    say("attempt $number:");
    showHeaders($message);
    $message->reject(false);
}
$connection->close();
