/**
 * What a data directory must hold after a power cut, kept beside a broker while it works: the oracle of the
 * power-cut test. What was promised (confirmed, declared, acknowledged for sure) is exact; what was under way may or
 * may not have happened; what nobody did must not be there.
 */
import type { Queue } from '../../src/queues/queue.js';
import { type DurableBroker, drain, type GotMessage } from './durable-broker.js';

/** A message in one queue. */
export interface Entry {
  readonly label: number;
  /** Its place among all that was ever written: recovery keeps this order. */
  readonly order: number;
  readonly size: number;
  readonly isPersistent: boolean;
  /** The commit that makes it safe; 0: it was found after a power cut. */
  readonly commit: number;
  /** The entries one publish made: after a power cut there are all of them or none. */
  readonly fanout: readonly Entry[];
  /** Acknowledged, or dropped; it may be there again until that is known to be safe. */
  isAcked: boolean;
  /** The commit that makes the ack safe; Infinity while nothing promised it. */
  ackCommit: number;
  /** The commit of its dead-lettered copy: until then the message itself is not given up. */
  copyCommit: number;
  got: GotMessage | undefined;
  /** It was handed out once, or may have been: from then on it is marked redelivered. */
  wasHandedOut: boolean;
}

export interface QueueModel {
  readonly name: string;
  readonly isDurable: boolean;
  readonly deadLetterQueue: string | undefined;
  /** Numbers of the definitions log; 0: found after a power cut. `deleted` is Infinity while it is there. */
  readonly declared: number;
  deleted: number;
  entries: Entry[];
  /** A crash made everything in it count as handed out, once. */
  isUnsure: boolean;
}

/** How an opening ended. `either`: the power went while it was being opened, or closed. */
export type Ending = 'clean' | 'crash' | 'either';

/** How far the durable watermarks had come when the power went. */
export interface Promised {
  readonly commit: number;
  readonly definition: number;
  readonly ending: Ending;
}

/** What a power cut must not do. */
export class LossError extends Error {
  override readonly name = 'LossError';
}

/** A body that says which message it is, all through. */
export function bodyOf(label: number, size: number): Buffer {
  const bytes = Buffer.alloc(Math.max(8, size), label & 0xff);
  bytes.writeUInt32BE(label, 0);
  bytes.writeUInt32BE(size, 4);
  return bytes;
}

export function labelOf(body: Buffer): number {
  const label = body.readUInt32BE(0);
  if (!bodyOf(label, body.readUInt32BE(4)).equals(body)) throw new LossError(`message ${label} is damaged`);
  return label;
}

export class DurableModel {
  queues = new Map<string, QueueModel>();
  /** Bindings of the fanout exchange: when they were made, and undone. */
  bindings = new Map<string, { readonly made: number; undone: number }>();
  private lastOrder = 0;

  nextOrder(): number {
    return ++this.lastOrder;
  }

  /** Entries of a queue that are ready now, in their order. */
  static ready(queue: QueueModel): Entry[] {
    return queue.entries
      .filter(({ isAcked, got }) => !isAcked && got === undefined)
      .sort((a, b) => a.order - b.order);
  }

  /** Compares with what was recovered, which then is what the model says. @throws LossError */
  async check(recovered: DurableBroker, promised: Promised): Promise<void> {
    const queues = new Map<string, QueueModel>();
    for (const queue of recovered.virtualHost.queues.values()) {
      queues.set(queue.name, await this.checkQueue(recovered, queue, promised));
    }
    for (const [name, { isDurable, declared, deleted }] of this.queues) {
      const mustBe = isDurable && declared <= promised.definition && deleted === Number.POSITIVE_INFINITY;
      if (mustBe && !queues.has(name)) throw new LossError(`queue ${name} is gone`);
    }
    this.checkFanouts(queues);
    this.checkBindings(recovered, promised, queues);
    this.queues = queues;
  }

