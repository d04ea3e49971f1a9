<?php
// What the php-amqplib programs share. Each is started as `program.php URL NAME` and prints a line for whatever it sees.

require '/usr/share/php/PhpAmqpLib/autoload.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

define('URL', $argv[1]);
define('NAME', $argv[2]);
$queues = [];
$exchanges = [];

/** A name that only this run uses; the queue is deleted when the program ends. */
function queue(string $hint): string
{
    global $queues;
    return $queues[] = NAME . ".$hint";
}

/** A name that only this run uses; the exchange is deleted when the program ends. */
function exchange(string $hint): string
{
    global $exchanges;
    return $exchanges[] = NAME . ".$hint";
}

function user(): string
{
    return rawurldecode(parse_url(URL, PHP_URL_USER));
}

function password(): string
{
    return rawurldecode(parse_url(URL, PHP_URL_PASS));
}

function connect(?string $user = null, ?string $password = null, string $virtualHost = '/'): AMQPStreamConnection
{
    $port = parse_url(URL, PHP_URL_PORT) ?? 5672;
    $host = parse_url(URL, PHP_URL_HOST);
    return new AMQPStreamConnection($host, $port, $user ?? user(), $password ?? password(), $virtualHost);
}

function say(string $text): void
{
    echo $text, "\n";
}

function bool(bool $value): string
{
    return $value ? 'true' : 'false';
}

/** Declares a queue that lasts, which is not what php-amqplib does if it is not told. */
function declareQueue(AMQPChannel $channel, string $name, array $arguments = [], bool $durable = false): array
{
    return $channel->queue_declare($name, false, $durable, false, false, false, new AMQPTable($arguments));
}

/** A queue of this connection, named by the broker. */
function temporaryQueue(AMQPChannel $channel): string
{
    return $channel->queue_declare('', false, false, true)[0];
}

/** How many messages are ready, and how many consumers there are. */
function counts(AMQPChannel $channel, string $name): array
{
    return array_slice($channel->queue_declare($name, true), 1);
}

function publish(AMQPChannel $channel, string $body, string $exchange, string $key, array $properties = []): void
{
    $channel->basic_publish(new AMQPMessage($body, $properties), $exchange, $key);
}

/** The bodies of all messages that are ready, in order. */
function drain(AMQPChannel $channel, string $name): string
{
    $bodies = [];
    while (($message = $channel->basic_get($name, true)) !== null) {
        $bodies[] = $message->body;
    }
    return $bodies === [] ? 'nothing' : implode(', ', $bodies);
}

/** Does something on a channel of its own and says how the broker answered. */
function attempt(AMQPStreamConnection $connection, string $what, callable $action): void
{
    $channel = $connection->channel();
    try {
        $action($channel);
        // What is not answered fails by now, or not at all.
        temporaryQueue($channel);
        say("$what: no error");
        $channel->close();
    } catch (AMQPProtocolChannelException $e) {
        say("$what: channel closed, {$e->amqp_reply_code} {$e->amqp_reply_text}");
    } catch (Exception $e) {
        say("$what: " . get_class($e) . ' ' . $e->getCode() . ' ' . $e->getMessage());
    }
}

register_shutdown_function(function () {
    global $queues, $exchanges;
    $connection = connect();
    $channel = $connection->channel();
    foreach ($queues as $name) {
        $channel->queue_delete($name);
    }
    foreach ($exchanges as $name) {
        $channel->exchange_delete($name);
    }
    $connection->close();
});
