/**
 * The log for people: `2026-11-20 22:00:49.123 [info] accepted connection peer=127.0.0.1:40112 user=guest`, in
 * local time. One event is one line, except that the stack of an error follows below, indented.
 *
 * Clients choose much of what is logged (names, user agents, reply texts). What they send can neither begin a
 * line of its own nor reach the terminal as a control sequence.
 */

/** One line of the JSON log (see log.ts) as text, with its line break. */
export function formatLogLine(json: string): string {
  const fields = new Map<string, unknown>(Object.entries(JSON.parse(json) as object));
  const time = formatLocalTime(new Date(String(fields.get('time'))));
  let line = `${time} [${String(fields.get('level'))}] ${visible(String(fields.get('msg') ?? ''))}`;
  let stack = '';
  for (const [name, value] of fields) {
    if (OWN_FIELDS.has(name)) continue;
    if (isLoggedError(value)) {
      line += ` ${visible(name)}=${formatValue(value.message)}`;
      stack += indent(value.stack);
    } else {
      line += ` ${visible(name)}=${formatValue(value)}`;
    }
  }
  return `${line}\n${stack}`;
}

/** Fields with a place of their own in the line. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['time', 'level', 'msg']);

/** Needs no quotes: no space, quote, equals sign, backslash, control or invisible character. */
const PLAIN_VALUE = /^[!#-<>-[\]-~]+$/;
/** C0 and C1 control characters, line separators, and those that turn the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

function formatValue(value: unknown): string {
  if (typeof value === 'string' && PLAIN_VALUE.test(value)) return value;
  return visible(JSON.stringify(value) ?? String(value));
}

/** Control characters as `\u001b`. */
function visible(text: string): string {
  return text.replace(
    CONTROL_CHARACTERS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

interface LoggedError {
  readonly message: string;
  readonly stack: string;
}

function isLoggedError(value: unknown): value is LoggedError {
  if (typeof value !== 'object' || value === null) return false;
  const { message, stack } = value as Partial<Record<keyof LoggedError, unknown>>;
  return typeof message === 'string' && typeof stack === 'string';
}

function indent(stack: string): string {
  return stack
    .split('\n')
    .map((frame) => `    ${visible(frame)}\n`)
    .join('');
}

function formatLocalTime(time: Date): string {
  const date = `${time.getFullYear()}-${pad(time.getMonth() + 1, 2)}-${pad(time.getDate(), 2)}`;
  const clock = `${pad(time.getHours(), 2)}:${pad(time.getMinutes(), 2)}:${pad(time.getSeconds(), 2)}`;
  return `${date} ${clock}.${pad(time.getMilliseconds(), 3)}`;
}

function pad(number: number, width: number): string {
  return String(number).padStart(width, '0');
}
