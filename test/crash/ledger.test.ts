/** The oracle of the crash tests, held against faults that are made here: each rule has to see its own. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ACK_WINDOW_MS, type Copy, type Entry, Ledger } from './ledger.js';

let ledger: Ledger;

beforeEach(() => {
  ledger = new Ledger({ rejectingQueue: 'work', deadLetterQueue: 'dead' });
  ledger.beginLife();
});

const publish = (...queues: readonly string[]): Entry => ledger.published('p', queues, 'right');

function deliver(entry: Entry, queue: string, { isRedelivered = false, checksum = 'right' } = {}): Copy {
  const { publisher, sequence } = entry;
  return ledger.delivered({ queue, publisher, sequence, checksum, isRedelivered })!;
}

function crash(atMs = 0): void {
  ledger.ended(atMs);
  ledger.beginLife();
}

const kinds = (): readonly string[] => ledger.violations.map(({ kind }) => kind);

describe('the ledger', () => {
  it('is content with a message that is delivered, crashes, comes back and is acknowledged', () => {
    const entry = publish('work');
    ledger.confirmed(entry);
    deliver(entry, 'work');
    crash();
    ledger.acked(deliver(entry, 'work', { isRedelivered: true }));
    ledger.checkDrained();
    expect(kinds()).toEqual([]);
  });

  it('misses what was confirmed, and not what was not', () => {
    publish('work');
    ledger.confirmed(publish('work'));
    ledger.checkDrained();
    expect(ledger.violations).toEqual([{ kind: 'lost', detail: 'work: p/1, confirmed' }]);
  });

  it('misses the other copies of an unconfirmed message of which one came back', () => {
    const entry = publish('fan.0', 'fan.1');
    crash();
    ledger.acked(deliver(entry, 'fan.0', { isRedelivered: true }));
    ledger.checkDrained();
    expect(ledger.violations).toEqual([{ kind: 'lost', detail: 'fan.1: p/0, proven' }]);
  });

  it('sees a body that changed', () => {
    deliver(publish('work'), 'work', { checksum: 'wrong' });
    expect(kinds()).toEqual(['corrupt']);
  });

  it('sees a first delivery overtaken, and lets returned messages come when they come', () => {
    const [first, second, third] = [publish('work'), publish('work'), publish('work')];
    ledger.requeued(deliver(second!, 'work'));
    deliver(third!, 'work');
    deliver(second!, 'work', { isRedelivered: true });
    expect(kinds()).toEqual([]);
    deliver(first!, 'work');
    expect(kinds()).toEqual(['disordered']);
  });

  it.each([
    [ACK_WINDOW_MS, ['resurrected']],
    [ACK_WINDOW_MS - 1, []],
  ])('judges a message that comes back, %i ms after its ack was processed', (ageMs, expected) => {
    const copy = deliver(publish('work'), 'work');
    ledger.acked(copy);
    ledger.processed([copy], 5000);
    crash(5000 + ageMs);
    deliver(copy.entry, 'work', { isRedelivered: true });
    expect(kinds()).toEqual(expected);
  });

  it('sees a message that comes back without a crash', () => {
    const copy = deliver(publish('work'), 'work');
    ledger.acked(copy);
    deliver(copy.entry, 'work', { isRedelivered: true });
    expect(kinds()).toEqual(['resurrected']);
  });

  it('sees messages nobody published, or not to that queue, or twice', () => {
    ledger.delivered({ queue: 'work', publisher: 'p', sequence: 0, checksum: '', isRedelivered: false });
    const entry = publish('work');
    deliver(entry, 'fan.0');
    deliver(entry, 'dead');
    expect(kinds()).toEqual(['phantom', 'phantom', 'phantom']);
    deliver(entry, 'work');
    deliver(entry, 'work', { isRedelivered: true });
    expect(kinds()).toHaveLength(4);
  });

  it('sees a redelivery that does not say so', () => {
    const entry = publish('work');
    deliver(entry, 'work');
    crash();
    deliver(entry, 'work');
    expect(kinds()).toEqual(['undisclosed']);
  });

  it('wants a rejected message as a dead letter', () => {
    const [kept, dropped] = [publish('work'), publish('work')].map((entry) => {
      ledger.confirmed(entry);
      ledger.rejected(deliver(entry, 'work'));
      return entry;
    });
    ledger.acked(deliver(kept!, 'dead'));
    ledger.checkDrained();
    expect(ledger.violations).toEqual([{ kind: 'lost', detail: `work: p/${dropped!.sequence}, confirmed` }]);
  });
});
