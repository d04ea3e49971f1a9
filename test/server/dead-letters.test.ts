/**
 * Dead letters, end to end: a client and the broker in one process, with time the test's to move. What is expected
 * is RabbitMQ 4.2's doing: https://www.rabbitmq.com/docs/dlx, /docs/ttl and /docs/maxlength.
 */
import { describe, expect, it } from 'vitest';
import { Bench, bodyOf, deathsOf, headersOf, history, START_SECONDS, to } from './dead-letter-bench.js';

describe('the headers of a dead letter', () => {
  it('tell of one death, in the order and with the types that clients know', async () => {
    const t = await Bench.start();
    await t.declareSink('dead');
    await t.declare('work', to('dead'));
    await t.channel.assertExchange('jobs', 'topic', { durable: false });
    await t.channel.bindQueue('work', 'jobs', '#');
    t.clock.advance(5_999);
    await t.publish('jobs', 'a.b', 'job', { expiration: '060000', headers: { mine: 7 }, CC: ['c.d'] });
    t.clock.advance(60_000);

    const dead = await t.take('dead');
    const death = {
      'original-expiration': '60000',
      count: 1,
      reason: 'expired',
      queue: 'work',
      time: { '!': 'timestamp', value: START_SECONDS + 65 },
      exchange: 'jobs',
      'routing-keys': ['a.b', 'c.d'],
    };
    const headers = headersOf(dead);
    expect(headers).toEqual({
      CC: ['c.d'],
      mine: 7,
      'x-death': [death],
      'x-first-death-exchange': 'jobs',
      'x-first-death-queue': 'work',
      'x-first-death-reason': 'expired',
      'x-last-death-exchange': 'jobs',
      'x-last-death-queue': 'work',
      'x-last-death-reason': 'expired',
    });
    expect(Object.keys(headers)).toEqual(Object.keys(headers).sort());
    expect(Object.keys(deathsOf(dead)[0]!)).toEqual(Object.keys(death));
    expect(dead.fields).toMatchObject({ exchange: 'dead', routingKey: 'a.b', redelivered: false });
    t.channel.ack(dead);
  });

  it('list the deaths newest first, remember the first, and tell the last', async () => {
    const t = await Bench.start();
    await t.declare('full', { ...to('', 'slow'), 'x-max-length': 0 });
    await t.declare('slow', { ...to('', 'work'), 'x-message-ttl': 1_000 });
    await t.declare('work', to('', 'end'));
    await t.declare('end');
    await t.send('full', 'm');
    t.clock.advance(1_000);
    await t.reject('work');
    const [dead] = await t.drain('end');
    expect(history(dead!)).toEqual(['work rejected 1', 'slow expired 1', 'full maxlen 1']);
    expect(deathsOf(dead!)).toMatchObject([
      { exchange: '', 'routing-keys': ['work'], time: { value: START_SECONDS + 1 } },
      { exchange: '', 'routing-keys': ['slow'], time: { value: START_SECONDS + 1 } },
      { exchange: '', 'routing-keys': ['full'], time: { value: START_SECONDS } },
    ]);
    expect(headersOf(dead!)).toMatchObject({
      'x-first-death-queue': 'full',
      'x-first-death-reason': 'maxlen',
      'x-last-death-queue': 'work',
      'x-last-death-reason': 'rejected',
    });
  });

  it('count what happens again, move it to the front, and leave the rest as it was the first time', async () => {
    const t = await Bench.start();
    await t.declare('work', to('', 'wait'));
    await t.declare('wait', { ...to('', 'work'), 'x-message-ttl': 1_000 });
    await t.send('work', 'm', { expiration: '5000' });
    for (let round = 1; round <= 3; round++) {
      const job = await t.reject('work');
      expect(history(job)).toEqual(
        round === 1 ? [] : [`wait expired ${round - 1}`, `work rejected ${round - 1}`],
      );
      expect(await t.count('wait')).toBe(1);
      t.clock.advance(1_000);
    }
    const [job] = await t.drain('work');
    expect(history(job!)).toEqual(['wait expired 3', 'work rejected 3']);
    expect(deathsOf(job!)).toMatchObject([
      { time: { value: START_SECONDS + 1 }, 'routing-keys': ['wait'] },
      { time: { value: START_SECONDS }, 'routing-keys': ['work'], 'original-expiration': '5000' },
    ]);
    expect(headersOf(job!)).toMatchObject({ 'x-first-death-queue': 'work', 'x-last-death-queue': 'wait' });
  });

  it('are not believed when a publisher wrote them', async () => {
    const t = await Bench.start();
    await t.declare('work', to('', 'dead'));
    await t.declare('dead');
    const forged = [{ queue: 'work', reason: 'rejected', count: 41 }];
    await t.send('work', 'm', { headers: { 'x-death': forged, 'x-first-death-queue': 'elsewhere' } });
    expect(headersOf(await t.reject('work'))['x-death']).toEqual(forged);
    const [dead] = await t.drain('dead');
    expect(history(dead!)).toEqual(['work rejected 1']);
    expect(headersOf(dead!)['x-first-death-queue']).toBe('work');
  });
});

