/** Does to a durable broker what clients do, chosen by a seed, and keeps the model beside it. */
import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import type { SeededRandom } from '../../src/lib/random.js';
import type { Queue } from '../../src/queues/queue.js';
import { bodyAt, type DurableBroker, declareQueue, microtasks, publish } from './durable-broker.js';
import {
  bodyOf,
  DurableModel,
  type Entry,
  LossError,
  labelOf,
  type Promised,
  type QueueModel,
} from './durable-model.js';

const QUEUES_MAX = 4;

export class DurableDriver {
  private readonly durable: DurableBroker;
  private readonly model: DurableModel;
  private readonly random: SeededRandom;

  constructor(durable: DurableBroker, model: DurableModel, random: SeededRandom) {
    this.durable = durable;
    this.model = model;
    this.random = random;
    if (!durable.virtualHost.exchanges.has('fan')) {
      durable.virtualHost.addExchange({
        name: 'fan',
        type: 'fanout',
        durable: true,
        autoDelete: false,
        internal: false,
        arguments: FieldTable.EMPTY,
      });
    }
  }

  /** What the broker has promised up to now. */
  get promised(): Omit<Promised, 'ending'> {
    const { log, definitions } = this.durable.broker;
    return { commit: log.journal!.durable.value, definition: definitions!.durable.value };
  }

  /** One thing a client does, and some progress of turn and disk. */
  async step(): Promise<void> {
    const pick = this.below(100);
    if (pick < 10) this.declare();
    else if (pick < 14) this.bindOrUnbind();
    else if (pick < 16) this.deleteQueue();
    else if (pick < 18) this.purge();
    else if (pick < 48) this.publish();
    else if (pick < 66) this.get();
    else if (pick < 84) this.settleOne();
    else if (pick < 90) this.syncAcks();
    else if (pick < 91) this.durable.clock.advance(250);
    // Long enough for the compactor to have a look.
    else if (pick < 93) this.durable.clock.advance(2_100);
    const progress = this.below(8);
    if (progress >= 3) this.durable.turn();
    if (progress >= 5) await microtasks(this.below(12));
    if (progress === 7) await this.durable.settle();
  }

  private below(bound: number): number {
    return this.random.uint32() % bound;
  }

  private choose<T>(items: readonly T[]): T | undefined {
    return items[this.below(Math.max(1, items.length))];
  }

  /** Queues that are there, with what the model knows of them. */
  private live(): { readonly queue: Queue; readonly model: QueueModel }[] {
    const { queues } = this.durable.virtualHost;
    return [...queues.values()].map((queue) => ({ queue, model: this.model.queues.get(queue.name)! }));
  }

  private get definitionsSequence(): number {
    return this.durable.broker.definitions!.sequence;
  }

  private declare(): void {
    const name = `q${this.below(QUEUES_MAX)}`;
    const known = this.model.queues.get(name);
    // Under a name whose deletion is under way nobody could tell which of the two a message belongs to.
    if (known !== undefined && !(known.deleted <= this.promised.definition)) return;
    const isDurable = this.below(6) > 0;
    const deadLetterQueue = this.below(2) === 0 ? `q${this.below(QUEUES_MAX)}` : undefined;
    const entries: FieldEntry[] = [];
    if (deadLetterQueue !== undefined) {
      entries.push(['x-dead-letter-exchange', { type: 'longstr', value: Buffer.from('') }]);
      entries.push(['x-dead-letter-routing-key', { type: 'longstr', value: Buffer.from(deadLetterQueue) }]);
    }
    declareQueue(this.durable.virtualHost, name, entries, isDurable);
    this.model.bindings.delete(name);
    this.model.queues.set(name, {
      name,
      isDurable,
      deadLetterQueue,
      declared: this.definitionsSequence,
      deleted: Number.POSITIVE_INFINITY,
      entries: [],
      isUnsure: false,
    });
  }

  private bindOrUnbind(): void {
    const { virtualHost } = this.durable;
    const target = this.choose(this.live());
    if (target === undefined) return;
    const { name } = target.queue;
    const fan = virtualHost.exchangeNamed('fan');
    const isBound = fan.isBoundTo(target.queue);
    const known = this.model.bindings.get(name);
    // As for queues: one change at a time can be told from the next.
    if (!isBound && known !== undefined && !(known.undone <= this.promised.definition)) return;
    if (isBound) virtualHost.unbind(fan, target.queue, '', FieldTable.EMPTY);
    else virtualHost.bind(fan, target.queue, '', FieldTable.EMPTY);
    if (!target.queue.durable) return;
    if (isBound) known!.undone = this.definitionsSequence;
    else this.model.bindings.set(name, { made: this.definitionsSequence, undone: Number.POSITIVE_INFINITY });
  }

  private deleteQueue(): void {
    const target = this.choose(this.live());
    if (target === undefined) return;
    // A message that somebody holds would outlive it, and its label with it.
    if (target.model.entries.some(({ got }) => got !== undefined)) return;
    this.durable.virtualHost.deleteQueue(target.queue);
    if (target.queue.durable) target.model.deleted = this.definitionsSequence;
    else this.model.queues.delete(target.queue.name);
    const binding = this.model.bindings.get(target.queue.name);
    if (binding?.undone === Number.POSITIVE_INFINITY) binding.undone = this.definitionsSequence;
  }

