/** The six RabbitMQ tutorials as pika programs with BlockingConnection, each in processes of its own. */
import { beforeAll, describe, expect, it } from 'vitest';
import { useBroker } from './broker.js';
import { requirePika, runPika, type ScriptEvent, startPika } from './programs.js';
import { scratch, uniqueName } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();

describe('the six tutorials with pika', () => {
  it('1, hello world', async () => {
    expect(await runPika('hello', brokerUrl(), uniqueName('hello'))).toEqual([
      { event: 'declared', messages: 1, consumers: 0 },
      { event: 'received', body: 'Hello World!', redelivered: false, exchange: '' },
      { event: 'deleted', messages: 0 },
    ]);
  });

  it('2, work queues: two workers share the tasks', async () => {
    const queue = scratch(brokerUrl()).queue('tasks');
    const workers = [startPika('worker', brokerUrl(), queue), startPika('worker', brokerUrl(), queue)];
    for (const worker of workers) expect(await worker.events.next()).toEqual({ event: 'ready' });
    const tasks = ['one.', 'two..', 'three...', 'four....', 'five.....'];
    // Each worker ends at the first `stop` it gets, so the second one is left for the other.
    const sent = await runPika('new_task', brokerUrl(), queue, ...tasks, 'stop', 'stop');
    expect(sent).toEqual([{ event: 'sent', count: 7 }]);

    const logs = await Promise.all(workers.map((worker) => worker.finished()));
    const done = logs.flat().filter(({ event }) => event === 'done');
    expect(done.map(({ task }) => task).sort()).toEqual([...tasks, 'stop', 'stop'].sort());
    expect(done.every((task) => task['delivery_mode'] === 2)).toBe(true);
    for (const log of logs) expect(log.at(-1)).toMatchObject({ task: 'stop' });
  });

  it('3, publish/subscribe', async () => {
    const exchange = uniqueName('logs');
    const log = await runPika('publish_subscribe', brokerUrl(), exchange);
    const received = log.filter(({ event }) => event === 'received');
    expect(received).toEqual(
      [0, 1].map((subscriber) => ({
        event: 'received',
        subscriber,
        body: 'info: Hello World!',
        exchange,
        queue: expect.stringMatching(/^amq\.gen-/),
      })),
    );
    expect(received[0]?.['queue']).not.toBe(received[1]?.['queue']);
  });

  it('4, routing', async () => {
    const routingKeys = ['info', 'warning', 'debug', 'error', ''];
    const log = await runPika(
      'routing',
      brokerUrl(),
      uniqueName('direct'),
      'direct',
      'warning,error',
      routingKeys.join(),
    );
    expect(receivedKeys(log)).toEqual(['warning', 'error']);
  });

  it('5, topics', async () => {
    const routingKeys = [
      'quick.orange.rabbit',
      'lazy',
      'orange',
      'lazy.pink.orange.cat',
      'a.b.c',
      'lazy.orange.male',
    ];
    const bindingKeys = '*.orange.*,lazy.#';
    const log = await runPika(
      'routing',
      brokerUrl(),
      uniqueName('topic'),
      'topic',
      bindingKeys,
      routingKeys.join(),
    );
    expect(receivedKeys(log)).toEqual([
      'quick.orange.rabbit',
      'lazy',
      'lazy.pink.orange.cat',
      'lazy.orange.male',
    ]);
  });

  it.each(['an exclusive reply queue', 'direct reply-to'])('6, RPC with %s', async (replies) => {
    const queue = uniqueName('rpc');
    const server = startPika('rpc_server', brokerUrl(), queue);
    expect(await server.events.next()).toEqual({ event: 'ready' });
    const called = await runPika(
      'rpc_client',
      brokerUrl(),
      queue,
      replies === 'direct reply-to' ? 'direct' : 'queue',
    );
    expect(called.map(({ n, result }) => [n, result])).toEqual([
      [0, 0],
      [1, 1],
      [10, 55],
      [30, 832_040],
      [-1, 0],
    ]);
    const answered = (await server.finished()).slice(1);
    expect(answered.map(({ n }) => n)).toEqual([0, 1, 10, 30, -1]);
  });
});

function receivedKeys(log: readonly ScriptEvent[]): unknown[] {
  return log.map((event) => event['routing_key']);
}