describe('what else a dead letter is', () => {
  it('is the message with everything but its expiration', async () => {
    const t = await Bench.start();
    await t.declare('work', to('', 'dead'));
    await t.declare('dead', { 'x-max-priority': 5 });
    await t.send('work', 'm', {
      expiration: '1000',
      contentType: 'text/plain',
      persistent: true,
      priority: 4,
      correlationId: 'c',
      replyTo: 'r',
      messageId: 'id',
      timestamp: 5,
      type: 't',
      userId: 'guest',
      appId: 'app',
    });
    t.clock.advance(1_000);
    t.clock.advance(86_400_000);
    const [dead] = await t.drain('dead');
    expect(bodyOf(dead!)).toBe('m');
    expect(dead!.properties).toMatchObject({
      contentType: 'text/plain',
      deliveryMode: 2,
      priority: 4,
      correlationId: 'c',
      replyTo: 'r',
      messageId: 'id',
      timestamp: 5,
      type: 't',
      userId: 'guest',
      appId: 'app',
    });
    expect(dead!.properties.expiration).toBeUndefined();
  });

  it('lives for the time to live of the queue it comes to', async () => {
    const t = await Bench.start();
    await t.declare('first', { ...to('', 'second'), 'x-message-ttl': 100 });
    await t.declare('second', { ...to('', 'third'), 'x-message-ttl': 50 });
    await t.declare('third');
    await t.send('first', 'm', { expiration: '70' });
    t.clock.advance(119);
    expect([await t.count('first'), await t.count('second'), await t.count('third')]).toEqual([0, 1, 0]);
    t.clock.advance(1);
    expect([await t.count('second'), await t.count('third')]).toEqual([0, 1]);
    await t.drain('third');
  });

  it('goes by its own priority where it arrives', async () => {
    const t = await Bench.start();
    await t.declare('work', { ...to('', 'dead'), 'x-message-ttl': 100 });
    await t.declare('dead', { 'x-max-priority': 9 });
    for (const priority of [1, 9, 5]) await t.send('work', `p${priority}`, { priority });
    t.clock.advance(100);
    expect(await t.bodies('dead')).toEqual(['p9', 'p5', 'p1']);
  });

  it('comes in the order of the deaths, for each message nacked together', async () => {
    const t = await Bench.start();
    await t.declare('work', to('', 'dead'));
    await t.declare('dead');
    for (const body of ['1', '2', '3']) await t.send('work', body);
    await t.take('work');
    await t.take('work');
    t.channel.nack(await t.take('work'), true, false);
    expect(await t.bodies('dead')).toEqual(['1', '2', '3']);
  });

  it('is not made of messages that are purged or go with their queue, not even when its lease ends', async () => {
    const t = await Bench.start();
    await t.declare('dead');
    await t.declare('work', { ...to('', 'dead'), 'x-expires': 1_000 });
    await t.send('work', 'purged');
    await t.channel.purgeQueue('work');
    await t.send('work', 'deleted');
    await t.channel.deleteQueue('work');
    await t.declare('work', { ...to('', 'dead'), 'x-expires': 1_000 });
    await t.send('work', 'left');
    t.clock.advance(1_000);
    expect((await t.channel.assertQueue('work', { durable: false })).messageCount).toBe(0);
    expect(await t.count('dead')).toBe(0);
  });
});

