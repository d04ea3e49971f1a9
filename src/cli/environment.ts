/** Options from `LEVERET_*` variables. */
import { CommandError, EXIT_CONFIGURATION } from './command-error.js';
import { nearestName } from './nearest-name.js';
import { hasJson, isRepeatable, type OptionName, START_OPTIONS, type StartOption } from './option-list.js';
import type { Setting, Settings } from './setting.js';

const PREFIX = 'LEVERET_';

/** `LEVERET_DATA_DIR` for `data-dir`. */
export function variableOf(optionName: string): string {
  return PREFIX + optionName.toUpperCase().replaceAll('-', '_');
}

const OPTIONS_BY_VARIABLE: ReadonlyMap<string, StartOption & { readonly name: OptionName }> = new Map(
  START_OPTIONS.map((option) => [variableOf(option.name), option]),
);

/**
 * What the environment sets. An empty variable counts as absent. Several values stand in one variable separated
 * by white space, `LEVERET_VHOST='/ orders'`, and where they are JSON in part, by line breaks.
 *
 * @throws CommandError for a variable that starts with `LEVERET_` and is no option: a misspelt one would
 *   otherwise be ignored, and the broker would run with a default nobody wanted
 */
export function readEnvironment(environment: NodeJS.ProcessEnv): Settings {
  const settings = new Map<OptionName, Setting>();
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || text === undefined) continue;
    if (isForeign(variable, text)) continue;
    const option = OPTIONS_BY_VARIABLE.get(variable);
    if (option === undefined) throw unknownVariable(variable);
    const separator = hasJson(option) ? /\s*\n\s*/ : /\s+/;
    const values = isRepeatable(option) ? text.split(separator).filter((value) => value !== '') : [text];
    if (text.trim() === '' || values.length === 0) continue;
    settings.set(option.name, { source: 'environment', label: variable, values });
  }
  return settings;
}

/**
 * Variables of this prefix that nobody meant for the broker. Kubernetes describes a service named `leveret` to
 * every container of its namespace as `LEVERET_SERVICE_HOST`, `LEVERET_PORT=tcp://10.0.0.1:5672`,
 * `LEVERET_PORT_5672_TCP_ADDR` and so on (kubernetes.io/docs/concepts/services-networking/service, "Environment
 * variables"). The tests read `LEVERET_TEST_URL`.
 */
function isForeign(variable: string, text: string): boolean {
  if (variable === 'LEVERET_TEST_URL') return true;
  if (/^LEVERET_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_|$)/.test(variable)) return true;
  return variable === 'LEVERET_PORT' && /^(tcp|udp|sctp):\/\//.test(text);
}

function unknownVariable(variable: string): CommandError {
  const nearest = nearestName(variable.slice(PREFIX.length), knownSuffixes());
  const advice =
    nearest === undefined
      ? 'unset it; see leveret --help for the options'
      : `did you mean ${PREFIX}${nearest}?`;
  return new CommandError(`unknown environment variable ${variable}; ${advice}`, EXIT_CONFIGURATION);
}

// Compared without the prefix, which would make any two of them look alike.
function* knownSuffixes(): Generator<string> {
  for (const variable of OPTIONS_BY_VARIABLE.keys()) yield variable.slice(PREFIX.length);
}
