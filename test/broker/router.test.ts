import { describe, expect, it } from 'vitest';
import { FieldTable } from '../../src/amqp/field-table.js';
import { type FieldValue, longstr } from '../../src/amqp/field-value.js';
import type { BrokerExchange, RouteTarget } from '../../src/broker/router.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import { ROUTES_CACHED_MAX } from '../../src/lib/limits.js';
import type { Queue } from '../../src/queues/queue.js';
import { addExchange, addQueue, testBroker } from '../helpers/test-broker.js';

const { EMPTY } = FieldTable;

class Bench {
  readonly host: VirtualHost = testBroker().broker.virtualHost('/')!;

  queue(name: string): Queue {
    return addQueue(this.host, name);
  }

  exchange(name: string, type = 'direct', alternate?: string): BrokerExchange {
    const entries = alternate === undefined ? [] : [['alternate-exchange', longstr(alternate)] as const];
    return addExchange(this.host, name, type, { arguments: entries });
  }

  bind(source: BrokerExchange, target: RouteTarget, key = '', args = EMPTY): void {
    this.host.bind(source, target, key, args);
  }

  /** Names of the queues a message goes to, sorted. */
  route(exchange: BrokerExchange, keys: string | readonly string[], headers = EMPTY): string[] {
    const routingKeys = typeof keys === 'string' ? [keys] : keys;
    const route = this.host.router.route(exchange, {
      routingKeys,
      headers: () => headers,
      properties: () => ({ headers }),
      keptBy: () => {},
    });
    return route.map(({ name }) => name).sort();
  }

  recalled(exchange: BrokerExchange, key: string): string[] | undefined {
    return this.host.router.recall(exchange, key)?.map(({ name }) => name);
  }
}

describe('Router', () => {
  it('routes the default exchange to the queue of that name', () => {
    const t = new Bench();
    t.queue('q');
    const exchange = t.host.exchangeNamed('');
    expect(t.route(exchange, 'q')).toEqual(['q']);
    expect(t.route(exchange, 'Q')).toEqual([]);
    expect(t.route(exchange, ['q', 'none', 'q'])).toEqual(['q']);
  });

  it('gives each queue one copy, however many ways lead to it', () => {
    const t = new Bench();
    const [x, y, q] = [t.exchange('x', 'topic'), t.exchange('y', 'fanout'), t.queue('q')];
    t.bind(x, q, 'a.#');
    t.bind(x, q, '*.b');
    t.bind(x, y, '#');
    t.bind(y, q);
    expect(t.route(x, 'a.b')).toEqual(['q']);
    expect(t.route(x, ['a.b', 'x.b'])).toEqual(['q']);
  });

  it('takes every key of the message', () => {
    const t = new Bench();
    const x = t.exchange('x');
    for (const name of ['a', 'b', 'c']) t.bind(x, t.queue(name), name);
    expect(t.route(x, ['a', 'c', 'd'])).toEqual(['a', 'c']);
  });

  it('lets an exchange choose once for all keys of a message', () => {
    const t = new Bench();
    for (const type of ['x-consistent-hash', 'x-modulus-hash', 'x-random', 'x-local-random']) {
      const x = t.exchange(type, type);
      const key = type === 'x-local-random' ? '' : '1';
      for (let i = 0; i < 8; i++) t.bind(x, t.queue(`${type}-${i}`), key);
      for (let i = 0; i < 50; i++) expect(t.route(x, [`k${i}`, `cc${i}`, `bcc${i}`])).toHaveLength(1);
    }
    const hash = t.host.exchangeNamed('x-consistent-hash');
    for (let i = 0; i < 50; i++) expect(t.route(hash, ['first', `cc${i}`])).toEqual(t.route(hash, 'first'));
  });

  it('ends on cycles of exchanges, a binding to itself included', () => {
    const t = new Bench();
    const [x, y, z] = [t.exchange('x', 'fanout'), t.exchange('y', 'fanout'), t.exchange('z', 'fanout')];
    t.bind(x, y);
    t.bind(y, z);
    t.bind(z, x);
    t.bind(z, z);
    t.bind(y, t.queue('q'));
    for (const start of [x, y, z]) expect(t.route(start, 'k')).toEqual(['q']);
  });

  it('goes through a thousand exchanges bound in a row', () => {
    const t = new Bench();
    const chain = Array.from({ length: 1_000 }, (_, i) => t.exchange(`x${i}`, 'fanout'));
    for (let i = 1; i < chain.length; i++) t.bind(chain[i - 1]!, chain[i]!);
    t.bind(chain.at(-1)!, t.queue('q'));
    expect(t.route(chain[0]!, '')).toEqual(['q']);
  });
});