describe('where a dead letter goes', () => {
  it('is nowhere while the exchange is missing or has no queue for it', async () => {
    const t = await Bench.start();
    await t.declare('work', to('later', 'key'));
    await t.send('work', 'lost');
    await t.reject('work');
    await t.channel.assertExchange('later', 'direct', { durable: false });
    await t.send('work', 'lost too');
    await t.reject('work');
    await t.declare('dead');
    await t.channel.bindQueue('dead', 'later', 'key');
    await t.send('work', 'found');
    await t.reject('work');
    expect(await t.bodies('dead')).toEqual(['found']);
  });

  it('is the alternate exchange when the exchange has no queue for it', async () => {
    const t = await Bench.start();
    await t.declareSink('rest');
    await t.channel.assertExchange('dlx', 'direct', { durable: false, alternateExchange: 'rest' });
    await t.declare('work', to('dlx'));
    await t.send('work', 'm');
    await t.reject('work');
    expect(await t.bodies('rest')).toEqual(['m']);
  });

  it('is by its routing key and CC, and the queue it died in is left out of an automatic round', async () => {
    const t = await Bench.start();
    await t.declare('work', { ...to(''), 'x-message-ttl': 10 });
    await t.declare('copy');
    await t.send('work', 'm', { CC: ['copy'], BCC: ['nobody'] });
    expect(await t.bodies('copy')).toEqual(['m']);
    t.clock.advance(10);
    const [dead] = await t.drain('copy');
    expect(history(dead!)).toEqual(['work expired 1']);
    expect(dead!.fields).toMatchObject({ exchange: '', routingKey: 'work' });
    expect(deathsOf(dead!)).toMatchObject([{ 'routing-keys': ['work', 'copy'] }]);
    expect(headersOf(dead!)).not.toHaveProperty('BCC');
    expect(await t.count('work')).toBe(0);
  });

  it('is by the keys of BCC too, death after death, which nobody sees', async () => {
    const t = await Bench.start();
    for (const exchange of ['once', 'twice']) {
      await t.channel.assertExchange(exchange, 'direct', { durable: false });
    }
    await t.declare('first', { ...to('once'), 'x-message-ttl': 10 });
    await t.declare('second', { ...to('twice'), 'x-message-ttl': 10 });
    await t.declare('last');
    await t.channel.bindQueue('second', 'once', 'unseen');
    await t.channel.bindQueue('last', 'twice', 'unseen');
    await t.send('first', 'm', { CC: ['nobody'], BCC: ['unseen', 'too long'.repeat(40)] });
    t.clock.advance(20);
    const [dead] = await t.drain('last');
    expect(bodyOf(dead!)).toBe('m');
    expect(history(dead!)).toEqual(['second expired 1', 'first expired 1']);
    expect(dead!.fields.routingKey).toBe('first');
    expect(deathsOf(dead!)).toMatchObject([
      { 'routing-keys': ['first', 'nobody'] },
      { 'routing-keys': ['first', 'nobody'] },
    ]);
    expect(headersOf(dead!)).not.toHaveProperty('BCC');
  });

  it('is by the key of the queue alone, which replaces CC for good though the header stays', async () => {
    const t = await Bench.start();
    await t.declare('first', { ...to('', 'second'), 'x-message-ttl': 10 });
    await t.declare('second', { ...to('names'), 'x-message-ttl': 10 });
    await t.channel.assertExchange('names', 'direct', { durable: false });
    for (const name of ['end', 'copy']) await t.declare(name);
    await t.channel.bindQueue('end', 'names', 'second');
    await t.channel.bindQueue('copy', 'names', 'copy');
    await t.send('first', 'm', { CC: ['copy'], priority: 0 });
    await t.drain('copy');
    t.clock.advance(20);
    expect(await t.count('copy')).toBe(0);
    const [dead] = await t.drain('end');
    expect(headersOf(dead!)['CC']).toEqual(['copy']);
    expect(deathsOf(dead!)).toMatchObject([
      { 'routing-keys': ['second'] },
      { 'routing-keys': ['first', 'copy'] },
    ]);
  });

  it('is by CC too for a message that has a priority', async () => {
    const t = await Bench.start();
    await t.channel.assertExchange('names', 'direct', { durable: false });
    await t.declare('work', { ...to('names'), 'x-message-ttl': 10 });
    await t.declare('copy');
    await t.channel.bindQueue('copy', 'names', 'cc');
    await t.send('work', 'm', { CC: ['cc'], priority: 3 });
    t.clock.advance(10);
    const [dead] = await t.drain('copy');
    expect(deathsOf(dead!)).toMatchObject([{ 'routing-keys': ['work', 'cc'] }]);
  });
});

