<?php
// What the broker says when it closes a channel, and that the connection and its other channels go on.

require __DIR__ . '/common.php';

$connection = connect();
$other = connect();
$bystander = $connection->channel();
$there = queue('there');
$missing = queue('missing');
$exclusive = NAME . '.exclusive';
$direct = exchange('direct');
$absent = exchange('absent');
declareQueue($bystander, $there, ['x-max-length' => 10], true);
$bystander->exchange_declare($direct, 'direct', false, false, false);
$other->channel()->queue_declare($exclusive, false, false, true);

function deny(string $what, callable $action): void
{
    global $connection;
    attempt($connection, $what, $action);
}

deny('check queue', fn ($c) => $c->queue_declare($missing, true));
deny('check exchange', fn ($c) => $c->exchange_declare($absent, 'direct', true));
deny('get', fn ($c) => $c->basic_get($missing));
deny('consume', fn ($c) => $c->basic_consume($missing));
deny('purge', fn ($c) => $c->queue_purge($missing));
deny('delete what is missing', fn ($c) => $c->queue_delete($missing));
deny('publish', fn ($c) => publish($c, 'lost', $absent, 'key'));
deny('bind to exchange', fn ($c) => $c->queue_bind($there, $absent, 'key'));
deny('bind queue', fn ($c) => $c->queue_bind($missing, $direct, 'key'));
deny('unbind what is not bound', fn ($c) => $c->queue_unbind($there, $direct, 'never'));

deny('exclusive, check', fn ($c) => $c->queue_declare($exclusive, true));
deny('exclusive, declare', fn ($c) => $c->queue_declare($exclusive, false, false, true));
deny('exclusive, consume', fn ($c) => $c->basic_consume($exclusive));
deny('exclusive, delete', fn ($c) => $c->queue_delete($exclusive));

deny('other durability', fn ($c) => declareQueue($c, $there, ['x-max-length' => 10]));
deny('other argument', fn ($c) => declareQueue($c, $there, ['x-max-length' => 11], true));
deny('argument of another type', fn ($c) => declareQueue($c, $there, ['x-max-length' => '10'], true));
deny('no argument', fn ($c) => declareQueue($c, $there, [], true));
deny('auto-delete', fn ($c) => $c->queue_declare($there, false, true, false, true));
deny('other type', fn ($c) => $c->exchange_declare($direct, 'topic', false, false, false));
deny('other auto-delete', fn ($c) => $c->exchange_declare($direct, 'direct', false, false, true));
deny('negative TTL', fn ($c) => declareQueue($c, $missing, ['x-message-ttl' => -1]));
deny('TTL of text', fn ($c) => declareQueue($c, $missing, ['x-message-ttl' => 'soon']));
deny('TTL of a fraction', fn ($c) => declareQueue($c, $missing, ['x-message-ttl' => 1.5]));
deny('unknown overflow', fn ($c) => declareQueue($c, $missing, ['x-overflow' => 'spill']));
deny('expiration of text', fn ($c) => publish($c, '', '', $there, ['expiration' => 'soon']));
deny('user of others', fn ($c) => publish($c, '', '', $there, ['user_id' => 'somebody']));
deny('unknown tag', fn ($c) => $c->basic_ack(99));
deny('unknown tag, reject', fn ($c) => $c->basic_reject(7, true));
deny('no binding of the default exchange', fn ($c) => $c->queue_bind($there, '', 'key'));
deny('reserved queue', fn ($c) => declareQueue($c, 'amq.mine'));
deny('reserved exchange', fn ($c) => $c->exchange_declare('amq.mine', 'direct'));
deny('delete of a predeclared exchange', fn ($c) => $c->exchange_delete('amq.direct'));

publish($bystander, 'kept', '', $there);
$bystander->queue_bind($there, $direct, 'key');
deny('in use', fn ($c) => $c->exchange_delete($direct, true));
deny('not empty', fn ($c) => $c->queue_delete($there, false, true));
deny('settled twice', function ($c) use ($there) {
    $tag = $c->basic_get($there)->getDeliveryTag();
    $c->basic_nack($tag, false, true);
    $c->basic_nack($tag, false, true);
});
deny('exclusive consumer', function ($c) use ($there) {
    $c->basic_consume($there);
    $c->basic_consume($there, '', false, false, true);
});

$again = $connection->channel();
$message = $again->basic_get($there, true);
say("a new channel gets: {$message->body}, redelivered " . bool($message->isRedelivered()));
say('the first channel is open: ' . bool($bystander->is_open()));
say('the connection is open: ' . bool($connection->isConnected()));
$other->close();
$connection->close();
