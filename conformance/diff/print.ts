/** What people read of a comparison. */
import type { Finding, Tally } from './campaign.js';
import { describeEvent, type Observation } from './observation.js';
import { describeOperation } from './operation.js';

const FLEETING_SHOWN_MAX = 12;

export interface Naming {
  readonly left: string;
  readonly right: string;
  readonly urls: readonly [left: string, right: string];
  readonly seed: number;
  readonly stepCount: number;
  readonly hasQuorum: boolean;
}

export function findingText(finding: Finding, naming: Naming): string {
  const { operations, difference, index, kept, isOfTheMoment } = finding;
  const lines = [
    isOfTheMoment ? 'A difference of the moment: a broker differs from itself here.' : 'A difference.',
  ];
  const { group } = difference;
  for (const operation of operations) {
    lines.push(`  ${group.includes(operation) ? '>' : ' '} ${describeOperation(operation)}`);
  }
  for (const slot of difference.slots) {
    lines.push(`  ${slot}:`, ...sideBySide(difference.left, difference.right, slot, naming));
  }
  const { urls, seed, stepCount, hasQuorum } = naming;
  const flags = `--seed ${seed} --steps ${stepCount} --sequence ${index} --keep ${kept.join(',')}${hasQuorum ? ' --quorum' : ''}`;
  lines.push(`  leveret conformance diff ${urls.join(' ')} ${flags}`);
  return `${lines.join('\n')}\n\n`;
}

/** What only one side has; of what both have, how much. */
function sideBySide(left: Observation, right: Observation, slot: string, naming: Naming): string[] {
  const [a, b] = [left, right].map((side) => (side.get(slot) ?? []).map(describeEvent)) as [
    string[],
    string[],
  ];
  const isSame = a.length === b.length && [...a].sort().join() === [...b].sort().join();
  const only = (mine: string[], theirs: string[]): string[] =>
    isSame ? mine : mine.filter((line) => !theirs.includes(line));
  const said = (name: string, lines: string[], all: string[]): string[] => {
    const rest = all.length - lines.length;
    const common = rest > 0 ? [`      (and ${rest} as the other)`] : [];
    return [
      `    ${name}:`,
      ...(all.length === 0 ? ['      nothing'] : lines.map((line) => `      ${line}`)),
      ...common,
    ];
  };
  return [...said(naming.left, only(a, b), a), ...said(naming.right, only(b, a), b)];
}

export function tallyText(tally: Tally, elapsedMs: number): string {
  const { findings, explained, repeatedCount, fleeting, sequenceCount, cutShortCount, stepCount } = tally;
  const unexplained = findings.filter(({ isOfTheMoment }) => !isOfTheMoment).length;
  const lines = [
    `${sequenceCount} sequences, ${stepCount} operations, ${(elapsedMs / 1000).toFixed(0)} s`,
    `${unexplained} unexplained ${unexplained === 1 ? 'kind' : 'kinds'} of difference` +
      (repeatedCount === 0 ? '' : `, and ${repeatedCount} times one of a kind seen before`),
    `${findings.length - unexplained} where a broker differs from itself`,
    `${fleeting.length} gone at a second look${fleetingPlaces(fleeting)}`,
  ];
  if (explained.size > 0) {
    lines.push(`explained, of which ${cutShortCount} ended their sequence:`);
    for (const [name, count] of [...explained].sort(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push(`  ${name.padEnd(32)} ${count}`);
    }
  }
  lines.push('observed of the first:');
  const counted = [...tally.observed].sort(([a], [b]) => (a < b ? -1 : 1));
  lines.push(`  ${counted.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  return `${lines.join('\n')}\n`;
}

/** Which sequences to look at: what is gone may come again. */
function fleetingPlaces(indexes: readonly number[]): string {
  if (indexes.length === 0) return '';
  const shown = [...indexes].sort((a, b) => a - b).slice(0, FLEETING_SHOWN_MAX);
  return `: sequence${indexes.length === 1 ? '' : 's'} ${shown.join(', ')}${indexes.length > shown.length ? ', ...' : ''}`;
}