describe('a round of dead letters', () => {
  it('ends at the first expiry when the queue is its own target', async () => {
    const t = await Bench.start();
    await t.declare('q', { ...to('', 'q'), 'x-message-ttl': 10 });
    await t.send('q', 'm');
    t.clock.advance(10);
    expect(await t.count('q')).toBe(0);
  });

  it('goes on for ever when somebody rejects the message each time', async () => {
    const t = await Bench.start();
    await t.declare('q', to('', 'q'));
    await t.send('q', 'm');
    for (let round = 0; round < 20; round++) expect(deathsOf(await t.reject('q'))[0]?.count ?? 0).toBe(round);
    expect(history((await t.drain('q'))[0]!)).toEqual(['q rejected 20']);
  });

  it('ends where it began when only time moves it, and leaves out that queue only', async () => {
    const t = await Bench.start();
    await t.channel.assertExchange('both', 'fanout', { durable: false });
    await t.declare('a', { ...to('', 'b'), 'x-message-ttl': 10 });
    await t.declare('b', { ...to('both'), 'x-message-ttl': 10 });
    await t.declare('end');
    for (const name of ['a', 'end']) await t.channel.bindQueue(name, 'both', '');
    await t.send('a', 'm');
    t.clock.advance(1_000);
    expect([await t.count('a'), await t.count('b')]).toEqual([0, 0]);
    const dead = await t.drain('end');
    expect(dead.map(history)).toEqual([['b expired 1', 'a expired 1']]);
  });

  it('of two full queues passes each message once, however many there are', async () => {
    const COUNT = 3_000;
    const t = await Bench.start();
    await t.declare('a', { ...to('', 'b'), 'x-max-length': COUNT });
    await t.declare('b', { ...to('', 'a'), 'x-max-length': COUNT });
    for (let i = 0; i < COUNT; i++) {
      t.channel.sendToQueue('a', Buffer.from(`a${i}`));
      t.channel.sendToQueue('b', Buffer.from(`b${i}`));
    }
    await t.send('a', 'last');
    expect([await t.count('a'), await t.count('b')]).toEqual([COUNT, COUNT]);
    const [first] = await t.drain('a');
    expect(bodyOf(first!)).toBe('b0');
    await t.channel.purgeQueue('b');
  });
});

describe('delays made of expiring queues', () => {
  it('retry a failing job after one second, then two, then four, then park it', async () => {
    const t = await Bench.start();
    await t.declare('parked');
    await t.declare('work', to('', 'parked'));
    for (const seconds of [1, 2, 4]) {
      await t.declare(`retry-${seconds}s`, { ...to('', 'work'), 'x-message-ttl': seconds * 1_000 });
    }
    const worker = await t.newChannel();
    const attempts: number[] = [];
    await worker.consume('work', (job) => {
      if (job === null) return;
      const retries = (job.properties.headers?.['retries'] as number | undefined) ?? 0;
      attempts.push((t.clock.nowMs() - START_SECONDS * 1_000) / 1_000);
      if (retries === 3) return worker.reject(job, false);
      worker.sendToQueue(`retry-${2 ** retries}s`, job.content, { headers: { retries: retries + 1 } });
      worker.ack(job);
    });
    await t.send('work', 'job');
    for (const seconds of [1, 2, 4]) {
      // The worker has put the job aside when that queue has it.
      while ((await t.count(`retry-${seconds}s`)) === 0);
      t.clock.advance(seconds * 1_000 - 1);
      expect(await t.count(`retry-${seconds}s`)).toBe(1);
      t.clock.advance(1);
    }
    while ((await t.count('parked')) === 0);
    expect(attempts).toEqual([0, 1, 3, 7]);
    expect(history((await t.drain('parked'))[0]!)).toEqual(['work rejected 1', 'retry-4s expired 1']);
  });

  it('add up to any time, as a chain of levels with the bits of the delay in the routing key', async () => {
    const LEVELS = [3, 2, 1, 0];
    const t = await Bench.start();
    await t.declareSink('delivered');
    for (const level of LEVELS) {
      const name = `delay-${level}`;
      await t.channel.assertExchange(name, 'topic', { durable: false });
    }
    for (const level of LEVELS) {
      const next = level === 0 ? 'delivered' : `delay-${level - 1}`;
      const before = '*.'.repeat(3 - level);
      await t.declare(`delay-${level}`, { ...to(next), 'x-message-ttl': 2 ** level * 1_000 });
      await t.channel.bindQueue(`delay-${level}`, `delay-${level}`, `${before}1.#`);
      await t.channel.bindExchange(next, `delay-${level}`, `${before}0.#`);
    }
    await t.publish('delay-3', '1.0.1.0.orders', 'ten seconds');
    await t.publish('delay-3', '0.0.1.1.orders', 'three seconds');
    await t.publish('delay-3', '0.0.0.0.orders', 'at once');
    expect(await t.bodies('delivered')).toEqual(['at once']);
    t.clock.advance(2_999);
    expect(await t.count('delivered')).toBe(0);
    t.clock.advance(1);
    expect(await t.bodies('delivered')).toEqual(['three seconds']);
    t.clock.advance(6_999);
    expect(await t.count('delivered')).toBe(0);
    t.clock.advance(1);
    const [dead] = await t.drain('delivered');
    expect(history(dead!)).toEqual(['delay-1 expired 1', 'delay-3 expired 1']);
  });
});
