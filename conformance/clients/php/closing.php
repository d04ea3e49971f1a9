<?php
// Ends that are not the program's choice: consumers cancelled, connections refused or closed by the broker.

require __DIR__ . '/common.php';

use PhpAmqpLib\Exception\AMQPBasicCancelException;
use PhpAmqpLib\Message\AMQPMessage;

$connection = connect();
$channel = $connection->channel();
$doomed = queue('doomed');
declareQueue($channel, $doomed);
$received = 0;
$onMessage = function (AMQPMessage $message) use (&$received) {
    $received++;
    say("{$message->getConsumerTag()} gets {$message->body}");
};

$channel->basic_consume($doomed, 'mine', false, true, false, false, $onMessage);
publish($channel, 'one', '', $doomed);
while ($received < 1) {
    $channel->wait();
}
$channel->basic_cancel('mine');
publish($channel, 'two', '', $doomed);
say('after cancelling: ' . counts($channel, $doomed)[1] . ' consumers');
$channel->basic_consume($doomed, 'again', false, true, false, false, $onMessage);
while ($received < 2) {
    $channel->wait();
}
say('consumers again: ' . counts($channel, $doomed)[1]);

$other = connect();
$other->channel()->queue_delete($doomed);
$other->close();
try {
    $channel->wait();
    say('not cancelled');
} catch (AMQPBasicCancelException $e) {
    say("cancelled by the broker: $e->consumerTag");
}
say('the channel is open: ' . bool($channel->is_open()));
$connection->close();
say('the connection is open: ' . bool($connection->isConnected()));

function refuse(string $what, string $user, string $password, string $virtualHost = '/'): void
{
    try {
        connect($user, $password, $virtualHost)->close();
        say("$what: let in");
    } catch (Exception $e) {
        say("$what: " . get_class($e) . ' ' . $e->getCode() . ' ' . $e->getMessage());
    }
}

refuse('wrong password', user(), 'wrong');
refuse('unknown user', 'nobody', 'guest');
refuse('unknown virtual host', user(), password(), 'nowhere');

function close(string $what, callable $action): void
{
    $connection = connect();
    attempt($connection, $what, $action);
    say('  the connection is open: ' . bool($connection->isConnected()));
}

close('tag in use', function ($channel) {
    $name = temporaryQueue($channel);
    $channel->basic_consume($name, 'tag');
    unset($channel->callbacks['tag']);
    $channel->basic_consume($name, 'tag');
});
close('immediate', fn ($c) => $c->basic_publish(new AMQPMessage(''), '', 'anything', false, true));
close('prefetch by size', fn ($c) => $c->basic_qos(10, 0, false));