describe('an alternate exchange', () => {
  it('gets what its exchange has no destination for, and only that', () => {
    const t = new Bench();
    const x = t.exchange('x', 'direct', 'rest');
    t.bind(t.exchange('rest', 'fanout'), t.queue('unrouted'));
    t.bind(x, t.queue('q'), 'k');
    expect(t.route(x, 'k')).toEqual(['q']);
    expect(t.route(x, 'other')).toEqual(['unrouted']);
  });

  it('is tried after another, and may be missing or come round', () => {
    const t = new Bench();
    const x = t.exchange('x', 'direct', 'y');
    t.exchange('y', 'direct', 'z');
    const z = t.exchange('z', 'direct', 'x');
    expect(t.route(x, 'k')).toEqual([]);
    t.bind(z, t.queue('q'), 'k');
    expect(t.route(x, 'k')).toEqual(['q']);
    expect(t.route(t.exchange('lonely', 'direct', 'nowhere'), 'k')).toEqual([]);
  });

  it('does not get a message that went to an exchange, even if that routes it nowhere', () => {
    const t = new Bench();
    const x = t.exchange('x', 'direct', 'rest');
    t.bind(t.exchange('rest', 'fanout'), t.queue('unrouted'));
    t.bind(x, t.exchange('deaf', 'direct'), 'k');
    expect(t.route(x, 'k')).toEqual([]);
  });

  it('is never the default exchange, nor one of the default exchange', () => {
    const t = new Bench();
    t.queue('q');
    expect(t.route(t.exchange('x', 'direct', ''), 'q')).toEqual([]);
    const defaultExchange = t.host.exchangeNamed('');
    t.bind(t.exchange('rest', 'fanout'), t.queue('unrouted'));
    defaultExchange.alternateExchange = 'rest';
    expect(t.route(defaultExchange, 'none')).toEqual([]);
    expect(t.route(defaultExchange, 'q')).toEqual(['q']);
  });

  it('counts for every exchange along a chain', () => {
    const t = new Bench();
    const x = t.exchange('x', 'fanout');
    const y = t.exchange('y', 'direct', 'rest');
    t.bind(x, y);
    t.bind(t.exchange('rest', 'fanout'), t.queue('unrouted'));
    expect(t.route(x, 'k')).toEqual(['unrouted']);
  });
});

describe('a remembered route', () => {
  it('is that of one exchange and key, whether it leads anywhere or not', () => {
    const t = new Bench();
    const [x, y] = [t.exchange('x'), t.exchange('y')];
    t.bind(x, t.queue('q'), 'k');
    expect(t.recalled(x, 'k')).toBeUndefined();
    t.route(x, 'k');
    t.route(x, 'none');
    expect([t.recalled(x, 'k'), t.recalled(x, 'none')]).toEqual([['q'], []]);
    expect([t.recalled(y, 'k'), t.recalled(x, 'other')]).toEqual([undefined, undefined]);
  });

  it('is not made of several keys', () => {
    const t = new Bench();
    const x = t.exchange('x');
    t.bind(x, t.queue('q'), 'k');
    t.bind(x, t.queue('cc'), 'c');
    expect(t.route(x, ['k', 'c'])).toEqual(['cc', 'q']);
    expect([t.recalled(x, 'k'), t.recalled(x, 'c')]).toEqual([undefined, undefined]);
    expect(t.route(x, 'k')).toEqual(['q']);
  });

  it('is forgotten with every change that could alter it', () => {
    const t = new Bench();
    const x = t.exchange('x');
    const q = t.queue('q');
    const changes: readonly (() => void)[] = [
      () => t.bind(x, q, 'k'),
      () => t.host.unbind(x, q, 'k', EMPTY),
      () => t.exchange('y'),
      () => t.host.deleteExchange(t.host.exchangeNamed('y')),
      () => t.queue('other'),
      () => t.host.deleteQueue(t.host.queues.get('other')!),
      () => t.host.addReplyQueue('reply'),
    ];
    for (const [i, change] of changes.entries()) {
      t.route(x, 'k');
      const { generation } = t.host.router;
      change();
      expect(t.recalled(x, 'k'), `change ${i}`).toBeUndefined();
      expect(t.host.router.generation).toBeGreaterThan(generation);
    }
  });

  it('stays when nothing changed', () => {
    const t = new Bench();
    const [x, q] = [t.exchange('x'), t.queue('q')];
    t.bind(x, q, 'k');
    t.route(x, 'k');
    const { generation } = t.host.router;
    t.bind(x, q, 'k');
    t.host.unbind(x, q, 'another', EMPTY);
    expect(t.recalled(x, 'k')).toEqual(['q']);
    expect(t.host.router.generation).toBe(generation);
  });

  it('never passes through a headers exchange', () => {
    const t = new Bench();
    const [direct, headers] = [t.exchange('x'), t.exchange('h', 'headers')];
    const args = FieldTable.of([['kind', longstr('a')]]);
    t.bind(direct, headers, 'k');
    t.bind(headers, t.queue('a'), '', args);
    expect(t.route(direct, 'k', args)).toEqual(['a']);
    expect(t.route(direct, 'k')).toEqual([]);
    expect(t.recalled(direct, 'k')).toBeUndefined();

    const fallback = t.exchange('with-alternate', 'direct', 'h');
    expect(t.route(fallback, 'k', args)).toEqual(['a']);
    expect(t.recalled(fallback, 'k')).toBeUndefined();

    const first = t.exchange('headers-first', 'headers', 'x');
    expect(t.route(first, 'k', args)).toEqual(['a']);
    expect(t.recalled(first, 'k')).toBeUndefined();
  });

  it('passes through a choice that the key decides, and through no other', () => {
    const t = new Bench();
    const isRemembered = (type: string, key: string, ...entries: [string, FieldValue][]) => {
      const x = addExchange(t.host, `${type} ${entries.length}`, type, { arguments: entries });
      t.bind(x, t.queue(x.name), key);
      expect(t.route(x, 'k')).toEqual([x.name]);
      return t.recalled(x, 'k') !== undefined;
    };
    expect(isRemembered('x-consistent-hash', '1')).toBe(true);
    expect(isRemembered('x-modulus-hash', '')).toBe(true);
    expect(isRemembered('x-consistent-hash', '1', ['hash-header', longstr('h')])).toBe(false);
    expect(isRemembered('x-random', '')).toBe(false);
    expect(isRemembered('x-local-random', '')).toBe(false);
  });

  it('is one of a bounded number', () => {
    const t = new Bench();
    const x = t.exchange('x');
    for (let i = 0; i <= ROUTES_CACHED_MAX; i++) t.route(x, `k${i}`);
    expect(t.recalled(x, 'k0')).toBeUndefined();
    expect(t.recalled(x, `k${ROUTES_CACHED_MAX}`)).toEqual([]);
  });
});
