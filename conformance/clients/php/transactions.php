<?php
// Transactions: publishes and acks take effect together, at the commit, or not at all.

require __DIR__ . '/common.php';

$connection = connect();
$name = queue('queue');
$observing = $connection->channel();
declareQueue($observing, $name);
$channel = $connection->channel();
$channel->tx_select();

function ready(): int
{
    global $channel, $observing, $name;
    // What the transactional channel sent before has been handled by the time it answers this.
    counts($channel, $name);
    return counts($observing, $name)[0];
}

foreach ([1, 2, 3] as $number) {
    publish($channel, "message $number", '', $name);
}
say('before the commit: ' . ready() . ' ready');
$channel->tx_commit();
say('after the commit: ' . ready() . ' ready');

publish($channel, 'taken back', '', $name);
$channel->tx_rollback();
$channel->tx_commit();
say('after a rollback: ' . ready() . ' ready');

$channel->basic_get($name)->ack();
$channel->tx_rollback();
$channel->close();
$message = $observing->basic_get($name);
say("an ack that was rolled back: {$message->body} comes again, redelivered " . bool($message->isRedelivered()));
$message->nack(true);

$channel = $connection->channel();
$channel->tx_select();
$message = $channel->basic_get($name);
$message->ack();
publish($channel, "answer to {$message->body}", '', $name);
$channel->tx_commit();
say('an ack and a publish together: ' . ready() . ' ready');

publish($channel, 'never committed', '', $name);
$channel->close();
say('in the end: ' . drain($observing, $name));

attempt($connection, 'commit without select', fn ($c) => $c->tx_commit());
attempt($connection, 'rollback without select', fn ($c) => $c->tx_rollback());
$connection->close();
