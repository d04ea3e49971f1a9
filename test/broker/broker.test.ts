import { describe, expect, it } from 'vitest';
import { SEGMENT_BYTES } from '../../src/lib/limits.js';
import { type Logger, silentLogger } from '../../src/lib/logger.js';
import { addQueue, testBroker } from '../helpers/test-broker.js';

describe('Broker', () => {
  it('starts with the virtual hosts, users and permissions it is told', () => {
    const { broker } = testBroker({
      config: {
        virtualHosts: ['/', 'staging'],
        users: [{ name: 'ann', password: 'secret', tags: ['monitoring'] }],
        permissions: [{ user: 'ann', virtualHost: 'staging', configure: '^a', write: '.*', read: '' }],
      },
    });
    expect(broker.virtualHost('staging')?.name).toBe('staging');
    expect(broker.virtualHost('other')).toBeUndefined();
    expect(broker.users.authenticate('ann', 'secret', false).ok).toBe(true);
    expect(broker.users.authenticate('guest', 'guest', true).ok).toBe(false);
    expect(broker.users.hasAccess('ann', '/')).toBe(false);
    expect(broker.users.isAllowed('ann', 'staging', 'configure', 'abc')).toBe(true);
    expect(broker.users.isAllowed('ann', 'staging', 'configure', 'bcd')).toBe(false);
  });

  it('lets guest in from this machine only, by default', () => {
    const { broker } = testBroker();
    expect(broker.users.authenticate('guest', 'guest', true).ok).toBe(true);
    expect(broker.users.authenticate('guest', 'guest', false)).toEqual({
      ok: false,
      reason: 'loopback-only',
    });
  });

  it('keeps virtual hosts apart', () => {
    const { broker } = testBroker({ config: { virtualHosts: ['/', 'b'] } });
    const q = addQueue(broker.virtualHost('/')!, 'q');
    const other = addQueue(broker.virtualHost('b')!, 'q');
    expect(q).not.toBe(other);
    expect(q.id).not.toBe(other.id);
  });

  it('generates names as RabbitMQ does, the same for the same seed', () => {
    const names = [testBroker(), testBroker()].map(({ broker }) => broker.generateName('amq.gen-'));
    expect(names[0]).toMatch(/^amq\.gen-[A-Za-z0-9_-]{22}$/);
    expect(names[0]).toBe(names[1]);
    const { broker } = testBroker();
    expect(broker.generateName('')).not.toBe(broker.generateName(''));
  });

  it('sets the memory alarm by what the log holds, and says so', () => {
    const said: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (_fields, message) => said.push(message),
      info: (_fields, message) => said.push(message),
    };
    const { broker } = testBroker({ config: { memoryLimitBytes: 2 * SEGMENT_BYTES }, logger });
    const position = broker.log.append(2 * SEGMENT_BYTES);
    broker.log.retain(position, 1);
    expect(broker.alarms.isActive).toBe(true);
    broker.log.release(position);
    expect(broker.alarms.isActive).toBe(false);
    expect(said).toEqual([
      'low on memory: publishers are blocked until there is room again',
      'no longer low on memory',
    ]);
  });

  it('logs what a step of the turn throws, and goes on', () => {
    const errors: object[] = [];
    const { broker, turn } = testBroker({
      logger: { ...silentLogger, error: (fields) => errors.push(fields) },
    });
    const failure = new Error('a bug');
    broker.scheduler.scheduleFlush({
      flush: () => {
        throw failure;
      },
    });
    turn();
    expect(errors).toEqual([{ err: failure }]);
  });
});
