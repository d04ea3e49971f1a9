/** What kind of difference one is: two that have the same signature are most likely the same, seen twice. */
import type { Difference } from './lockstep.js';
import type { Event } from './observation.js';

export function signatureOf({ group, slots, left, right }: Difference): string {
  const last = group.at(-1)!.act;
  const method = last.kind === 'call' || last.kind === 'settle' ? last.method : last.kind;
  const kinds = slots.map((slot) => {
    const pair = [left, right].map((observation) => summaryOf(observation.get(slot) ?? []));
    return `${slot.replace(/^[A-Z]\d+ /, '').replace(/ .*/, '')}: ${pair.join(' / ')}`;
  });
  return [method, ...new Set(kinds)].join('; ');
}

/** Names and texts without what is particular to one sequence. */
function summaryOf(events: readonly Event[]): string {
  const names = events.map(({ name, fields }) => {
    if (name === 'counts') return name;
    const text = (fields.replyText ?? '').replace(/'[^']*'/g, '*').replace(/\d+/g, '#');
    return text === '' ? name : `${name} ${text}`;
  });
  return [...new Set(names)].join(', ');
}
