import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeTable } from '../../src/amqp/field-encoder.js';
import { decodeTable, FieldTable } from '../../src/amqp/field-table.js';
import { array, long, longstr, signedint, table, textOf, timestamp } from '../../src/amqp/field-value.js';
import { type Death, withDeath, wouldCycle } from '../../src/broker/death-headers.js';

const DEATH: Death = {
  queue: 'work',
  reason: 'rejected',
  exchange: 'jobs',
  routingKeys: ['a.b'],
  timeSeconds: 1_700_000_000,
  originalExpiration: undefined,
};

const death = (over: Partial<Death>): Death => ({ ...DEATH, ...over });

/** The headers after deaths one after another, the first of them of a message fresh from a publisher. */
function headersAfter(deaths: readonly Death[], headers?: FieldTable): FieldTable | undefined {
  return deaths.reduce<FieldTable | undefined>((result, one, i) => withDeath(result, one, i > 0), headers);
}

/** Queue, reason and count of each entry of x-death, newest first. */
function history(
  headers: FieldTable | undefined,
): (readonly [queue: string | undefined, reason: string | undefined, count: number | bigint])[] {
  const deaths = headers?.get('x-death');
  if (deaths?.type !== 'array') return [];
  return deaths.value.map((entry) => {
    if (entry.type !== 'table') throw new Error('an entry of x-death is not a table');
    const count = entry.value.get('count');
    if (count?.type !== 'long') throw new Error('count is not a long');
    return [textOf(entry.value.get('queue')), textOf(entry.value.get('reason')), count.value];
  });
}

describe('withDeath', () => {
  it('writes all headers of a first death, in the order and with the types of RabbitMQ 4.x', () => {
    expect(withDeath(undefined, death({ routingKeys: ['a.b', 'cc'] }), false).entries).toEqual([
      [
        'x-death',
        array([
          table([
            ['count', long(1)],
            ['reason', longstr('rejected')],
            ['queue', longstr('work')],
            ['time', timestamp(1_700_000_000)],
            ['exchange', longstr('jobs')],
            ['routing-keys', array([longstr('a.b'), longstr('cc')])],
          ]),
        ]),
      ],
      ['x-first-death-exchange', longstr('jobs')],
      ['x-first-death-queue', longstr('work')],
      ['x-first-death-reason', longstr('rejected')],
      ['x-last-death-exchange', longstr('jobs')],
      ['x-last-death-queue', longstr('work')],
      ['x-last-death-reason', longstr('rejected')],
    ]);
  });

  it.each([
    ['60000', '60000'],
    ['0', '0'],
    ['007', '7'],
    ['+5', '5'],
  ])('puts the original expiration %j first, as the number it is', (originalExpiration, text) => {
    const headers = withDeath(undefined, death({ originalExpiration }), false);
    const deaths = headers.get('x-death');
    if (deaths?.type !== 'array' || deaths.value[0]?.type !== 'table') throw new Error('no x-death');
    expect(deaths.value[0].value.entries[0]).toEqual(['original-expiration', longstr(text)]);
    expect(deaths.value[0].value.size).toBe(7);
  });

  it('counts a repeated death, moves it to the front and leaves its other fields', () => {
    const headers = headersAfter([
      death({ originalExpiration: '50' }),
      death({ queue: 'wait', reason: 'expired', exchange: 'retry', timeSeconds: 1_700_000_010 }),
      death({ exchange: 'elsewhere', routingKeys: ['other'], timeSeconds: 1_700_000_020 }),
    ]);
    expect(history(headers)).toEqual([
      ['work', 'rejected', 2],
      ['wait', 'expired', 1],
    ]);
    const deaths = headers?.get('x-death');
    if (deaths?.type !== 'array') throw new Error('no x-death');
    expect(deaths.value[0]).toEqual(
      table([
        ['original-expiration', longstr('50')],
        ['count', long(2)],
        ['reason', longstr('rejected')],
        ['queue', longstr('work')],
        ['time', timestamp(1_700_000_000)],
        ['exchange', longstr('jobs')],
        ['routing-keys', array([longstr('a.b')])],
      ]),
    );
  });

  it('keeps the first death and renews the last', () => {
    const headers = headersAfter([DEATH, death({ queue: 'wait', reason: 'expired', exchange: 'retry' })]);
    const text = (key: string): string | undefined => textOf(headers?.get(key));
    expect(text('x-first-death-queue')).toBe('work');
    expect(text('x-first-death-reason')).toBe('rejected');
    expect(text('x-first-death-exchange')).toBe('jobs');
    expect(text('x-last-death-queue')).toBe('wait');
    expect(text('x-last-death-reason')).toBe('expired');
    expect(text('x-last-death-exchange')).toBe('retry');
  });

  it('tells reasons and queues apart', () => {
    const headers = headersAfter([DEATH, death({ reason: 'expired' }), death({ queue: 'other' }), DEATH]);
    expect(history(headers)).toEqual([
      ['work', 'rejected', 2],
      ['other', 'rejected', 1],
      ['work', 'expired', 1],
    ]);
  });

  it("overwrites a publisher's death headers, whatever they hold", () => {
    const forged = [
      withDeath(undefined, death({ queue: 'forged' }), false),
      FieldTable.of([
        ['x-death', longstr('no array')],
        ['x-first-death-queue', signedint(1)],
        ['x-death', array([])],
      ]),
    ];
    for (const headers of forged) {
      expect(withDeath(headers, DEATH, false)).toEqual(withDeath(undefined, DEATH, false));
    }
  });

  it("keeps the publisher's headers, sorted by the bytes of their keys and each key once", () => {
    const before = FieldTable.of([
      ['zeta', signedint(1)],
      ['\u{1f407}', signedint(2)],
      ['\uffee', signedint(3)],
      ['CC', array([longstr('k')])],
      ['zeta', signedint(4)],
      ['x-e', signedint(5)],
      ['\udcff', signedint(6)],
      ['a', signedint(7)],
    ]);
    const entries = withDeath(before, DEATH, false).entries.filter(([key]) => !/^x-.*death/.test(key));
    expect(entries).toEqual([
      ['CC', array([longstr('k')])],
      ['a', signedint(7)],
      ['x-e', signedint(5)],
      ['zeta', signedint(1)],
      ['\uffee', signedint(3)],
      ['\u{1f407}', signedint(2)],
      ['\udcff', signedint(6)],
    ]);
    expect(before.entries[0]![0]).toBe('zeta');
    expect(before.size).toBe(8);
  });

  it('agrees with a history kept as a list, across the wire', () => {
    fc.assert(
      fc.property(fc.array(arbitraryDeath, { minLength: 1, maxLength: 12 }), (deaths) => {
        let headers: FieldTable | undefined = FieldTable.of([['x-mine', longstr('kept')]]);
        const expected: [string, string, number][] = [];
        for (const [i, one] of deaths.entries()) {
          const bytes: Buffer = encodeTable(withDeath(headers, one, i > 0));
          headers = decodeTable(bytes, 0, bytes.length);
          const known = expected.findIndex(([queue, reason]) => queue === one.queue && reason === one.reason);
          const count = known < 0 ? 0 : expected.splice(known, 1)[0]![2];
          expected.unshift([one.queue, one.reason, count + 1]);
        }
        expect(history(headers)).toEqual(expected);
        const keys = headers.entries.map(([key]) => key);
        expect(keys).toEqual([...new Set(keys)].sort());
        expect(textOf(headers.get('x-mine'))).toBe('kept');
        expect(textOf(headers.get('x-first-death-queue'))).toBe(deaths[0]!.queue);
        expect(textOf(headers.get('x-last-death-queue'))).toBe(deaths.at(-1)!.queue);
      }),
    );
  });
});

