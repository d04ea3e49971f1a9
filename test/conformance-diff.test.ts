/** Comparing two brokers: what the sequences are, how they are made short, and what is found. */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CompareOptions, compareBrokers } from '../conformance/diff/compare.js';
import { Dice, seedOf } from '../conformance/diff/dice.js';
import { EXPLANATIONS, judgeStep } from '../conformance/diff/explained.js';
import { generateSequence } from '../conformance/diff/generator.js';
import { type Event, observe } from '../conformance/diff/observation.js';
import { groupsOf, type Operation } from '../conformance/diff/operation.js';
import { shrink } from '../conformance/diff/shrink.js';
import { simplerForms } from '../conformance/diff/simplify.js';
import { Topology } from '../conformance/diff/topology.js';
import { createBroker, type EmbeddedBroker } from '../src/index.js';

const SEED = 20_240;

describe('a sequence', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(generateSequence(SEED, 40)).toEqual(generateSequence(SEED, 40));
    expect(generateSequence(SEED, 40)).not.toEqual(generateSequence(SEED + 1, 40));
    expect(seedOf(SEED, 1)).not.toBe(seedOf(SEED, 2));
    // The numbers themselves: a seed that was printed has to be good for ever.
    const dice = new Dice(1);
    expect([dice.next(), dice.next(), dice.below(10)]).toEqual([2693262067, 11749833, 7]);
  });

  it('has as many operations as were asked for, before it looks at what is left', () => {
    const sequence = generateSequence(SEED, 40);
    const end = sequence.findIndex(({ act }) => act.kind === 'drain');
    expect(end).toBe(40);
    expect(sequence[39]!.isJoined).toBeUndefined();
  });

  it('has operations of every class, among some', () => {
    const methods = new Set<string>();
    for (let i = 0; i < 100; i++) {
      for (const { act } of generateSequence(seedOf(SEED, i), 40)) {
        methods.add(act.kind === 'call' || act.kind === 'settle' ? act.method : act.kind);
      }
    }
    for (const method of [
      'publish',
      'drain',
      'basic.nack',
      'basic.get',
      'basic.consume',
      'queue.unbind',
      'tx.commit',
    ]) {
      expect(methods).toContain(method);
    }
    for (const method of [
      'exchange.bind',
      'confirm.select',
      'connection.close',
      'basic.recover',
      'channel.close',
    ]) {
      expect(methods).toContain(method);
    }
  });

  it('is sent in groups of one channel', () => {
    const on = (channel: number, isJoined?: boolean): Operation => ({
      connection: 'A',
      channel,
      act: { kind: 'drain', queue: 'q' },
      ...(isJoined === undefined ? {} : { isJoined }),
    });
    const groups = groupsOf([on(1, true), on(1), on(1, true), on(2), on(2)]);
    expect(groups.map(({ length }) => length)).toEqual([2, 1, 1, 1]);
  });
});

describe('a topology', () => {
  it('tells where two would send to one queue at a time', () => {
    const topology = new Topology();
    topology.bindQueue('x', 'work');
    const certain = (exchange: string, ...keys: string[]): boolean =>
      topology.isCertainPublish([{ exchange, keys }]);
    topology.deadLetter('work', '', 'grave');
    expect([certain('x', 'k'), certain('', 'work'), certain('', 'work', 'grave')]).toEqual([
      true,
      true,
      false,
    ]);
    topology.bindExchange('y', 'x');
    topology.bindQueue('y', 'grave');
    expect([certain('x', 'k'), certain('y', 'k')]).toEqual([true, false]);
    topology.deadLetter('other', '', 'grave');
    expect(topology.isCertainSettle(new Set(['work', 'other']), true)).toBe(false);
    expect(topology.isCertainSettle(new Set(['work', 'other']), false)).toBe(true);
  });

  it('lets one message go round, and not two', () => {
    const topology = new Topology();
    topology.deadLetter('q', '', 'q');
    const route = { exchange: '', keys: ['q'] };
    expect(topology.isCertainPublish([route])).toBe(true);
    expect(topology.isCertainPublish([route, route])).toBe(false);
  });
});

