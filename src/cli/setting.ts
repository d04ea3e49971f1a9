/**
 * A value an operator set, before anyone looked at it, and the readers that turn it into what the broker takes.
 * Each reader refuses a wrong value with a sentence that names the flag, variable or key it came from.
 */
import { CommandError, EXIT_CONFIGURATION, EXIT_USAGE } from './command-error.js';
import type { OptionName } from './option-list.js';
import { parseSize, parseSizeOrPercent } from './size.js';

export interface Setting {
  readonly source: 'flag' | 'environment' | 'file';
  /** As an operator would call it: `--port`, `LEVERET_PORT`, `"port" in leveret.json`. */
  readonly label: string;
  /** At least one. Text from flags and variables; from a file numbers, booleans and objects as well. */
  readonly values: readonly unknown[];
}

/** What one source sets. */
export type Settings = ReadonlyMap<OptionName, Setting>;

/** @param what follows the label: `must be ...` */
export function refuse(setting: Setting, what: string): never {
  throw settingError(setting.source, `${setting.label} ${what}`);
}

/** A wrong flag is wrong usage; a wrong variable or file is a wrong configuration. */
export function settingError(source: Setting['source'], message: string): CommandError {
  return new CommandError(message, source === 'flag' ? EXIT_USAGE : EXIT_CONFIGURATION);
}

/** The first of the sources that sets the option, so callers pass them in order of precedence. */
export function firstSetting(sources: readonly Settings[], name: OptionName): Setting | undefined {
  for (const source of sources) {
    const setting = source.get(name);
    if (setting !== undefined) return setting;
  }
  return undefined;
}

/** A whole number between two bounds, both included. */
export function readInteger(setting: Setting, min: number, max: number): number {
  const value = onlyValue(setting);
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
  refuse(setting, `must be a whole number from ${min} to ${max}, not ${quote(value)}`);
}

/** Milliseconds, at least 1, or Infinity for `none`. */
export function readDuration(setting: Setting, maxMs: number): number {
  const value = onlyValue(setting);
  if (value === 'none') return Number.POSITIVE_INFINITY;
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= maxMs) return number;
  refuse(setting, `must be a whole number of milliseconds from 1 to ${maxMs}, or none, not ${quote(value)}`);
}

/** Bytes, at least 1. */
export function readSize(setting: Setting, maxBytes: number): number {
  const value = onlyValue(setting);
  const bytes = parseSize(String(value));
  if (bytes !== undefined && bytes >= 1 && bytes <= maxBytes) return bytes;
  refuse(setting, `must be a size from 1 to ${maxBytes} bytes, such as 64MiB, not ${quote(value)}`);
}

/** Bytes, at least 1, or a percentage of `wholeBytes`. */
export function readSizeOrPercent(setting: Setting, wholeBytes: number): number {
  const value = onlyValue(setting);
  const bytes = parseSizeOrPercent(String(value), wholeBytes);
  if (bytes !== undefined && bytes >= 1) return bytes;
  refuse(
    setting,
    `must be a size above 0, such as 512MB, or a percentage up to 100%, such as 40%, not ${quote(value)}`,
  );
}

export function readText(setting: Setting): string {
  const value = onlyValue(setting);
  if (typeof value === 'string' && value !== '') return value;
  refuse(setting, 'must not be empty');
}

export function readSwitch(setting: Setting): boolean {
  const value = onlyValue(setting);
  if (value === true || value === 'true' || value === '1') return true;
  if (value === false || value === 'false' || value === '0') return false;
  refuse(setting, `must be true or false, not ${quote(value)}`);
}

export function readChoice<T extends string>(setting: Setting, choices: readonly T[]): T {
  const value = onlyValue(setting);
  const choice = choices.find((candidate) => candidate === value);
  if (choice !== undefined) return choice;
  const expected = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
  refuse(setting, `must be ${expected}, not ${quote(value)}`);
}

/** Names, each at most `maxBytes` long and given once. */
export function readNames(setting: Setting, maxBytes: number): readonly string[] {
  const names = new Set<string>();
  for (const value of setting.values) {
    if (typeof value !== 'string' || value === '') refuse(setting, 'must not be empty');
    if (Buffer.byteLength(value) > maxBytes) {
      refuse(setting, `must be at most ${maxBytes} bytes long, not ${quote(value)}`);
    }
    if (names.has(value)) refuse(setting, `has ${quote(value)} twice; leave one out`);
    names.add(value);
  }
  return [...names];
}

/** Takes a string out of the keys of an object. */
export function takeText(setting: Setting, fields: Map<string, unknown>, key: string): string {
  const value = fields.get(key);
  fields.delete(key);
  if (typeof value === 'string') return value;
  refuse(setting, `must have a string as "${key}" in each of its objects`);
}

/** @param known what its objects have */
export function refuseOthers(setting: Setting, fields: ReadonlyMap<string, unknown>, known: string): void {
  for (const key of fields.keys())
    refuse(setting, `has the unknown key ${quote(key)}; its objects have ${known}`);
}

/** The five parts of a text with colons between them. @param form what it has to look like, for the message */
export function fiveParts(
  setting: Setting,
  text: string,
  form: string,
): readonly [string, string, string, string, string] {
  const [first, second, third, fourth, fifth, ...rest] = text.split(':');
  if (
    first === undefined ||
    second === undefined ||
    third === undefined ||
    fourth === undefined ||
    fifth === undefined ||
    rest.length > 0
  ) {
    const advice = 'a part with a colon can be set in the configuration file';
    refuse(setting, `must be ${form}, not ${quote(text)}; ${advice}`);
  }
  return [first, second, third, fourth, fifth];
}

/** Text longer than this is cut in messages. */
const QUOTED_LENGTH_MAX = 60;

/** A value for a message: on one line, not endless, with no control characters that a terminal would obey. */
export function quote(value: unknown): string {
  const text = (JSON.stringify(value) ?? String(value)).replace(/[\u007f-\u009f\u2028\u2029]/g, '?');
  const cut = text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}...` : text;
  return typeof value === 'string' && cut === text ? `'${text.slice(1, -1)}'` : cut;
}

function onlyValue(setting: Setting): unknown {
  if (setting.values.length > 1) refuse(setting, `was given ${setting.values.length} times; give it once`);
  return setting.values[0];
}
