/** Takes two brokers through one sequence, step by step, until they differ or it is done. */
import { judgeStep } from './explained.js';
import type { Observation } from './observation.js';
import { groupsOf, type Operation } from './operation.js';
import type { Patience, Subject } from './subject.js';

export interface Difference {
  /** The operations sent at once after which the brokers differed. */
  readonly group: readonly Operation[];
  readonly groupIndex: number;
  readonly slots: readonly string[];
  readonly left: Observation;
  readonly right: Observation;
}

export interface Outcome {
  /** Undefined when nothing differed that is not explained. */
  readonly difference: Difference | undefined;
  /** How often each explanation was needed. */
  readonly explained: ReadonlyMap<string, number>;
  readonly stepCount: number;
  /** What the left broker did, by what it is called, and how often. */
  readonly observed: ReadonlyMap<string, number>;
  /** An explained difference left the brokers in different states, so the rest was not done. */
  readonly isCutShort: boolean;
}

export interface Pair {
  readonly left: Subject;
  readonly right: Subject;
}

/** @param nonce six characters that no other sequence has, now or before */
export async function runSequence(
  { left, right }: Pair,
  operations: readonly Operation[],
  nonce: string,
  patience: Patience,
): Promise<Outcome> {
  // Names of the same length: texts are cut at 255 bytes.
  left.begin(`l${nonce}-`, patience);
  right.begin(`r${nonce}-`, patience);
  const explained = new Map<string, number>();
  const observed = new Map<string, number>();
  const quorumQueues = quorumQueuesOf(operations);
  let stepCount = 0;
  let difference: Difference | undefined;
  let isCutShort = false;
  try {
    for (const [groupIndex, group] of groupsOf(operations).entries()) {
      const [a, b] = await Promise.all([left.perform(group), right.perform(group)]);
      stepCount += group.length;
      for (const name of kindsOf(a)) observed.set(name, (observed.get(name) ?? 0) + 1);
      const { unexplained, explained: names, isOver } = judgeStep(group, a, b, quorumQueues);
      for (const name of names) explained.set(name, (explained.get(name) ?? 0) + 1);
      if (unexplained.length > 0) difference = { group, groupIndex, slots: unexplained, left: a, right: b };
      isCutShort = isOver && difference === undefined;
      if (isOver) break;
    }
  } finally {
    const exchanges = exchangesOf(operations);
    await Promise.all([left.clear(exchanges), right.clear(exchanges)]);
  }
  return { difference, explained, stepCount, observed, isCutShort };
}

function quorumQueuesOf(operations: readonly Operation[]): Set<string> {
  const names = new Set<string>();
  for (const { act } of operations) {
    if (act.kind !== 'call' || act.method !== 'queue.declare') continue;
    const { queue = '', arguments: args = [] } = act.fields;
    if (args.some(([key, , value]) => key === 'x-queue-type' && value === 'quorum')) names.add(queue);
  }
  return names;
}

function exchangesOf(operations: readonly Operation[]): string[] {
  const names = new Set<string>();
  for (const { act } of operations) {
    if (act.kind === 'call' && act.method === 'exchange.declare' && act.fields.exchange?.startsWith('~')) {
      names.add(act.fields.exchange);
    }
  }
  return [...names];
}

/** Closes by their code, and dead letters, beside the names of methods. */
function kindsOf(observation: Observation): string[] {
  const events = [...observation.values()].flat();
  return events.flatMap(({ name, fields, properties }) => {
    if (name === 'counts' || name === 'delivery tag') return [];
    const kind = fields.replyCode === undefined ? name : `${name} ${fields.replyCode}`;
    const isDead = properties?.headers?.some(([key]) => key === 'x-death') === true;
    return isDead ? [kind, 'dead letter'] : [kind];
  });
}