const arbitraryDeath = fc.record({
  queue: fc.constantFrom('a', 'b', 'c'),
  reason: fc.constantFrom('rejected', 'expired', 'maxlen', 'delivery_limit'),
  exchange: fc.string({ maxLength: 20 }),
  routingKeys: fc.array(fc.string({ maxLength: 20 }), { maxLength: 3 }),
  timeSeconds: fc.nat(),
  originalExpiration: fc.option(fc.nat().map(String), { nil: undefined }),
});

describe('wouldCycle', () => {
  it('stops a queue that dead-letters to itself, on the first expiry', () => {
    const headers = headersAfter([death({ queue: 'loop', reason: 'expired' })]);
    expect(wouldCycle(headers, 'loop', 'expired')).toBe(true);
    expect(wouldCycle(headers, 'other', 'expired')).toBe(false);
  });

  it('never stops a rejected message', () => {
    const headers = headersAfter([death({ queue: 'loop', reason: 'expired' }), death({ queue: 'loop' })]);
    expect(wouldCycle(headers, 'loop', 'rejected')).toBe(false);
  });

  it('lets a retry through: work (rejected), wait (expired), work', () => {
    const headers = headersAfter([DEATH, death({ queue: 'wait', reason: 'expired' })]);
    expect(wouldCycle(headers, 'work', 'expired')).toBe(false);
    expect(wouldCycle(headers, 'wait', 'expired')).toBe(true);
  });

  it('looks no further back than the first death in the target', () => {
    const headers = headersAfter([
      DEATH,
      death({ queue: 'b', reason: 'expired' }),
      death({ queue: 'c', reason: 'maxlen' }),
    ]);
    expect(wouldCycle(headers, 'b', 'maxlen')).toBe(true);
    expect(wouldCycle(headers, 'work', 'maxlen')).toBe(false);
  });

  it('finds nothing without a history', () => {
    expect(wouldCycle(undefined, 'q', 'expired')).toBe(false);
    expect(wouldCycle(FieldTable.of([['x-death', longstr('q')]]), 'q', 'expired')).toBe(false);
  });

  it("agrees with RabbitMQ's definition", () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryDeath, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('a', 'b', 'c'),
        (all, target) => {
          const headers = headersAfter(all);
          const reason = all.at(-1)!.reason;
          const entries = history(headers);
          const found = entries.findIndex(([queue]) => queue === target);
          const automatic = entries.slice(0, found + 1).every((entry) => entry[1] !== 'rejected');
          expect(wouldCycle(headers, target, reason)).toBe(reason !== 'rejected' && found >= 0 && automatic);
        },
      ),
    );
  });
});
