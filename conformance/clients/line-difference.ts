/** The difference of two texts as people read it: lines that are missing, lines that are new, and some around them. */

const CONTEXT_LINES = 2;

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** @returns lines that begin with `-` for what only `expected` has, `+` for what only `got` has */
export function lineDifference(expected: string, got: string): string {
  const lines = align(splitLines(expected), splitLines(got));
  const shown = new Set<number>();
  for (const [index, { sign }] of lines.entries()) {
    if (sign === ' ') continue;
    for (let near = index - CONTEXT_LINES; near <= index + CONTEXT_LINES; near++) shown.add(near);
  }
  const output: string[] = [];
  let previous = -1;
  for (const [index, { sign, text }] of lines.entries()) {
    if (!shown.has(index)) continue;
    if (index !== previous + 1) output.push('  ...');
    output.push(`${sign} ${text}`);
    previous = index;
  }
  return output.join('\n');
}

function splitLines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** Puts the longest sequence of lines that both have in common side by side. */
function align(expected: readonly string[], got: readonly string[]): Line[] {
  // commonCounts[i][j] is the length of that sequence of expected from i and got from j on.
  const commonCounts = Array.from({ length: expected.length + 1 }, () =>
    new Array<number>(got.length + 1).fill(0),
  );
  for (let i = expected.length - 1; i >= 0; i--) {
    for (let j = got.length - 1; j >= 0; j--) {
      commonCounts[i]![j] =
        expected[i] === got[j]
          ? commonCounts[i + 1]![j + 1]! + 1
          : Math.max(commonCounts[i + 1]![j]!, commonCounts[i]![j + 1]!);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < expected.length || j < got.length) {
    if (i < expected.length && j < got.length && expected[i] === got[j]) {
      lines.push({ sign: ' ', text: expected[i]! });
      i++;
      j++;
    } else if (
      j === got.length ||
      (i < expected.length && commonCounts[i + 1]![j]! >= commonCounts[i]![j + 1]!)
    ) {
      lines.push({ sign: '-', text: expected[i++]! });
    } else {
      lines.push({ sign: '+', text: got[j++]! });
    }
  }
  return lines;
}
