/**
 * What a broker was seen to do in a step, in a form in which two brokers can be compared: what has no order of its own
 * (confirms, cancels, deliveries to several consumers) is put into one, and what is made up is called alike.
 */
import type { Properties, Table, TableEntry, TaggedValue } from '../wire/raw-codec.js';
import type { Fields } from '../wire/raw-methods.js';

/** A frame, or a message with its properties and body, as it came on a channel. */
export interface Event {
  /** `A1`: channel 1 of connection A; `A0` is the connection itself. */
  readonly at: string;
  readonly name: string;
  readonly fields: Fields;
  readonly properties?: Properties;
  readonly body?: string;
}

/** Events by what they are; within a slot their order counts. */
export type Observation = ReadonlyMap<string, readonly Event[]>;

/** @param counts how many messages are ready in each queue, and how many consumers it has */
export function observe(events: readonly Event[], counts: ReadonlyMap<string, Fields>): Observation {
  const slots = new Map<string, Event[]>();
  const add = (slot: string, event: Event): void => {
    const list = slots.get(slot);
    if (list === undefined) slots.set(slot, [event]);
    else list.push(event);
  };
  for (const event of events) {
    const { at, fields } = event;
    switch (event.name) {
      case 'basic.deliver':
        add(`${at} deliveries to ${fields.consumerTag}`, withoutTag(event));
        add(`${at} delivery tags`, tagOf(event));
        break;
      case 'basic.get-ok':
        add(`${at} replies`, withoutTag(event));
        add(`${at} delivery tags`, tagOf(event));
        break;
      case 'basic.ack':
      case 'basic.nack':
        add(`${at} confirms`, event);
        break;
      case 'basic.cancel':
        add(`${at} cancels`, event);
        break;
      default:
        add(`${at} replies`, event);
    }
  }
  for (const [slot, list] of slots) {
    // Queues deliver, confirm and cancel side by side.
    if (/(?:tags|confirms|cancels)$/.test(slot)) list.sort(byText);
  }
  for (const [queue, { messageCount, consumerCount }] of counts) {
    add('counts', {
      at: queue,
      name: 'counts',
      fields: { messageCount: messageCount!, consumerCount: consumerCount! },
    });
  }
  return new Map([...slots].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutTag(event: Event): Event {
  const { deliveryTag: _deliveryTag, ...fields } = event.fields;
  return { ...event, fields };
}

function tagOf({ at, fields }: Event): Event {
  return { at, name: 'delivery tag', fields: { deliveryTag: fields.deliveryTag! } };
}

function byText(a: Event, b: Event): number {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : 1;
}

/** The slots in which two observations differ. */
export function differingSlots(left: Observation, right: Observation): string[] {
  const slots = new Set([...left.keys(), ...right.keys()]);
  return [...slots].filter((slot) => textOf(left, slot) !== textOf(right, slot)).sort();
}

function textOf(observation: Observation, slot: string): string {
  return JSON.stringify(observation.get(slot) ?? []);
}

export function mapEvents(observation: Observation, map: (event: Event) => Event): Observation {
  return new Map([...observation].map(([slot, events]) => [slot, events.map(map)]));
}

export function describeEvent({ at, name, fields, properties, body }: Event): string {
  const parts = [at, name, JSON.stringify(fields)];
  if (properties !== undefined) parts.push(JSON.stringify(properties));
  if (body !== undefined) parts.push(JSON.stringify(body));
  return parts.join(' ');
}

/** A value of any field with every text in it replaced. */
export function mapTexts<T>(value: T, map: (text: string) => string): T {
  const walk = (inner: unknown): unknown => {
    if (typeof inner === 'string') return map(inner);
    if (Buffer.isBuffer(inner)) return `0x${inner.toString('hex')}`;
    if (Array.isArray(inner)) return inner.map(walk);
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, one]) => [key, walk(one)]));
  };
  return walk(value) as T;
}

/** Headers with the times in x-death, which are of the clock, set to 0. */
export function withoutTimes(properties: Properties): Properties {
  const { headers } = properties;
  if (headers === undefined) return properties;
  const timeless = (entry: Table): Table =>
    entry.map((field) => (field[0] === 'time' ? ['time', field[1], 0] : field));
  return { ...properties, headers: mapDeathEntries(headers, timeless) };
}

/** Headers with every entry of x-death replaced. */
export function mapDeathEntries(headers: Table, map: (entry: Table) => Table): Table {
  return headers.map(([key, tag, value]): TableEntry => {
    if (key !== 'x-death' || tag !== 'A') return [key, tag, value];
    const entries = (value as readonly TaggedValue[]).map(([kind, entry]): TaggedValue => {
      return kind === 'F' ? [kind, map(entry as Table)] : [kind, entry];
    });
    return [key, tag, entries];
  });
}
