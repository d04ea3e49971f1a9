<?php
// Where exchanges of every type send a message, and what unbinding and alternate exchanges change.

require __DIR__ . '/common.php';

use PhpAmqpLib\Wire\AMQPTable;

$connection = connect();
$channel = $connection->channel();

function declareExchange(string $type, bool $durable = false, bool $autoDelete = false, array $arguments = [], ?string $hint = null): string
{
    global $channel;
    $name = exchange($hint ?? $type);
    $channel->exchange_declare($name, $type, false, $durable, $autoDelete, false, false, new AMQPTable($arguments));
    return $name;
}

/** A queue of this connection, bound to the exchange with these keys. */
function bound(string $source, array $keys, array $arguments = []): string
{
    global $channel;
    $name = temporaryQueue($channel);
    foreach ($keys as $key) {
        $channel->queue_bind($name, $source, $key, false, new AMQPTable($arguments));
    }
    return $name;
}

function report(string $label, string $name): void
{
    global $channel;
    say("$label: " . drain($channel, $name));
}

$fanout = declareExchange('fanout');
$first = bound($fanout, ['']);
$second = bound($fanout, ['ignored']);
publish($channel, 'to all', $fanout, 'any');
report('fanout, first', $first);
report('fanout, second', $second);

$direct = declareExchange('direct', true);
$errors = bound($direct, ['error']);
$both = bound($direct, ['info', 'error', 'error']);
foreach (['info', 'error', 'debug', 'Error'] as $key) {
    publish($channel, $key, $direct, $key);
}
report('direct, error', $errors);
report('direct, info and error', $both);
$channel->queue_unbind($both, $direct, 'info');
foreach (['info', 'error'] as $key) {
    publish($channel, $key, $direct, $key);
}
report('direct, info unbound', $both);

$topic = declareExchange('topic', false, true);
$bindings = [];
foreach (['#', '*', 'kern.*', '*.critical', 'kern.#', '#.critical', 'a.*.#.b', '*.*', ''] as $pattern) {
    $bindings[$pattern] = bound($topic, [$pattern]);
}
foreach (['kern', 'kern.critical', 'kern.disk.critical', 'a.b', 'a.x.b', 'a.x.y.b', '', 'a..b'] as $key) {
    publish($channel, "'$key'", $topic, $key);
}
foreach ($bindings as $pattern => $name) {
    report("topic, '$pattern'", $name);
}

$headers = declareExchange('headers');
$all = bound($headers, [''], ['x-match' => 'all', 'format' => 'pdf', 'pages' => 3]);
$any = bound($headers, [''], ['x-match' => 'any', 'format' => 'pdf', 'pages' => 3]);
$there = bound($headers, [''], ['x-match' => 'all', 'format' => null]);
$zip = bound($headers, [''], ['format' => 'zip']);
$messages = [
    'pdf of 3' => ['format' => 'pdf', 'pages' => 3, 'more' => true],
    'pdf of 4' => ['format' => 'pdf', 'pages' => 4],
    "zip of '3'" => ['format' => 'zip', 'pages' => '3'],
    'pages only' => ['pages' => 3],
    'empty' => [],
];
foreach ($messages as $label => $values) {
    publish($channel, $label, $headers, '', ['application_headers' => new AMQPTable($values)]);
}
publish($channel, 'none at all', $headers, '');
report('headers, all', $all);
report('headers, any', $any);
report('headers, there', $there);
report('headers, zip', $zip);

$inner = declareExchange('fanout', false, false, [], 'inner');
$channel->exchange_bind($inner, $direct, 'onwards');
$reached = bound($inner, ['']);
publish($channel, 'through two', $direct, 'onwards');
$channel->exchange_unbind($inner, $direct, 'onwards');
publish($channel, 'no longer', $direct, 'onwards');
report('exchange to exchange', $reached);

$alternate = declareExchange('direct', false, false, ['alternate-exchange' => $fanout], 'alternate');
$chosen = bound($alternate, ['known']);
foreach (['known', 'unknown'] as $key) {
    publish($channel, $key, $alternate, $key);
}
report('alternate, chosen', $chosen);
report('alternate, otherwise', $first);

$byName = temporaryQueue($channel);
publish($channel, 'by name', '', $byName);
report('default exchange', $byName);
$connection->close();
