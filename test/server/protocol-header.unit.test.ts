import { describe, expect, it } from 'vitest';
import { answerToHeader } from '../../src/server/protocol-header.js';

const amqp = (...numbers: readonly number[]): Buffer => Buffer.from([...Buffer.from('AMQP'), ...numbers]);
const OURS = amqp(0, 0, 9, 1);
const AMQP_1_0_SASL = amqp(3, 1, 0, 0);

describe('answerToHeader', () => {
  it.each([
    ['0-9-1', amqp(0, 0, 9, 1)],
    ['0-9, which some clients send', amqp(1, 1, 0, 9)],
  ])('has nothing to say against %s', (_what, header) => {
    expect(answerToHeader(header, 'AMQP 1.0')).toBeUndefined();
  });

  it.each([
    ['another revision of 0-9', amqp(0, 0, 9, 2), OURS],
    ['a later 0-x', amqp(0, 0, 10, 0), OURS],
    ['an earlier 0-x', amqp(0, 0, 8, 0), AMQP_1_0_SASL],
    ['0-8', amqp(1, 1, 8, 0), AMQP_1_0_SASL],
    ['0-8 as 0-9-1 would be', amqp(1, 1, 9, 1), AMQP_1_0_SASL],
    ['AMQP 1.0 with TLS', amqp(2, 1, 0, 0), AMQP_1_0_SASL],
    ['an HTTP request', Buffer.from('GET / HT'), AMQP_1_0_SASL],
    ['a TLS hello', Buffer.from([22, 3, 1, 2, 0, 1, 0, 1]), AMQP_1_0_SASL],
    ['nearly AMQP', Buffer.from('AMQp\x00\x00\x09\x01', 'latin1'), AMQP_1_0_SASL],
  ])('answers %s with a header of RabbitMQ 4.x', (_what, header, answer) => {
    expect(answerToHeader(header, 'AMQP 1.0')).toEqual(answer);
  });

  it('looks at the first eight bytes only', () => {
    expect(answerToHeader(Buffer.concat([OURS, Buffer.from('more')]), 'AMQP 1.0')).toBeUndefined();
  });
});