  private purge(): void {
    const target = this.choose(this.live());
    if (target === undefined) return;
    target.queue.purge();
    for (const entry of DurableModel.ready(target.model)) entry.isAcked = true;
  }

  private publish(): void {
    const target = this.choose(this.live());
    if (target === undefined) return;
    const isFanout = this.below(3) === 0;
    const isPersistent = this.below(8) > 0;
    // Most are small; some fill a segment, and a few need one of their own.
    const size = [30, 200, 900, 2_500, 12_000][this.below(100) < 97 ? this.below(4) : 4]!;
    const order = this.model.nextOrder();
    const fan = this.durable.virtualHost.exchangeNamed('fan');
    const targets = isFanout ? this.live().filter(({ queue }) => fan.isBoundTo(queue)) : [target];
    const commit = publish(this.durable, isFanout ? '' : target.queue.name, bodyOf(order, size), {
      exchange: isFanout ? 'fan' : '',
      isPersistent,
    });
    const fanout: Entry[] = [];
    for (const { model } of targets) {
      const entry = newEntry(order, order, size, isPersistent, commit, fanout);
      if (isPersistent && model.isDurable) fanout.push(entry);
      model.entries.push(entry);
    }
  }

  private get(): void {
    const target = this.choose(this.live());
    if (target === undefined) return;
    const { queue, model } = target;
    if (!queue.isHeadReadable()) return;
    const expected = DurableModel.ready(model)[0];
    const position = queue.get();
    if (position < 0 || expected === undefined) {
      if (position >= 0 || expected !== undefined)
        throw new LossError(`${queue.name}: got ${position}, expected message ${expected?.label}`);
      return;
    }
    const body = Buffer.from(bodyAt(this.durable, position));
    if (labelOf(body) !== expected.label)
      throw new LossError(`${queue.name}: got message ${labelOf(body)}, not ${expected.label}`);
    if (expected.wasHandedOut && !queue.lastRedelivered)
      throw new LossError(`${queue.name}: message ${expected.label} is no longer marked redelivered`);
    expected.wasHandedOut = true;
    expected.got = {
      position,
      sequence: queue.lastSequence,
      body,
      isRedelivered: queue.lastRedelivered,
    };
  }

  /** basic.ack, basic.nack with requeue, or basic.reject. */
  private settleOne(): void {
    const held = this.live().flatMap(({ queue, model }) =>
      model.entries.filter(({ got }) => got !== undefined).map((entry) => ({ queue, model, entry })),
    );
    const one = this.choose(held);
    if (one === undefined) return;
    const { queue, model, entry } = one;
    const { position, sequence } = entry.got!;
    const pick = this.below(6);
    if (pick === 0) {
      entry.got = undefined;
      queue.requeue(position, sequence);
      return;
    }
    const isReadable = this.durable.broker.log.isReadable(position);
    entry.got = undefined;
    entry.isAcked = true;
    const copyTo = this.model.queues.get(model.deadLetterQueue ?? '');
    // Two copies of one message in a queue could not be told from one another.
    const isThereAlready = copyTo?.entries.some(({ label }) => label === entry.label) ?? false;
    if (pick > 2 || !isReadable || isThereAlready) {
      queue.acknowledge(position, sequence);
      return;
    }
    this.expectCopy(model, entry);
    queue.reject(position, sequence);
  }

  /** A rejected message goes to the dead-letter queue; until that copy is safe it is not given up. */
  private expectCopy(model: QueueModel, entry: Entry): void {
    const name = model.deadLetterQueue;
    const target = name === undefined ? undefined : this.durable.virtualHost.queues.get(name);
    if (target === undefined) return;
    const copyTo = this.model.queues.get(target.name)!;
    const isCopyDurable = entry.isPersistent && target.durable;
    const commit = isCopyDurable ? this.durable.broker.log.journal!.nextCommit : 0;
    if (isCopyDurable) entry.copyCommit = commit;
    copyTo.entries.push(
      newEntry(entry.label, this.model.nextOrder(), entry.size, entry.isPersistent, commit, []),
    );
  }

  /** As tx.commit: the acks until now are safe once the watermark says so. */
  syncAcks(): void {
    const journal = this.durable.broker.log.journal!;
    journal.syncAcks();
    const commit = journal.isUrgent ? journal.nextCommit : 0;
    for (const { entries } of this.model.queues.values()) {
      for (const entry of entries) {
        if (entry.isAcked && entry.copyCommit <= this.promised.commit) {
          entry.ackCommit = Math.min(entry.ackCommit, commit);
        }
      }
    }
  }
}

function newEntry(
  label: number,
  order: number,
  size: number,
  isPersistent: boolean,
  commit: number,
  fanout: readonly Entry[],
): Entry {
  return {
    label,
    order,
    size,
    isPersistent,
    commit,
    fanout,
    isAcked: false,
    ackCommit: Number.POSITIVE_INFINITY,
    copyCommit: 0,
    got: undefined,
    wasHandedOut: false,
  };
}
