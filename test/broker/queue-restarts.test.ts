/**
 * A queue through restarts of every kind, as a model: what must be in it, and what may be. fast-check shortens what
 * fails to the fewest commands.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldEntry } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { SimulatedFileSystem } from '../../src/lib/simulated-file-system.js';
import type { Queue } from '../../src/queues/queue.js';
import {
  type DurableBroker,
  declareQueue,
  drain,
  type GotMessage,
  getMessage,
  openDurable,
  publish,
} from '../helpers/durable-broker.js';

interface Message {
  readonly label: number;
  /** Whether a restart has to bring it back; while its confirm is under way, or its ack, it may or may not. */
  presence: 'must' | 'may';
  isAcked: boolean;
  /** It was acknowledged before a kill: the process that knew of it will never sync that. */
  isLeftBehind: boolean;
  wasOut: boolean;
  got: GotMessage | undefined;
  /** Which return it was that brought it back, where those that come back go first. */
  returnNumber: number;
}

/** What the queue holds, in the order in which it came. */
interface Model {
  readonly type: 'classic' | 'quorum';
  messages: Message[];
  returnCount: number;
  nextLabel: number;
  /** Since a crash nobody knows what was out. */
  isUnsure: boolean;
}

interface Real {
  durable: DurableBroker;
}

type Command = fc.AsyncCommand<Model, Real, false>;

const queueOf = ({ durable }: Real): Queue => durable.virtualHost.queues.get('q')!;
const labelOf = ({ body }: GotMessage): number => Number(/\d+/.exec(body.toString())![0]);
const outstanding = ({ messages }: Model): Message[] => messages.filter(({ got }) => got !== undefined);
const ready = ({ messages, type }: Model): Message[] => {
  const waiting = messages.filter(({ got, isAcked }) => got === undefined && !isAcked);
  if (type === 'classic') return waiting;
  return waiting.sort((a, b) =>
    a.returnNumber === b.returnNumber ? a.label - b.label : a.returnNumber - b.returnNumber,
  );
};

class Publish implements Command {
  constructor(
    private readonly count: number,
    private readonly size: number,
    private readonly isAwaited: boolean,
  ) {}
  check = (): boolean => true;
  toString = (): string =>
    `publish(${this.count} of ${this.size} bytes${this.isAwaited ? ', confirmed' : ''})`;
  async run(model: Model, real: Real): Promise<void> {
    for (let i = 0; i < this.count; i++) {
      const label = model.nextLabel++;
      publish(real.durable, 'q', Buffer.from(`message ${label} `.padEnd(this.size, '.')));
      model.messages.push({
        label,
        presence: 'may',
        isAcked: false,
        isLeftBehind: false,
        wasOut: false,
        got: undefined,
        returnNumber: Number.POSITIVE_INFINITY,
      });
    }
    if (!this.isAwaited) return;
    await real.durable.settle();
    for (const message of model.messages) {
      if (!message.isAcked) message.presence = 'must';
    }
  }
}

class Get implements Command {
  check = (): boolean => true;
  toString = (): string => 'get';
  async run(model: Model, real: Real): Promise<void> {
    const got = await getMessage(real.durable, queueOf(real));
    const expected = ready(model)[0];
    expect(got === undefined ? undefined : labelOf(got)).toBe(expected?.label);
    if (got === undefined || expected === undefined) return;
    if (expected.wasOut) expect(got.isRedelivered).toBe(true);
    if (!expected.wasOut && !model.isUnsure) expect(got.isRedelivered).toBe(false);
    expected.got = got;
    expected.wasOut = true;
  }
}

class Settle implements Command {
  constructor(
    private readonly pick: number,
    private readonly kind: 'acknowledge' | 'requeue',
  ) {}
  check = (model: Readonly<Model>): boolean => outstanding(model).length > 0;
  toString = (): string => `${this.kind}(${this.pick})`;
  async run(model: Model, real: Real): Promise<void> {
    const held = outstanding(model);
    const message = held[this.pick % held.length]!;
    const { position, sequence } = message.got!;
    queueOf(real)[this.kind](position, sequence);
    message.got = undefined;
    message.returnNumber = ++model.returnCount;
    if (this.kind === 'requeue') return;
    message.presence = 'may';
    message.isAcked = true;
  }
}

class Purge implements Command {
  check = (): boolean => true;
  toString = (): string => 'purge';
  async run(model: Model, real: Real): Promise<void> {
    queueOf(real).purge();
    for (const message of ready(model)) {
      message.presence = 'may';
      message.isAcked = true;
    }
  }
}

