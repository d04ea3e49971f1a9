import { describe, expect, it } from 'vitest';
import { ConsumerList } from '../../src/queues/consumer-list.js';
import { FakeConsumer, type FakeConsumerOptions } from '../helpers/fake-consumer.js';

const consumer = (tag: string, options: FakeConsumerOptions = {}): FakeConsumer =>
  new FakeConsumer({ tag, ...options });

/** Whose turn it is, `count` times; '-' when nobody can. */
function turns(list: ConsumerList, count: number): string {
  let tags = '';
  for (let i = 0; i < count; i++) {
    const next = list.next();
    tags += next?.tag ?? '-';
    if (next !== undefined) list.rotate();
  }
  return tags;
}

function listOf(...consumers: readonly FakeConsumer[]): ConsumerList {
  const list = new ConsumerList();
  for (const member of consumers) list.add(member);
  return list;
}

describe('ConsumerList', () => {
  it('has nobody at first', () => {
    const list = new ConsumerList();
    expect([list.size, list.hasExclusive, list.next()]).toEqual([0, false, undefined]);
  });

  it('goes round in order of subscription, and a new one waits for its turn', () => {
    const list = listOf(consumer('a'), consumer('b'));
    expect(turns(list, 3)).toBe('aba');
    list.add(consumer('c'));
    expect(turns(list, 6)).toBe('bacbac');
  });

  it('does not move on by asking alone', () => {
    const list = listOf(consumer('a'), consumer('b'));
    expect([list.next()?.tag, list.next()?.tag]).toEqual(['a', 'a']);
  });

  it('serves the highest priority as long as one of it can take', () => {
    const high1 = consumer('h', { priority: 5, capacity: 1 });
    const high2 = consumer('i', { priority: 5 });
    const list = listOf(consumer('l', { priority: -1 }), consumer('m'), high1, high2);
    expect(turns(list, 3)).toBe('hih');
    high2.capacity = 0;
    expect(turns(list, 2)).toBe('hh');
    high1.capacity = 0;
    expect(turns(list, 2)).toBe('mm');
    high2.capacity = 1;
    list.rejoin(high2);
    expect(turns(list, 2)).toBe('ii');
  });

  it('passes over those that cannot take, and marks them', () => {
    const [a, b, c] = [consumer('a'), consumer('b', { capacity: 0 }), consumer('c')];
    const list = listOf(a, b, c);
    expect(turns(list, 4)).toBe('acac');
    expect([a.isWaiting, b.isWaiting, c.isWaiting]).toEqual([false, true, false]);
    expect(list.size).toBe(3);
  });

  it('lets one that was passed over join again at the tail, once', () => {
    const a = consumer('a', { capacity: 0 });
    const list = listOf(a, consumer('b'), consumer('c'));
    expect(turns(list, 1)).toBe('b');
    a.capacity = 1;
    list.rejoin(a);
    list.rejoin(a);
    expect(a.isWaiting).toBe(false);
    expect(turns(list, 6)).toBe('cbacba');
  });

  it('does not let in who did not wait, or has left', () => {
    const [a, b] = [consumer('a'), consumer('b', { capacity: 0 })];
    const list = listOf(a, b);
    list.rejoin(a);
    expect(turns(list, 2)).toBe('aa');
    expect(list.remove(b)).toBe(true);
    b.capacity = 1;
    list.rejoin(b);
    expect(turns(list, 2)).toBe('aa');
  });

  it('removes a consumer wherever it stands: first, in the middle, waiting, or not at all', () => {
    const [a, b, c, d] = [consumer('a'), consumer('b'), consumer('c'), consumer('d', { capacity: 0 })];
    const list = listOf(a, b, c, d);
    expect(turns(list, 4)).toBe('abca');
    expect(list.remove(b)).toBe(true);
    expect(list.remove(b)).toBe(false);
    expect(turns(list, 2)).toBe('ca');
    expect(list.remove(d)).toBe(true);
    expect(list.remove(c)).toBe(true);
    expect(turns(list, 2)).toBe('aa');
    expect(list.remove(a)).toBe(true);
    expect([list.size, turns(list, 1)]).toEqual([0, '-']);
  });

  it('forgets a priority with its last consumer, and takes it up again', () => {
    const [low, high] = [consumer('l'), consumer('h', { priority: 10 })];
    const list = listOf(low, high);
    list.remove(high);
    expect(turns(list, 1)).toBe('l');
    list.add(high);
    expect(turns(list, 2)).toBe('hh');
  });

  it('can add again one that left while it waited', () => {
    const a = consumer('a', { capacity: 0 });
    const list = listOf(a);
    expect(turns(list, 1)).toBe('-');
    list.remove(a);
    a.capacity = 1;
    list.add(a);
    expect([a.isWaiting, turns(list, 1)]).toEqual([false, 'a']);
  });

  it('lists its members in order of subscription, whatever their priority', () => {
    const list = listOf(consumer('a'), consumer('b', { priority: 3 }), consumer('c'));
    turns(list, 2);
    expect([...list].map(({ tag }) => tag)).toEqual(['a', 'b', 'c']);
  });

  it('knows an exclusive consumer', () => {
    expect(listOf(consumer('a', { isExclusive: true })).hasExclusive).toBe(true);
    expect(listOf(consumer('a')).hasExclusive).toBe(false);
  });
});
