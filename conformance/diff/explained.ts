/**
 * Differences that are known, with a name and a reason each; `conformance/differences.md` has the same list with
 * sources. A difference that is none of these is a finding.
 */
import type { Table } from '../wire/raw-codec.js';
import type { Fields } from '../wire/raw-methods.js';
import { differingSlots, type Event, mapDeathEntries, mapEvents, type Observation } from './observation.js';
import type { Operation } from './operation.js';

export interface Explanation {
  readonly name: string;
  readonly because: string;
  /** Makes the events of both brokers alike where they differ for this reason; the sequence goes on. */
  readonly rewrite?: (event: Event, quorumQueues: ReadonlySet<string>) => Event;
  /** Whether this is why what is left differs; the sequence ends, because the brokers are in different states now. */
  readonly ends?: (group: readonly Operation[], left: Observation, right: Observation) => boolean;
}

function mapHeaders(event: Event, map: (headers: Table) => Table): Event {
  const { properties } = event;
  if (properties?.headers === undefined) return event;
  return { ...event, properties: { ...properties, headers: map(properties.headers) } };
}

function byKey(a: readonly [string, ...unknown[]], b: readonly [string, ...unknown[]]): number {
  return a[0] === b[0] ? 0 : a[0] < b[0] ? -1 : 1;
}

function calls(group: readonly Operation[], method: string): boolean {
  return group.some(({ act }) => act.kind === 'call' && act.method === method);
}

/** The closes that the brokers sent, of channels and connections. */
function closesOf(...observations: readonly Observation[]): Fields[] {
  return observations
    .flatMap((observation) => [...observation.values()].flat())
    .filter(({ name }) => name === 'channel.close' || name === 'connection.close')
    .map(({ fields }) => fields);
}

export const EXPLANATIONS: readonly Explanation[] = [
  {
    name: 'last-death-headers',
    because: 'x-last-death-queue, -reason and -exchange came with 3.13',
    rewrite: (event) =>
      mapHeaders(event, (headers) => headers.filter(([key]) => !key.startsWith('x-last-death-'))),
  },
  {
    name: 'dead-letter-copies',
    because: '3.10 removes CC from a dead letter that gets a routing key, 3.13 keeps it',
    rewrite: (event) =>
      mapHeaders(event, (headers) => {
        const isDead = headers.some(([key]) => key === 'x-death');
        return isDead ? headers.filter(([key]) => key !== 'CC') : headers;
      }),
  },
  {
    name: 'original-expiration',
    because: '3.10 forgets it of a message that it had written to disk, and keeps it as it was written',
    rewrite: (event) =>
      mapHeaders(event, (headers) =>
        mapDeathEntries(headers, (entry) => entry.filter(([key]) => key !== 'original-expiration')),
      ),
  },
  {
    name: 'death-field-order',
    because: '3.10 puts the fields of an entry of x-death in another order than 3.13',
    rewrite: (event) =>
      mapHeaders(event, (headers) => mapDeathEntries(headers, (entry) => [...entry].sort(byKey))),
  },
  {
    name: 'quorum-consumer-count',
    because: '3.10 counts as a consumer of a quorum queue who holds something, or only the active one',
    rewrite: (event, quorumQueues) => {
      const { name, fields } = event;
      const queue = name === 'counts' ? event.at : name === 'queue.declare-ok' ? fields.queue : undefined;
      if (queue === undefined || !quorumQueues.has(queue)) return event;
      return { ...event, fields: { ...fields, consumerCount: 0 } };
    },
  },
  {
    name: 'quorum-first-get',
    because: '3.10 gives what basic.get brings from a quorum queue an x-delivery-count of 0',
    rewrite: (event) => {
      const { headers, ...others } = event.properties ?? {};
      const left = headers?.filter(([key, , value]) => key !== 'x-delivery-count' || value !== 0);
      if (left === undefined) return event;
      return { ...event, properties: left.length === 0 ? others : { ...others, headers: left } };
    },
  },
  {
    name: 'queue-type-default',
    because:
      'a declaration without x-queue-type names none in 3.10, and the classic type since types have a default',
    rewrite: (event) => {
      const { replyText } = event.fields;
      if (replyText?.includes("inequivalent arg 'x-queue-type'") !== true) return event;
      return { ...event, fields: { ...event.fields, replyText: replyText.replace(/: received .*/s, '') } };
    },
  },
  {
    name: 'header-order',
    because: '3.10 forwards headers as they were published, 3.13 sorts them',
    rewrite: (event) => mapHeaders(event, (headers) => [...headers].sort(byKey)),
  },
  {
    name: 'unknown-exchange-type',
    because: '503 and the end of the connection before 3.13.3, 406 and the end of the channel since',
    ends: (group, left, right) =>
      calls(group, 'exchange.declare') &&
      closesOf(left, right).some(({ replyText }) =>
        /^COMMAND_INVALID - (?:unknown|invalid) exchange type/.test(replyText!),
      ) &&
      closesOf(left, right).some(({ replyText }) =>
        /^PRECONDITION_FAILED - (?:unknown|invalid) exchange type/.test(replyText!),
      ),
  },
  {
    name: 'delivery-mode-unknown',
    because: '3.10 refuses a delivery-mode that is neither 1 nor 2, 3.13 takes it for 1',
    ends: (_group, left, right) =>
      closesOf(left, right).some(({ replyText }) => replyText!.includes('{delivery_mode_unknown,')),
  },
  {
    name: 'delivered-to-closing-channel',
    because:
      'a channel of RabbitMQ tells its queues one by one that it ends, and may get deliveries meanwhile',
    ends: (_group, left, right) => {
      // What such a channel got is redelivered to others.
      const [a, b] = [left, right].map((side) => mapEvents(side, asRedelivered)) as [
        Observation,
        Observation,
      ];
      const slots = differingSlots(a, b);
      const channels = slots.flatMap((slot) => /^([AB]\d) deliver(?:ies|y) /.exec(slot)?.[1] ?? []);
      const places = [...new Set(channels)];
      const isOther = (slot: string): boolean =>
        slot !== 'counts' && !places.some((place) => slot.startsWith(`${place} deliver`));
      return (
        places.length > 0 && !slots.some(isOther) && places.every((place) => hasEnded(place, left, right))
      );
    },
  },
  {
    name: 'settled-in-a-later-queue',
    because: 'a queue of 3.10 crashes when it hears of a delivery that an earlier queue of its name made',
    ends: (group, left, right) => {
      const isSettling = group.some(({ act }) => act.kind === 'settle' && act.method !== 'basic.ack');
      const slots = differingSlots(left, right);
      const isConsequence = (slot: string): boolean =>
        slot === 'counts' || /^[AB]\d (?:cancels|deliver)/.test(slot);
      const cancels = slots.filter((slot) => slot.endsWith(' cancels'));
      return (
        isSettling &&
        cancels.length > 0 &&
        slots.every(isConsequence) &&
        !cancels.some((slot) => right.has(slot))
      );
    },
  },
];

