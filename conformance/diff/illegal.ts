/** Operations that a broker has to refuse, and how far the refusal goes. */
import type { Fields } from '../wire/raw-methods.js';
import type { Dice } from './dice.js';
import type { Act } from './operation.js';

export interface IllegalAct {
  readonly act: Act;
  /** Refused by closing the connection rather than the channel, or so it may be. */
  readonly endsConnection: boolean;
}

export function illegalActs(dice: Dice, tags: readonly string[]): readonly IllegalAct[] {
  const onChannel = (method: string, fields: Fields): IllegalAct => ({
    act: { kind: 'call', method, fields },
    endsConnection: false,
  });
  const onConnection = (method: string, fields: Fields): IllegalAct => ({
    act: { kind: 'call', method, fields },
    endsConnection: true,
  });
  const publish = (
    message: Extract<Act, { kind: 'publish' }>['message'],
    endsConnection = false,
  ): IllegalAct => ({
    act: { kind: 'publish', message: { routingKey: '~q1', body: 'illegal', ...message } },
    endsConnection,
  });
  const deliveryTag = dice.pick([0, 99]);
  return [
    onChannel('basic.ack', { deliveryTag }),
    onChannel('basic.nack', { deliveryTag: 99, multiple: dice.oneIn(2), requeue: dice.oneIn(2) }),
    onChannel('basic.reject', { deliveryTag, requeue: true }),
    onChannel('basic.consume', { queue: '~missing', consumerTag: 'cm' }),
    onChannel('basic.get', { queue: '~missing' }),
    onChannel('queue.purge', { queue: '~missing' }),
    onChannel('queue.declare', { queue: '~missing', passive: true }),
    onChannel('queue.declare', { queue: 'amq.reserved' }),
    onChannel('queue.delete', { queue: '~missing' }),
    onChannel('queue.bind', { queue: '~missing', exchange: '~x1', routingKey: 'k1' }),
    onChannel('queue.bind', { queue: '~q1', exchange: '~missing', routingKey: 'k1' }),
    onChannel('queue.bind', { queue: '~q1', exchange: '', routingKey: 'k1' }),
    onChannel('queue.unbind', { queue: '~q1', exchange: '', routingKey: '~q1' }),
    onChannel('queue.unbind', { queue: '~missing', exchange: '~missing', routingKey: 'k1' }),
    onChannel('queue.bind', {
      queue: '~q1',
      exchange: '~x4',
      arguments: [dice.pick([['x-match', 'S', 'some'] as const, ['x-match', 'I', 1] as const])],
    }),
    onChannel('exchange.bind', { destination: '~x1', source: '~missing' }),
    onChannel('exchange.bind', { destination: '', source: '~x1' }),
    onChannel('exchange.unbind', { destination: '~missing', source: '~x1' }),
    onChannel('exchange.declare', { exchange: 'amq.reserved', type: 'direct' }),
    onChannel('exchange.declare', { exchange: '', type: 'direct' }),
    onChannel('exchange.declare', {
      exchange: 'amq.direct',
      type: dice.pick(['topic', 'direct']),
      durable: true,
    }),
    onChannel('exchange.declare', { exchange: '~missing', passive: true, type: 'nonsense' }),
    onChannel('exchange.delete', { exchange: dice.pick(['', 'amq.topic', '~missing']) }),
    onChannel('confirm.select', {}),
    onChannel('tx.select', {}),
    onChannel('tx.commit', {}),
    onChannel('tx.rollback', {}),
    onChannel('queue.purge', { queue: '' }),
    onChannel('basic.get', { queue: '' }),
    onChannel('queue.delete', { queue: '' }),
    onChannel('basic.qos', { prefetchCount: 1 }),
    publish({ exchange: '~missing' }),
    publish({
      properties: { expiration: dice.pick(['abc', '-1', '', '10ms', '999999999999999', '+3600000', '1.5']) },
    }),
    publish({ properties: { userId: 'somebody' } }),
    publish({ properties: { headers: [[dice.pick(['CC', 'BCC']), 'S', '~q1']] } }),
    publish({
      properties: {
        headers: [
          [
            'CC',
            'A',
            [
              ['I', 1],
              ['S', '~q2'],
            ],
          ],
        ],
      },
    }),
    publish({ properties: { deliveryMode: 3 } }),
    publish({ exchange: 'amq.rabbitmq.trace' }),
    publish({ properties: { replyTo: 'amq.rabbitmq.reply-to' } }),
    publish({ immediate: true }, true),
    onConnection('basic.qos', { prefetchSize: 10, prefetchCount: 1 }),
    onConnection('basic.recover', { requeue: false }),
    onConnection('channel.flow', { active: false }),
    onConnection('channel.open', {}),
    onConnection('exchange.declare', { exchange: '~x9', type: dice.pick(['nonsense', 'queue', '']) }),
    onConnection('basic.consume', { queue: '~q1', consumerTag: tags[0] ?? 'twice' }),
    onConnection('basic.consume-ok', { consumerTag: 'c1' }),
    onConnection('queue.declare-ok', { queue: '~q1' }),
    onConnection('connection.tune', {}),
    onConnection('connection.open', { virtualHost: '/' }),
  ];
}
