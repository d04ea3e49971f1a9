/**
 * Remote calls over queues: many callers at once, answers out of order, and calls whose time is up before anybody
 * serves them. https://www.rabbitmq.com/docs/direct-reply-to
 */
import { randomUUID } from 'node:crypto';
import type { Channel, ConsumeMessage, Options } from 'amqplib';
import { beforeAll, describe, expect, it } from 'vitest';
import { consume, openChannel, text } from './amqplib.js';
import { useBroker } from './broker.js';
import { requirePika, startPika } from './programs.js';
import { type Scratch, scratch } from './scratch.js';

beforeAll(requirePika);
const brokerUrl = useBroker();
const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to';
const CALLERS = ['ann', 'bob', 'cleo'];
const CALLS_EACH = 20;

describe.each(['direct reply-to', 'an exclusive reply queue'])('calls with %s', (replies) => {
  const direct = replies === 'direct reply-to';

  it('gives each of several callers its own answers, in whichever order they come', async () => {
    const queue = await declareRequests(scratch(brokerUrl()));
    await serveInReverse(queue, CALLERS.length * CALLS_EACH);

    await Promise.all(
      CALLERS.map(async (name) => {
        const caller = await Caller.open(direct);
        const requests = requestsOf(name);
        const answers = await Promise.all(requests.map((request) => caller.call(queue, request)));
        expect(answers).toEqual(requests.map((request) => `${request}: done`));
        expect(caller.strays).toEqual([]);
      }),
    );
  });

  it('answers calls of pika programs in the same way', async () => {
    const queue = await declareRequests(scratch(brokerUrl()));
    await serveInReverse(queue, CALLERS.length * CALLS_EACH);

    const programs = CALLERS.map((name) =>
      startPika('remote_caller', brokerUrl(), queue, direct ? 'direct' : 'queue', '', ...requestsOf(name)),
    );
    for (const [index, program] of programs.entries()) {
      const requests = requestsOf(CALLERS[index]!);
      expect(await program.finished()).toEqual([
        { event: 'answers', answers: requests.map((request) => `${request}: done`), strays: 0 },
      ]);
    }
  });

  it('reaches a pika server', async () => {
    const queue = scratch(brokerUrl()).queue('fibonacci');
    const server = startPika('rpc_server', brokerUrl(), queue);
    expect(await server.events.next()).toEqual({ event: 'ready' });

    const callers = await Promise.all(CALLERS.map(() => Caller.open(direct)));
    const answers = callers.flatMap((caller) => ['1', '10', '30'].map((n) => caller.call(queue, n)));
    expect(await Promise.all(answers)).toEqual(CALLERS.flatMap(() => ['1', '55', '832040']));
    expect(callers.flatMap(({ strays }) => strays)).toEqual([]);
    expect(await callers[0]!.call(queue, '-1')).toBe('0');
    await server.finished();
  });

  it('is told when a call expires before the server was free, by whoever has the dead letters', async () => {
    const names = scratch(brokerUrl());
    const lateQueue = await answerLateCalls(names);
    const queue = await declareRequests(names, lateQueue);
    const server = await openChannel(brokerUrl());
    await server.prefetch(1);
    const { messages: served } = await consume(server, queue);
    const caller = await Caller.open(direct);

    const slow = caller.call(queue, 'slow');
    const slowRequest = await served.next();
    const hasty = caller.call(queue, 'hasty', { expiration: 50 });
    const patient = caller.call(queue, 'patient', { expiration: 600_000 });
    expect(await hasty).toBe('hasty: too late');
    answer(server, slowRequest, 'done');
    expect(await slow).toBe('slow: done');
    answer(server, await served.next(), 'done');
    expect(await patient).toBe('patient: done');
    expect([served.pending, caller.strays.length]).toEqual([0, 0]);
  });

  it('is told so in a pika program too', async () => {
    const names = scratch(brokerUrl());
    const queue = await declareRequests(names, await answerLateCalls(names));
    const mode = direct ? 'direct' : 'queue';
    const program = startPika('remote_caller', brokerUrl(), queue, mode, '50', 'one', 'two');
    expect(await program.finished()).toEqual([
      { event: 'answers', answers: ['one: too late', 'two: too late'], strays: 0 },
    ]);
  });
});

/** A program that calls: any number of calls can be under way at a time. */
class Caller {
  /** Answers to calls that are not this caller's, or that were answered before. */
  readonly strays: string[] = [];
  readonly #pending = new Map<string, (answer: string) => void>();
  readonly #channel: Channel;
  readonly #replyTo: string;

  private constructor(channel: Channel, replyTo: string) {
    this.#channel = channel;
    this.#replyTo = replyTo;
  }

  static async open(direct: boolean): Promise<Caller> {
    const channel = await openChannel(brokerUrl());
    const replyTo = direct ? DIRECT_REPLY_TO : (await channel.assertQueue('', { exclusive: true })).queue;
    const caller = new Caller(channel, replyTo);
    await channel.consume(replyTo, (reply) => caller.#receive(reply as ConsumeMessage), { noAck: true });
    return caller;
  }

  call(queue: string, request: string, options: Options.Publish = {}): Promise<string> {
    const correlationId = randomUUID();
    const replyTo = this.#replyTo;
    this.#channel.sendToQueue(queue, Buffer.from(request), { ...options, correlationId, replyTo });
    return new Promise((resolve) => this.#pending.set(correlationId, resolve));
  }

  #receive(reply: ConsumeMessage): void {
    const resolve = this.#pending.get(reply.properties.correlationId);
    this.#pending.delete(reply.properties.correlationId);
    if (resolve === undefined) this.strays.push(text(reply));
    else resolve(text(reply));
  }
}

function requestsOf(name: string): string[] {
  return Array.from({ length: CALLS_EACH }, (_, number) => `${name} ${number}`);
}

async function declareRequests(names: Scratch, lateQueue?: string): Promise<string> {
  const queue = names.queue('requests');
  const late = lateQueue === undefined ? {} : { deadLetterExchange: '', deadLetterRoutingKey: lateQueue };
  await (await openChannel(brokerUrl())).assertQueue(queue, late);
  return queue;
}

/** A server that answers once it has this many requests, the last one first. */
async function serveInReverse(queue: string, count: number): Promise<void> {
  const channel = await openChannel(brokerUrl());
  const { messages } = await consume(channel, queue);
  void messages.take(count).then((requests) => {
    for (const request of requests.reverse()) answer(channel, request, 'done');
  });
}

/** A program that answers what is dead-lettered to its queue. */
async function answerLateCalls(names: Scratch): Promise<string> {
  const queue = names.queue('late');
  const channel = await openChannel(brokerUrl());
  await channel.assertQueue(queue);
  await channel.consume(queue, (request) => answer(channel, request as ConsumeMessage, 'too late'));
  return queue;
}

function answer(channel: Channel, request: ConsumeMessage, result: string): void {
  const { replyTo, correlationId } = request.properties;
  channel.sendToQueue(replyTo, Buffer.from(`${text(request)}: ${result}`), { correlationId });
  channel.ack(request);
}