  private async checkQueue(recovered: DurableBroker, queue: Queue, promised: Promised): Promise<QueueModel> {
    const { name } = queue;
    const model = this.queues.get(name);
    if (model === undefined || !model.isDurable) throw new LossError(`queue ${name} should not be there`);
    if (model.deleted <= promised.definition) throw new LossError(`queue ${name} was deleted`);
    const expectedDeadLetter = queue.settings.deadLetterRoutingKey;
    if (expectedDeadLetter !== model.deadLetterQueue) throw new LossError(`queue ${name}: other arguments`);

    // What was out when the broker ended makes it unsure of the whole queue.
    const isUnsure = model.isUnsure || model.entries.some(({ got }) => got !== undefined);
    const byLabel = new Map(model.entries.map((entry) => [entry.label, entry]));
    const entries: Entry[] = [];
    let lastOrder = 0;
    for (const { body, isRedelivered } of await drain(recovered, queue)) {
      const label = labelOf(body);
      const entry = byLabel.get(label);
      if (entry === undefined) throw new LossError(`${name}: message ${label} is there twice, or never was`);
      byLabel.delete(label);
      if (!isRedelivered && (entry.wasHandedOut || promised.ending === 'crash'))
        throw new LossError(`${name}: message ${label} is not marked redelivered`);
      if (isRedelivered && !entry.wasHandedOut && promised.ending === 'clean' && !isUnsure)
        throw new LossError(`${name}: message ${label} is marked redelivered, and never was handed out`);
      if (!entry.isPersistent) throw new LossError(`${name}: message ${label} is transient`);
      if (entry.ackCommit <= promised.commit)
        throw new LossError(`${name}: message ${label} was acknowledged`);
      if (entry.order <= lastOrder) throw new LossError(`${name}: message ${label} is out of order`);
      lastOrder = entry.order;
      entries.push({ ...entry, wasHandedOut: isRedelivered });
    }
    if (model.deleted === Number.POSITIVE_INFINITY) {
      for (const entry of byLabel.values()) {
        if (isPromised(entry, promised)) throw new LossError(`${name}: message ${entry.label} is lost`);
      }
    }
    return {
      ...model,
      declared: 0,
      deleted: Number.POSITIVE_INFINITY,
      entries: entries.map(foundAgain),
      isUnsure: isUnsure || promised.ending !== 'clean',
    };
  }

  /** One record holds a message for all its queues: a batch counts as a whole or not at all. */
  private checkFanouts(found: ReadonlyMap<string, QueueModel>): void {
    const present = new Set<string>();
    for (const { name, entries } of found.values()) {
      for (const { label, order } of entries) present.add(`${name} ${label} ${order}`);
    }
    const where = new Map<Entry, string>();
    for (const { name, entries, deleted } of this.queues.values()) {
      if (deleted !== Number.POSITIVE_INFINITY || !found.has(name)) continue;
      for (const entry of entries) if (!entry.isAcked) where.set(entry, name);
    }
    for (const [entry, name] of where) {
      for (const other of entry.fanout) {
        const otherName = where.get(other);
        if (otherName === undefined) continue;
        const isThere = present.has(`${name} ${entry.label} ${entry.order}`);
        if (isThere !== present.has(`${otherName} ${other.label} ${other.order}`)) {
          throw new LossError(`message ${entry.label} is in one of ${name} and ${otherName} only`);
        }
      }
    }
  }

  private checkBindings(
    recovered: DurableBroker,
    promised: Promised,
    queues: ReadonlyMap<string, QueueModel>,
  ): void {
    const fan = recovered.virtualHost.exchanges.get('fan');
    const found = new Set([...(fan?.bindings() ?? [])].map(({ destination }) => destination.name));
    for (const [name, { made, undone }] of this.bindings) {
      const mustBe = made <= promised.definition && undone === Number.POSITIVE_INFINITY && queues.has(name);
      const isDeleting = this.queues.get(name)?.deleted !== Number.POSITIVE_INFINITY;
      if (mustBe && !isDeleting && !found.has(name)) throw new LossError(`the binding of ${name} is gone`);
      if (undone <= promised.definition && found.has(name)) throw new LossError(`${name} was unbound`);
    }
    for (const name of found) if (!this.bindings.has(name)) throw new LossError(`${name} was never bound`);
    this.bindings = new Map([...found].map((name) => [name, { made: 0, undone: Number.POSITIVE_INFINITY }]));
  }
}

/** Whether the message must be in its queue again. */
function isPromised(entry: Entry, { commit }: Promised): boolean {
  if (!entry.isPersistent || entry.commit > commit) return false;
  return !entry.isAcked || commit < entry.copyCommit;
}

function foundAgain({ label, order, size, wasHandedOut }: Entry): Entry {
  return {
    label,
    order,
    size,
    isPersistent: true,
    commit: 0,
    fanout: [],
    isAcked: false,
    ackCommit: Number.POSITIVE_INFINITY,
    copyCommit: 0,
    got: undefined,
    wasHandedOut,
  };
}