describe('shrinking', () => {
  const has = (sequence: readonly number[], ...needed: number[]): boolean =>
    needed.every((one) => sequence.includes(one));

  it('leaves what the failure needs, in its order', async () => {
    const long = Array.from({ length: 50 }, (_, i) => i);
    expect(
      await shrink(
        long,
        async (some) => has(some, 3, 17, 41),
        () => [],
      ),
    ).toEqual([3, 17, 41]);
  });

  it('makes what is left simpler, as far as it goes', async () => {
    const halved = (one: number): number[] => (one > 1 ? [one >> 1] : []);
    const fails = async (some: readonly number[]): Promise<boolean> => some.some((one) => one > 9);
    expect(await shrink([2, 200, 4], fails, halved)).toEqual([12]);
  });

  it('asks no oftener than it may', async () => {
    let asked = 0;
    const never = async (): Promise<boolean> => {
      asked++;
      return false;
    };
    expect(await shrink([1, 2, 3, 4], never, () => [], 5)).toEqual([1, 2, 3, 4]);
    expect(asked).toBe(5);
  });

  it('of operations leaves out properties, flags and arguments one by one', () => {
    const forms = simplerForms({
      connection: 'A',
      channel: 1,
      act: {
        kind: 'call',
        method: 'queue.declare',
        fields: { queue: 'q', durable: true, arguments: [['a', 'I', 1]] },
      },
    });
    expect(forms.map(({ act }) => (act.kind === 'call' ? act.fields : act))).toEqual([
      { queue: 'q', arguments: [['a', 'I', 1]] },
      { queue: 'q', durable: true, arguments: [] },
      { queue: 'q', durable: true },
    ]);
  });
});

describe('a judgement', () => {
  const delivery = (key: string, tag: number, ...headers: string[]): Event => ({
    at: 'A1',
    name: 'basic.deliver',
    fields: { consumerTag: key, deliveryTag: tag },
    properties: { headers: headers.map((name) => [name, 'I', 1] as const) },
  });
  const judged = (left: Event[], right: Event[]) =>
    judgeStep([], observe(left, new Map()), observe(right, new Map()));

  it('does not compare the order of deliveries to several consumers', () => {
    const same = judged([delivery('a', 1), delivery('b', 2)], [delivery('b', 1), delivery('a', 2)]);
    expect(same).toEqual({ unexplained: [], explained: [], isOver: false });
  });

  it('names what explains a difference, and no more than that', () => {
    expect(judged([delivery('a', 1, 'y', 'x')], [delivery('a', 1, 'x', 'y')]).explained).toEqual([
      'header-order',
    ]);
    expect(judged([delivery('a', 1, 'y')], [delivery('a', 1, 'x')])).toMatchObject({
      unexplained: ['A1 deliveries to a'],
      isOver: true,
    });
  });

  it('lets a channel that ends get deliveries or not, and no other channel', () => {
    const close: Event = {
      at: 'A1',
      name: 'channel.close',
      fields: { replyCode: 404, replyText: 'NOT_FOUND' },
    };
    expect(judged([delivery('a', 1), close], [close])).toEqual({
      unexplained: [],
      explained: ['delivered-to-closing-channel'],
      isOver: true,
    });
    expect(judged([delivery('a', 1)], []).unexplained).toEqual(['A1 deliveries to a', 'A1 delivery tags']);
    const elsewhere = { ...close, at: 'A2' };
    expect(judged([delivery('a', 1), elsewhere], [elsewhere]).explained).toEqual([]);
    // What it got comes to the next as redelivered, whatever else differs in headers.
    const next = (redelivered: boolean, ...headers: string[]): Event => {
      const { fields, ...rest } = delivery('b', 1, ...headers);
      return { ...rest, at: 'A2', fields: { ...fields, redelivered } };
    };
    const handedOn = judged(
      [delivery('a', 1), close, next(true)],
      [close, next(false, 'x-last-death-queue')],
    );
    expect(handedOn.explained).toContain('delivered-to-closing-channel');
    expect(judged([close, next(true)], [close, next(false)]).explained).toEqual([]);
  });

  it('does not compare how many consumers quorum queues say they have', () => {
    const counts = (consumerCount: number) =>
      observe([], new Map([['~q', { messageCount: 0, consumerCount }]]));
    expect(judgeStep([], counts(1), counts(2), new Set(['~q'])).explained).toEqual(['quorum-consumer-count']);
    expect(judgeStep([], counts(1), counts(2)).unexplained).toEqual(['counts']);
  });

  it('has its explanations written down', () => {
    const page = readFileSync(new URL('../conformance/differences.md', import.meta.url), 'utf8');
    for (const { name } of EXPLANATIONS) expect(page).toContain(`## ${name}\n`);
  });
});

