import { describe, expect, it } from 'vitest';
import { encodeTable } from '../../src/amqp/field-encoder.js';
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import type { BrokerConfig } from '../../src/broker/broker-config.js';
import { logIn, offeredMechanisms } from '../../src/server/login.js';
import { testBroker } from '../helpers/test-broker.js';

const CONFIG: Partial<BrokerConfig> = {
  users: [
    { name: 'guest', password: 'guest', tags: [] },
    { name: 'zoë', password: 'pässword', tags: [] },
  ],
};

/** The user's name, or what was wrong. */
function login(
  mechanism: string,
  response: Buffer,
  isLoopbackPeer = true,
  config: Partial<BrokerConfig> = CONFIG,
): string {
  const result = logIn(testBroker({ config }).broker, mechanism, response, isLoopbackPeer);
  return result.ok ? result.user.name : result.kind;
}

const plain = (user: string, password: string): Buffer => Buffer.from(`\0${user}\0${password}`);
const amqplain = (...entries: readonly FieldEntry[]): Buffer => encodeTable(FieldTable.of(entries));

describe('PLAIN', () => {
  it.each([
    ['the right password', plain('guest', 'guest'), 'guest'],
    ['names and passwords in UTF-8', plain('zoë', 'pässword'), 'zoë'],
    ['a wrong password', plain('guest', 'guess'), 'refused'],
    ['an unknown user', plain('nobody', 'guest'), 'refused'],
    ['a blank password', plain('guest', ''), 'refused'],
    ['no NUL in front', Buffer.from('guest\0guest'), 'malformed'],
    ['an authorization identity', Buffer.from('guest\0guest\0guest'), 'malformed'],
    ['no password', Buffer.from('\0guest'), 'malformed'],
    ['a NUL in the password', plain('guest', 'gu\0st'), 'malformed'],
    ['nothing', Buffer.alloc(0), 'malformed'],
  ])('with %s', (_what, response, outcome) => {
    expect(login('PLAIN', response)).toBe(outcome);
  });

  it('keeps loopback users to this machine', () => {
    expect(login('PLAIN', plain('guest', 'guest'), false)).toBe('refused');
    expect(login('PLAIN', plain('zoë', 'pässword'), false)).toBe('zoë');
  });
});

describe('AMQPLAIN', () => {
  const LOGIN: FieldEntry = ['LOGIN', longstr('guest')];
  it.each([
    ['strings', amqplain(LOGIN, ['PASSWORD', longstr('guest')]), 'guest'],
    ['byte arrays', amqplain(LOGIN, ['PASSWORD', { type: 'binary', value: Buffer.from('guest') }]), 'guest'],
    ['a wrong password', amqplain(LOGIN, ['PASSWORD', longstr('x')]), 'refused'],
    ['no password', amqplain(LOGIN), 'malformed'],
    ['a number for a password', amqplain(LOGIN, ['PASSWORD', signedint(1)]), 'malformed'],
    [
      'keys in lower case',
      amqplain(['login', longstr('guest')], ['password', longstr('guest')]),
      'malformed',
    ],
    ['a table that is cut off', amqplain(LOGIN, ['PASSWORD', longstr('guest')]).subarray(0, 20), 'malformed'],
    ['garbage', Buffer.from([5, 1, 2]), 'malformed'],
    ['nothing', Buffer.alloc(0), 'malformed'],
  ])('with %s', (_what, response, outcome) => {
    expect(login('AMQPLAIN', response)).toBe(outcome);
  });
});

describe('ANONYMOUS', () => {
  it('logs the configured user in, whatever the response says', () => {
    expect(login('ANONYMOUS', Buffer.from('trace'))).toBe('guest');
  });

  it('is for this machine only when its user is', () => {
    expect(login('ANONYMOUS', Buffer.alloc(0), false)).toBe('refused');
    expect(login('ANONYMOUS', Buffer.alloc(0), false, { ...CONFIG, anonymousUser: 'zoë' })).toBe('zoë');
  });

  it('is not there without a user', () => {
    expect(login('ANONYMOUS', Buffer.alloc(0), true, { ...CONFIG, anonymousUser: undefined })).toBe(
      'malformed',
    );
    expect(login('ANONYMOUS', Buffer.alloc(0), true, { ...CONFIG, anonymousUser: 'nobody' })).toBe(
      'malformed',
    );
  });
});

describe('mechanisms', () => {
  it('are offered as RabbitMQ 4.x lists them', () => {
    expect(offeredMechanisms(testBroker().broker)).toBe('PLAIN AMQPLAIN ANONYMOUS');
    expect(offeredMechanisms(testBroker({ config: { anonymousUser: undefined } }).broker)).toBe(
      'PLAIN AMQPLAIN',
    );
  });

  it.each(['EXTERNAL', 'plain', '', 'constructor'])('like %j are none of ours', (mechanism) => {
    expect(login(mechanism, plain('guest', 'guest'))).toBe('malformed');
  });
});
