/** What a crash test publishes to: declared once for a data directory, and never again. */
import type { Channel } from 'amqplib';
import type { Choices } from './choices.js';

export const FAN_EXCHANGE = 'crash.fan';
export const WORK_EXCHANGE = 'crash.work';
export const DEAD_LETTER_EXCHANGE = 'crash.dead';
export const FAN_QUEUES = ['fan.0', 'fan.1', 'fan.2', 'fan.3', 'fan.4'] as const;
export const WORK_QUEUE = 'work';
export const DEAD_LETTER_QUEUE = 'dead';
export const PLAIN_QUEUE = 'plain';
/** Nobody consumes it while there is load: its backlog pins segments. */
export const IDLE_QUEUE = 'fan.4';
export const ALL_QUEUES = [...FAN_QUEUES, WORK_QUEUE, DEAD_LETTER_QUEUE, PLAIN_QUEUE] as const;

/** Resolves when everything is declared-ok: from then on it has to exist. */
export async function declareTopology(channel: Channel): Promise<void> {
  await channel.assertExchange(FAN_EXCHANGE, 'fanout', { durable: true });
  await channel.assertExchange(WORK_EXCHANGE, 'direct', { durable: true });
  await channel.assertExchange(DEAD_LETTER_EXCHANGE, 'fanout', { durable: true });
  for (const queue of FAN_QUEUES) {
    await channel.assertQueue(queue, { durable: true });
    await channel.bindQueue(queue, FAN_EXCHANGE, '');
  }
  await channel.assertQueue(WORK_QUEUE, { durable: true, deadLetterExchange: DEAD_LETTER_EXCHANGE });
  await channel.bindQueue(WORK_QUEUE, WORK_EXCHANGE, 'task');
  await channel.assertQueue(DEAD_LETTER_QUEUE, { durable: true });
  await channel.bindQueue(DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, '');
  await channel.assertQueue(PLAIN_QUEUE, { durable: true });
}

export interface Destination {
  readonly exchange: string;
  readonly routingKey: string;
  readonly queues: readonly string[];
}

const TO_FAN: Destination = { exchange: FAN_EXCHANGE, routingKey: '', queues: FAN_QUEUES };
const TO_WORK: Destination = { exchange: WORK_EXCHANGE, routingKey: 'task', queues: [WORK_QUEUE] };
const TO_PLAIN: Destination = { exchange: '', routingKey: PLAIN_QUEUE, queues: [PLAIN_QUEUE] };

export function chooseDestination(choices: Choices): Destination {
  if (choices.chance(25)) return TO_FAN;
  return choices.chance(55) ? TO_WORK : TO_PLAIN;
}
