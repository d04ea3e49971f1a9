/**
 * Options from the configuration file: one JSON object whose keys are the names of the flags.
 *
 *     {
 *       "port": 5673,
 *       "host": ["0.0.0.0"],
 *       "vhost": ["/", "orders"],
 *       "user": [{ "name": "app", "password": "secret", "tags": ["monitoring"] }],
 *       "permission": [{ "user": "app", "vhost": "orders", "configure": "", "write": ".*", "read": ".*" }],
 *       "policy": [{ "vhost": "/", "name": "short", "pattern": "^tmp\\.", "definition": { "max-length": 1000 } }],
 *       "vhost-limits": [{ "vhost": "orders", "max-connections": 100 }],
 *       "memory-limit": "512MiB"
 *     }
 */
import { readTextFile } from '../lib/text-file.js';
import { CommandError, EXIT_CONFIGURATION } from './command-error.js';
import { suggestion } from './nearest-name.js';
import { type OptionKind, type OptionName, optionNamed, START_OPTIONS } from './option-list.js';
import { quote, type Setting, type Settings } from './setting.js';

/**
 * Reads the file at `path`, which must end in `.json`.
 *
 * @throws CommandError (78) naming the file and, where one is to blame, the key
 */
export function readConfigFile(path: string): Settings {
  if (!path.endsWith('.json')) {
    throw wrong(`the configuration file ${path} must be JSON and its name must end in .json`);
  }
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    throw wrong(unreadable(path, error));
  }
  return parseConfig(text, path);
}

/** @param path for messages only */
export function parseConfig(text: string, path: string): Settings {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    // The parser quotes what it stumbled over, line breaks and all.
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ');
    throw wrong(`the configuration file ${path} is not valid JSON: ${reason}`);
  }
  if (!isObject(config)) {
    throw wrong(`the configuration file ${path} must hold one JSON object, not ${quote(config)}`);
  }
  const settings = new Map<OptionName, Setting>();
  for (const [key, value] of Object.entries(config)) {
    const option = optionNamed(key);
    if (option === undefined || option.name === 'config') throw unknownKey(key, path);
    const expected = EXPECTED[option.kind];
    const label = `"${key}" in ${path}`;
    if (!expected.accepts(value)) {
      // Users hold passwords, which belong in no log.
      const found = option.kind === 'users' ? '' : `, not ${quote(value)}`;
      throw wrong(`${label} must be ${expected.text}${found}`);
    }
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    // An empty list sets nothing, as an empty variable does.
    if (values.length > 0) settings.set(option.name, { source: 'file', label, values });
  }
  return settings;
}

interface ExpectedType {
  readonly text: string;
  accepts(value: unknown): boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => typeof value === 'number';

const EXPECTED: Readonly<Record<OptionKind, ExpectedType>> = {
  integer: { text: 'a number', accepts: isNumber },
  duration: {
    text: 'a number of milliseconds or "none"',
    accepts: (value) => isNumber(value) || value === 'none',
  },
  size: {
    text: 'a number of bytes or a string such as "64MiB"',
    accepts: (value) => isNumber(value) || isText(value),
  },
  text: { text: 'a string', accepts: isText },
  switch: { text: 'true or false', accepts: (value) => typeof value === 'boolean' },
  names: {
    text: 'a string or a list of strings',
    accepts: (value) => isText(value) || (Array.isArray(value) && value.every(isText)),
  },
  users: {
    text: 'a list of objects with "name", "password" and, if wanted, a list of "tags"',
    accepts: isListOfObjects,
  },
  permissions: {
    text: 'a list of objects with "user", "vhost", "configure", "write" and "read"',
    accepts: isListOfObjects,
  },
  'topic-permissions': {
    text: 'a list of objects with "user", "vhost", "exchange", "write" and "read"',
    accepts: isListOfObjects,
  },
  policies: {
    text: 'a list of objects with "vhost", "name", "pattern" and "definition"',
    accepts: isListOfObjects,
  },
  'vhost-limits': {
    text: 'a list of objects with "vhost", "max-connections" and "max-queues"',
    accepts: isListOfObjects,
  },
  'user-limits': {
    text: 'a list of objects with "user", "max-connections" and "max-channels"',
    accepts: isListOfObjects,
  },
};

function isListOfObjects(value: unknown): boolean {
  return Array.isArray(value) && value.every(isObject);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownKey(key: string, path: string): CommandError {
  const names = START_OPTIONS.map((option) => option.name).filter((name) => name !== 'config');
  const advice = suggestion(key, names) || '; remove it, or see leveret --help for the options';
  return wrong(`unknown key ${quote(key)} in the configuration file ${path}${advice}`);
}

function unreadable(path: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return `the configuration file ${path} does not exist; check the path`;
  return `the configuration file ${path} cannot be read (${code ?? String(error)}); check the path and its mode`;
}

function wrong(message: string): CommandError {
  return new CommandError(message, EXIT_CONFIGURATION);
}