/** As tx.commit, awaited. */
class SyncAcks implements Command {
  check = (): boolean => true;
  toString = (): string => 'syncAcks';
  async run(model: Model, real: Real): Promise<void> {
    real.durable.broker.log.journal!.syncAcks();
    await real.durable.settle();
    model.messages = model.messages.filter(({ isAcked, isLeftBehind }) => !isAcked || isLeftBehind);
    for (const message of model.messages) if (!message.isAcked) message.presence = 'must';
  }
}

class Restart implements Command {
  constructor(private readonly kind: 'power cut' | 'kill' | 'close') {}
  check = (): boolean => true;
  toString = (): string => this.kind;
  async run(model: Model, real: Real): Promise<void> {
    const { durable } = real;
    if (this.kind === 'close') {
      // As its connection would: what it holds goes back.
      for (const message of outstanding(model)) {
        queueOf(real).requeue(message.got!.position, message.got!.sequence);
        message.got = undefined;
      }
      await durable.settle();
      await durable.persistence.close();
      model.messages = model.messages.filter(({ isAcked, isLeftBehind }) => !isAcked || isLeftBehind);
      for (const message of model.messages) if (!message.isAcked) message.presence = 'must';
    }
    const disk = this.kind === 'power cut' ? durable.disk.powerCut() : durable.disk.crash();
    real.durable = await openDurable(disk);
    const queue = queueOf(real);
    const found = await drain(real.durable, queue);
    this.compare(model, found);
    if (this.kind !== 'close') model.isUnsure = true;
    // What a kill left unsynced, the next power cut may still take, acks too.
    const isSafe = this.kind !== 'kill';
    const gotByLabel = new Map(found.map((got) => [labelOf(got), got]));
    model.messages = model.messages.filter(
      ({ label, isAcked }) => gotByLabel.has(label) || (isAcked && this.kind !== 'power cut'),
    );
    for (const message of model.messages) {
      message.got = undefined;
      const got = gotByLabel.get(message.label);
      if (got === undefined) message.isLeftBehind = true;
      if (got === undefined) continue;
      if (isSafe) message.presence = 'must';
      Object.assign(message, { isAcked: false, isLeftBehind: false, wasOut: true });
    }
    const byLabel = new Map(model.messages.map((message) => [message.label, message]));
    for (const got of found) {
      queue.requeue(got.position, got.sequence);
      byLabel.get(labelOf(got))!.returnNumber = ++model.returnCount;
    }
  }

  private compare(model: Model, inOrder: readonly GotMessage[]): void {
    // Which returns had been noted decides about the order of a quorum queue: nobody knows after a crash.
    const found = model.type === 'classic' ? inOrder : [...inOrder].sort((a, b) => labelOf(a) - labelOf(b));
    const labels = found.map(labelOf);
    const present = new Set(labels);
    const expected = model.messages.filter(
      ({ label, presence }) => presence === 'must' || present.has(label),
    );
    expect(labels).toEqual(expected.map(({ label }) => label));
    for (const [i, { isRedelivered }] of found.entries()) {
      const { wasOut } = expected[i]!;
      if (wasOut || this.kind !== 'close') expect(isRedelivered).toBe(true);
      else if (!model.isUnsure) expect(isRedelivered).toBe(false);
    }
  }
}

const commands = fc.commands<Model, Real, false>(
  [
    fc
      .tuple(fc.integer({ min: 1, max: 60 }), fc.constantFrom(20, 150, 3_000), fc.boolean())
      .map((args) => new Publish(...args)),
    fc.constant(new Get()),
    fc.nat(20).map((pick) => new Settle(pick, 'acknowledge')),
    fc.nat(20).map((pick) => new Settle(pick, 'requeue')),
    fc.constant(new Purge()),
    fc.constant(new SyncAcks()),
    fc.constantFrom('power cut' as const, 'kill' as const, 'close' as const).map((kind) => new Restart(kind)),
  ],
  { maxCommands: 40, size: 'max' },
);

const TYPES: readonly (readonly [Model['type'], readonly FieldEntry[]])[] = [
  ['classic', []],
  [
    'quorum',
    [
      ['x-queue-type', longstr('quorum')],
      ['x-delivery-limit', signedint(1_000_000)],
    ],
  ],
];

describe.each(TYPES)('a durable queue of type %s', (type, entries) => {
  it('holds through restarts what it must, and nothing but that and what it may', async () => {
    await fc.assert(
      fc.asyncProperty(commands, fc.nat(), async (script, seed) => {
        const setup = async (): Promise<{ readonly model: Model; readonly real: Real }> => {
          const durable = await openDurable(new SimulatedFileSystem(seed));
          declareQueue(durable.virtualHost, 'q', entries);
          await durable.settle();
          return {
            model: { type, messages: [], returnCount: 0, nextLabel: 1, isUnsure: false },
            real: { durable },
          };
        };
        await fc.asyncModelRun(setup, script);
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});
