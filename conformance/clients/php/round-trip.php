<?php
// Every property and every type of header that php-amqplib can write, as they come back.

require __DIR__ . '/common.php';

use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPAbstractCollection;
use PhpAmqpLib\Wire\AMQPArray;
use PhpAmqpLib\Wire\AMQPDecimal;
use PhpAmqpLib\Wire\AMQPTable;

$name = queue('types');
$connection = connect();
$channel = $connection->channel();
declareQueue($channel, $name);

function sendAndGet(string $body, array $properties): AMQPMessage
{
    global $channel, $name;
    publish($channel, $body, '', $name, $properties);
    return $channel->basic_get($name, true);
}

function show(mixed $value): string
{
    if ($value instanceof AMQPDecimal) {
        return "decimal {$value->getN()} / 10^{$value->getE()}";
    }
    if ($value instanceof DateTimeInterface) {
        return 'time ' . $value->getTimestamp();
    }
    if ($value instanceof AMQPAbstractCollection) {
        return get_class($value) . ' ' . show($value->getNativeData());
    }
    if (is_array($value)) {
        ksort($value);
        $items = array_map(fn ($key, $item) => "$key=" . show($item), array_keys($value), $value);
        return '[' . implode(', ', $items) . ']';
    }
    if (is_string($value)) {
        return strlen($value) > 100 ? 'text of ' . strlen($value) : "'$value'";
    }
    return var_export($value, true);
}

$headers = new AMQPTable();
$headers->set('text', 'grüße, 世界 🐇');
$headers->set('empty text', '');
$headers->set('long text', str_repeat('x', 3000));
$headers->set('yes', true);
$headers->set('no', false);
$headers->set('zero', 0);
$headers->set('small', -7);
$headers->set('int', 2 ** 31 - 1);
$headers->set('negative int', -(2 ** 31));
$headers->set('long', 2 ** 31);
$headers->set('longest', PHP_INT_MAX);
$headers->set('negative long', PHP_INT_MIN);
$headers->set('octet', -8, AMQPTable::T_INT_SHORTSHORT);
$headers->set('unsigned octet', 200, AMQPTable::T_INT_SHORTSHORT_U);
$headers->set('short', -300, AMQPTable::T_INT_SHORT);
$headers->set('unsigned short', 60000, AMQPTable::T_INT_SHORT_U);
$headers->set('unsigned int', 4000000000, AMQPTable::T_INT_LONG_U);
$headers->set('float', 3.25);
$headers->set('decimal', new AMQPDecimal(314, 2));
$headers->set('time', new DateTime('@1709208000'));
$headers->set('nothing', null);
$headers->set('list', new AMQPArray(['a', 1, 2 ** 40, true, null, ['deep' => ['er']]]));
$headers->set('empty list', new AMQPArray([]));
$headers->set('table', ['nested' => ['empty' => new AMQPTable(), 'list' => [1, ['x' => [2]]]], 'n' => 1]);
$headers->set('bytes', "\x00\xff\xfe", AMQPTable::T_BYTES);
$headers->set('grüße', 'a name that is not ASCII');

$received = sendAndGet('', ['application_headers' => $headers]);
$found = iterator_to_array($received->get('application_headers'));
// RabbitMQ keeps the order of headers up to 3.12 and sorts them since 3.13.
ksort($found);
foreach ($found as $key => [$type, $value]) {
    if ($type === AMQPTable::T_INT_LONGLONG) {
        $type = 'long';
    }
    $shown = $key === 'bytes' ? bin2hex($value) : show($value);
    say("header '$key': type $type, $shown");
}
say('headers missing: ' . (count(iterator_to_array($headers)) - count($found)));

$received = sendAndGet('', ['application_headers' => new AMQPTable()]);
say('no headers: ' . show($received->get('application_headers')));

$sent = [
    'content_type' => 'application/json',
    'content_encoding' => 'utf-8',
    'delivery_mode' => 2,
    'priority' => 255,
    'correlation_id' => 'correlation',
    'reply_to' => 'somewhere',
    'expiration' => '600000',
    'message_id' => str_repeat('m', 255),
    'timestamp' => 1700000000,
    'type' => 'type',
    'user_id' => user(),
    'app_id' => '',
    'cluster_id' => 'cluster',
];
$received = sendAndGet('', $sent)->get_properties();
ksort($received);
foreach ($received as $key => $value) {
    say("property $key: as sent " . bool($value == $sent[$key]));
}
say('without properties: ' . show(sendAndGet('', [])->get_properties()));
foreach ([0, 1, 131064, 131065, 1000000] as $size) {
    $body = substr(str_repeat(implode('', array_map('chr', range(0, 250))), intdiv($size, 251) + 1), 0, $size);
    say("body of $size: as sent " . bool(sendAndGet($body, [])->body === $body));
}
$connection->close();