function asRedelivered(event: Event): Event {
  if (event.name !== 'basic.deliver') return event;
  return { ...event, fields: { ...event.fields, redelivered: true } };
}

/** Whether a channel, or its connection, was closed on both brokers. */
function hasEnded(place: string, ...observations: readonly Observation[]): boolean {
  const closes = /^(?:channel\.close(?:-ok)?|connection\.close(?:-ok)?)$/;
  return observations.every((observation) =>
    [place, `${place[0]}0`].some(
      (at) => observation.get(`${at} replies`)?.some(({ name }) => closes.test(name)) === true,
    ),
  );
}

/** What was said about a difference. */
export interface Judgement {
  /** Slots that differ and that nothing explains. */
  readonly unexplained: readonly string[];
  /** Names of the explanations that were needed. */
  readonly explained: readonly string[];
  /** The brokers are in different states, and going on would tell nothing. */
  readonly isOver: boolean;
}

/** @param quorumQueues names of those that the sequence declares */
export function judgeStep(
  group: readonly Operation[],
  left: Observation,
  right: Observation,
  quorumQueues: ReadonlySet<string> = new Set(),
): Judgement {
  if (differingSlots(left, right).length === 0) return { unexplained: [], explained: [], isOver: false };
  const rewriters = EXPLANATIONS.filter(({ rewrite }) => rewrite !== undefined);
  const alikeWith = (chosen: readonly Explanation[]): [Observation, Observation] => {
    const map = (event: Event): Event =>
      chosen.reduce((seen, { rewrite }) => rewrite!(seen, quorumQueues), event);
    return [mapEvents(left, map), mapEvents(right, map)];
  };
  const needed = neededOf(rewriters, (chosen) => differingSlots(...alikeWith(chosen)).length);
  const explained = needed.map(({ name }) => name);
  const [a, b] = alikeWith(needed);
  const unexplained = differingSlots(a, b);
  if (unexplained.length === 0) return { unexplained, explained, isOver: false };
  // What differs for another reason, too, may still need one that was not needed for itself.
  const [mostAlikeLeft, mostAlikeRight] = alikeWith(rewriters);
  const end = EXPLANATIONS.find(({ ends }) => ends?.(group, mostAlikeLeft, mostAlikeRight) === true);
  if (end === undefined) return { unexplained, explained, isOver: true };
  return { unexplained: [], explained: [...explained, end.name], isOver: true };
}

/** Those without which more would differ. */
function neededOf(
  all: readonly Explanation[],
  countDiffering: (chosen: readonly Explanation[]) => number,
): readonly Explanation[] {
  let chosen = all;
  const best = countDiffering(all);
  for (const one of all) {
    const without = chosen.filter((other) => other !== one);
    if (countDiffering(without) === best) chosen = without;
  }
  return chosen;
}
