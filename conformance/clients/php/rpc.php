<?php
// Remote calls: direct reply-to, what the broker refuses of it, and a reply queue of one's own.

require __DIR__ . '/common.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Message\AMQPMessage;

const DIRECT = 'amq.rabbitmq.reply-to';
$requests = queue('requests');
$serving = connect();
$calling = connect();
$server = $serving->channel();
$client = $calling->channel();
declareQueue($server, $requests);
$replies = [];

$onReply = function (AMQPMessage $message) use (&$replies) {
    $replies[] = "reply: {$message->body}, for {$message->get('correlation_id')}, "
        . 'redelivered ' . bool($message->isRedelivered()) . ", exchange '{$message->getExchange()}'";
};

/** Answers the next request, and returns where its reply went. */
function serve(AMQPChannel $server, string $requests): string
{
    while (($request = $server->basic_get($requests)) === null);
    $address = $request->get('reply_to');
    $properties = ['correlation_id' => $request->get('correlation_id')];
    publish($server, strtoupper($request->body), '', $address, $properties);
    $request->ack();
    return $address;
}

function call(string $replyTo, string $request): string
{
    global $client, $server, $requests, $replies;
    $properties = ['reply_to' => $replyTo, 'correlation_id' => "call of $request"];
    publish($client, $request, '', $requests, $properties);
    $address = serve($server, $requests);
    while ($replies === []) {
        $client->wait();
    }
    say(array_pop($replies));
    return $address;
}

$client->basic_consume(DIRECT, '', false, true, false, false, $onReply);
$address = call(DIRECT, 'one');
say('the server sees an address of the client: ' . bool(strpos($address, DIRECT . '.') === 0));
say('the same for the next call: ' . bool(call(DIRECT, 'two') === $address));
[$ready, $consumers] = counts($server, $address);
say("the address is a queue: $ready ready, $consumers consumer");

$own = temporaryQueue($client);
$client->basic_consume($own, '', false, true, false, false, $onReply);
say('own reply queue: ' . bool(call($own, 'three') === $own));

attempt($calling, 'request without consumer', function ($channel) use ($requests) {
    publish($channel, 'x', '', $requests, ['reply_to' => DIRECT]);
});
attempt($calling, 'consumer that acks', fn ($channel) => $channel->basic_consume(DIRECT));
attempt($calling, 'second consumer', function ($channel) {
    $channel->basic_consume(DIRECT, '', false, true);
    $channel->basic_consume(DIRECT, '', false, true);
});

$calling->close();
attempt($serving, 'address of a client that left', fn ($channel) => counts($channel, $address));
publish($server, 'to nobody', '', $address);
counts($server, $requests);
say('a reply to nobody: the channel is open ' . bool($server->is_open()));
$serving->close();
