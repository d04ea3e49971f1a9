/**
 * Full queues and publisher confirms, and the expiration property, as a client sees them. What is expected is RabbitMQ
 * 4.2's doing: https://www.rabbitmq.com/docs/maxlength and /docs/ttl.
 */
import { describe, expect, it } from 'vitest';
import { Bench, bodyOf, history, to } from './dead-letter-bench.js';

describe('a full queue and publisher confirms', () => {
  it('acks what pushes others out, which die', async () => {
    const t = await Bench.start();
    await t.declare('dead');
    await t.declare('work', { ...to('', 'dead'), 'x-max-length': 1 });
    expect(await t.offer('', 'work', '1')).toBe(true);
    expect(await t.offer('', 'work', '2')).toBe(true);
    expect((await t.drain('dead')).map(history)).toEqual([['work maxlen 1']]);
    expect(await t.bodies('work')).toEqual(['2']);
  });

  it('nacks what x-overflow reject-publish refuses, without a dead letter', async () => {
    const t = await Bench.start();
    await t.declare('dead');
    await t.declare('work', { ...to('', 'dead'), 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    const outcomes = await Promise.all(['1', '2', '3'].map((body) => t.offer('', 'work', body)));
    expect(outcomes).toEqual([true, false, false]);
    expect(await t.bodies('work')).toEqual(['1']);
    expect(await t.count('dead')).toBe(0);
  });

  it('nacks and dead-letters what x-overflow reject-publish-dlx refuses', async () => {
    const t = await Bench.start();
    await t.declare('dead');
    await t.declare('work', { ...to('', 'dead'), 'x-max-length': 1, 'x-overflow': 'reject-publish-dlx' });
    const outcomes = await Promise.all(['1', '2', '3'].map((body) => t.offer('', 'work', body)));
    expect(outcomes).toEqual([true, false, false]);
    expect(await t.bodies('work')).toEqual(['1']);
    const dead = await t.drain('dead');
    expect(dead.map(bodyOf)).toEqual(['2', '3']);
    expect(dead.map(history)).toEqual([['work maxlen 1'], ['work maxlen 1']]);
  });

  it('nacks a message that one of its queues refuses; the others have it', async () => {
    const t = await Bench.start();
    await t.channel.assertExchange('all', 'fanout', { durable: false });
    await t.declare('full', { 'x-max-length': 0, 'x-overflow': 'reject-publish' });
    await t.declare('open');
    for (const name of ['full', 'open']) await t.channel.bindQueue(name, 'all', '');
    expect(await t.offer('all', '', 'm')).toBe(false);
    expect(await t.bodies('open')).toEqual(['m']);
  });

  it('drops a dead letter that a full queue refuses', async () => {
    const t = await Bench.start();
    await t.declare('full', { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    await t.declare('work', to('', 'full'));
    for (const body of ['1', '2']) {
      await t.send('work', body);
      await t.reject('work');
    }
    expect(await t.bodies('full')).toEqual(['1']);
  });
});

describe('the expiration property', () => {
  it.each([
    ['abc', 'no_integer'],
    ['', 'no_integer'],
    [' 5', 'no_integer'],
    ['10ms', '{leftover_string,"ms"}'],
    ['1.5', '{leftover_string,".5"}'],
    ['5 ', '{leftover_string," "}'],
    ['-1', '{value_negative,-1}'],
    ['315360000001', '{value_too_large,315360000001}'],
    ['999999999999', '{value_too_large,999999999999}'],
  ])('%j closes the channel', async (expiration, why) => {
    const t = await Bench.start();
    const channel = await t.newChannel();
    const failed = new Promise<Error>((resolve) => channel.once('error', resolve));
    channel.publish('', 'nobody', Buffer.from('m'), { expiration });
    const { message } = await failed;
    expect(message).toContain(`406 (PRECONDITION-FAILED)`);
    expect(message).toContain(`"PRECONDITION_FAILED - invalid expiration '${expiration}': ${why}"`);
  });

  it.each([
    ['0', 0],
    ['-0', 0],
    ['+7', 7],
    ['00012', 12],
    ['315360000000', 315_360_000_000],
  ])('%j is a time', async (expiration, ms) => {
    const t = await Bench.start();
    await t.declare('work');
    await t.send('work', 'm', { expiration });
    if (ms > 0) {
      t.clock.advance(ms - 1);
      expect(await t.count('work')).toBe(1);
      t.clock.advance(1);
    }
    expect(await t.count('work')).toBe(0);
  });
});
