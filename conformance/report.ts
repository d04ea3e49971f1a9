/** What a run came to, in words for people and in the formats of other programs. */
import { areaOf, type Dialect } from './case.js';
import type { CaseResult } from './runner.js';

export const REPORT_FORMATS = ['junit', 'json', 'markdown'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

export interface Verdict {
  /** The broker, without its password. */
  readonly broker: string;
  /** What it calls itself. */
  readonly product: string;
  readonly dialect: Dialect;
  readonly results: readonly CaseResult[];
  readonly elapsedMs: number;
}

interface AreaCount {
  readonly area: string;
  readonly passed: number;
  readonly skipped: number;
  readonly total: number;
}

export function failedIn(results: readonly CaseResult[]): CaseResult[] {
  return results.filter(({ failure }) => failure !== undefined);
}

export function skippedIn(results: readonly CaseResult[]): CaseResult[] {
  return results.filter(({ skipped }) => skipped !== undefined);
}

/** A failed case, as it is told while the suite runs. */
export function failureText({ of, failure }: CaseResult): string {
  return `FAILED ${of.id}: ${of.title}\n  rule:   ${of.rule}\n  source: ${of.source}\n  ${failure}\n`;
}

/** The table by area, and the verdict. */
export function summaryText(verdict: Verdict): string {
  const rows = [...areaCounts(verdict.results), totalOf(verdict.results)];
  const lines = rows.map(({ area, passed, skipped, total }) => {
    const note = skipped === 0 ? '' : `, ${skipped} skipped`;
    return `${area.padEnd(16)}${String(passed).padStart(6)} of ${total}${note}`;
  });
  const failedCount = failedIn(verdict.results).length;
  const skips = skippedIn(verdict.results);
  const seconds = (verdict.elapsedMs / 1000).toFixed(1);
  const ran = skips.length === 0 ? 'all passed' : 'all that ran passed';
  const end = failedCount === 0 ? ran : `${failedCount} failed`;
  const reasons = skipReasons(skips).map((reason) => `SKIPPED ${reason}\n`);
  return `\n${lines.join('\n')}\n\n${reasons.join('')}${verdict.product} at ${verdict.broker}, held to ${verdict.dialect}: ${end} in ${seconds} s\n`;
}

/** Why cases were skipped: once for each reason, with how many they are. */
function skipReasons(skips: readonly CaseResult[]): string[] {
  const counts = new Map<string, number>();
  for (const { skipped = '' } of skips) counts.set(skipped, (counts.get(skipped) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${count === 1 ? 'case' : 'cases'}: ${reason}`);
}

export function reportOf(verdict: Verdict, format: ReportFormat): string {
  if (format === 'json') return jsonReport(verdict);
  return format === 'junit' ? junitReport(verdict) : markdownReport(verdict);
}

function jsonReport({ results, ...about }: Verdict): string {
  const cases = results.map(({ of, failure, skipped, elapsedMs }) => ({
    id: of.id,
    title: of.title,
    rule: of.rule,
    source: of.source,
    tags: of.tags,
    passed: failure === undefined && skipped === undefined,
    failure: failure ?? null,
    skipped: skipped ?? null,
    elapsedMs: Math.round(elapsedMs),
  }));
  return `${JSON.stringify({ ...about, elapsedMs: Math.round(about.elapsedMs), cases }, null, 2)}\n`;
}

function junitReport({ product, dialect, results, elapsedMs }: Verdict): string {
  const cases = results.map(({ of, failure, skipped, elapsedMs: caseMs }) => {
    const attributes = `classname="${xml(areaOf(of))}" name="${xml(of.id)}" time="${seconds(caseMs)}"`;
    if (skipped !== undefined) {
      return `    <testcase ${attributes}>\n      <skipped message="${xml(skipped)}"/>\n    </testcase>`;
    }
    if (failure === undefined) return `    <testcase ${attributes}/>`;
    const text = xml(`${of.title}\nrule: ${of.rule}\nsource: ${of.source}`);
    return `    <testcase ${attributes}>\n      <failure message="${xml(failure)}">${text}</failure>\n    </testcase>`;
  });
  const [failures, skips] = [failedIn(results).length, skippedIn(results).length];
  const counts = `tests="${results.length}" failures="${failures}" skipped="${skips}" time="${seconds(elapsedMs)}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="${xml(`${product}, ${dialect}`)}" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>\n',
  ].join('\n');
}

function markdownReport({ product, dialect, results }: Verdict): string {
  const rows = [...areaCounts(results), totalOf(results)].map(
    ({ area, passed, total }) => `| ${area} | ${passed} | ${total} |`,
  );
  const failures = failedIn(results).map(
    ({ of, failure = '' }) => `- \`${of.id}\`: ${of.title} (${of.source}): ${failure.replaceAll('\n', ' ')}`,
  );
  return [
    `**${product}**, held to ${dialect}`,
    '',
    '| area | passed | cases |',
    '| --- | ---: | ---: |',
    ...rows,
    ...(failures.length === 0 ? [] : ['', ...failures]),
    ...skipReasons(skippedIn(results)).flatMap((reason) => ['', `Skipped ${reason}`]),
    '',
  ].join('\n');
}

function areaCounts(results: readonly CaseResult[]): AreaCount[] {
  const byArea = new Map<string, CaseResult[]>();
  for (const result of results) {
    const area = areaOf(result.of);
    const others = byArea.get(area);
    if (others === undefined) byArea.set(area, [result]);
    else others.push(result);
  }
  return [...byArea].map(([area, of]) => ({ ...totalOf(of), area }));
}

function totalOf(results: readonly CaseResult[]): AreaCount {
  const skipped = skippedIn(results).length;
  const passed = results.length - failedIn(results).length - skipped;
  return { area: 'all', passed, skipped, total: results.length };
}

function seconds(elapsedMs: number): string {
  return (elapsedMs / 1000).toFixed(3);
}

const XML_ESCAPES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ['\n', '&#10;'],
]);

function xml(text: string): string {
  // What XML 1.0 cannot hold at all becomes a question mark: brokers may send anything.
  return [...text]
    .map((character) =>
      character < ' ' && character !== '\n' ? '?' : (XML_ESCAPES.get(character) ?? character),
    )
    .join('');
}