/** Stands before a broker, and writes one text for another of the same length in what it says. */
async function startLiar(port: number, text: string, lie: string): Promise<Server> {
  const server = createServer((socket) => {
    const broker = connect({ host: '127.0.0.1', port });
    for (const one of [socket, broker]) one.on('error', () => {});
    socket.on('data', (chunk) => broker.write(chunk)).on('close', () => broker.destroy());
    broker.on('data', (chunk) => {
      socket.write(Buffer.from(chunk.toString('latin1').replaceAll(text, lie), 'latin1'));
    });
    broker.on('close', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe('comparing', () => {
  let brokers: EmbeddedBroker[];
  beforeAll(async () => {
    brokers = [await createBroker(), await createBroker()];
  });
  afterAll(() => Promise.all(brokers.map((broker) => broker.close())));

  async function outcome(urls: readonly [string, string], options: Partial<CompareOptions> = {}) {
    let stdout = '';
    let stderr = '';
    const exitCode = await compareBrokers(
      { urls, seed: SEED, stepCount: 30, sequenceCount: 8, ...options },
      {
        write: (text) => {
          stdout += text;
        },
        writeError: (text) => {
          stderr += text;
        },
      },
    );
    return { exitCode, stdout, stderr };
  }

  it('finds nothing between two alike, nor between a broker and itself', async () => {
    const { exitCode, stdout, stderr } = await outcome([brokers[0]!.url, brokers[1]!.url]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain('0 unexplained kinds of difference');
    expect(stdout).toMatch(/^8 sequences, \d+ operations/m);
    expect((await outcome([brokers[0]!.url, brokers[0]!.url], { sequenceCount: 2 })).exitCode).toBe(0);
  }, 60_000);

  it('finds what a broker says otherwise, makes it short, and says how to see it again', async () => {
    const liar = await startLiar(brokers[1]!.port, 'NO_ROUTE', 'NO_REUTE');
    const { port } = liar.address() as { readonly port: number };
    const urls = [brokers[0]!.url, `amqp://guest:guest@127.0.0.1:${port}`] as const;
    try {
      const { exitCode, stdout } = await outcome(urls);
      expect(exitCode).toBe(1);
      expect(stdout).toContain('1 unexplained kind of difference');
      // A mandatory message that has nowhere to go is enough, and perhaps an exchange for it.
      const [found] = stdout.match(/A difference\.\n(?:.*\n)*?\n/)!;
      expect(found.match(/^ {2}[> ] [AB]\d .*/gm)!.length).toBeLessThan(3);
      expect(found).toMatch(/^ {2}> [AB]\d basic.publish .*"mandatory":true/m);
      expect(found).toContain('"replyText":"NO_REUTE"');
      const [, sequence, keep] = /--sequence (\d+) --keep ([\d,]+)$/m.exec(found)!;
      const again = await outcome(urls, { sequence: Number(sequence), keep: keep!.split(',').map(Number) });
      expect(again.exitCode).toBe(1);
      expect(again.stdout).toMatch(/^1 sequences, [12] operations/m);
    } finally {
      liar.close();
    }
  }, 60_000);

  it('says what is wrong with a broker that cannot be reached', async () => {
    const unreachable = await outcome([brokers[0]!.url, 'amqp://127.0.0.1:1']);
    expect([unreachable.exitCode, unreachable.stdout]).toEqual([1, '']);
    expect(unreachable.stderr).toContain('ECONNREFUSED');
    expect((await outcome(['http://x', brokers[0]!.url])).exitCode).toBe(64);
  });
});
