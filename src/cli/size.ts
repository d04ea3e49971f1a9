/**
 * Sizes as operators write them. The units are those of RabbitMQ's memory and disk settings
 * (rabbitmq.com/docs/memory): `KB MB GB TB` are powers of 1000, `KiB MiB GiB TiB` and the bare `K M G T` powers
 * of 1024. Letter case does not matter.
 */

const DECIMAL = 1000;
const BINARY = 1024;
const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['k', BINARY],
  ['kib', BINARY],
  ['kb', DECIMAL],
  ['m', BINARY ** 2],
  ['mib', BINARY ** 2],
  ['mb', DECIMAL ** 2],
  ['g', BINARY ** 3],
  ['gib', BINARY ** 3],
  ['gb', DECIMAL ** 3],
  ['t', BINARY ** 4],
  ['tib', BINARY ** 4],
  ['tb', DECIMAL ** 4],
]);

/** Longer texts are not sizes; the patterns below never run on more. */
const SIZE_TEXT_LENGTH_MAX = 32;
const SIZE = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i;
const PERCENT = /^(\d+(?:\.\d+)?) ?%$/;

/** Bytes of `512MB`, `1GiB`, `1.5G` or `1073741824`, rounded down; undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  if (text.length > SIZE_TEXT_LENGTH_MAX) return undefined;
  const match = SIZE.exec(text.trim());
  if (match === null) return undefined;
  const unit = match[2]!.toLowerCase();
  const unitBytes = UNIT_BYTES.get(unit);
  if (unitBytes === undefined) return undefined;
  // There is no part of a byte: `1.5` is a forgotten unit.
  if (unitBytes === 1 && match[1]!.includes('.')) return undefined;
  const bytes = Math.floor(Number(match[1]) * unitBytes);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** As `parseSize`, and `40%` of `wholeBytes`, up to 100%. */
export function parseSizeOrPercent(text: string, wholeBytes: number): number | undefined {
  if (text.length > SIZE_TEXT_LENGTH_MAX) return undefined;
  const match = PERCENT.exec(text.trim());
  if (match === null) return parseSize(text);
  const percent = Number(match[1]);
  return percent <= 100 ? Math.floor((wholeBytes / 100) * percent) : undefined;
}
