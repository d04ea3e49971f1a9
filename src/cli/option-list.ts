/**
 * Every option of `leveret start`. One name serves all three places an option can stand in: the flag
 * `--data-dir`, the variable `LEVERET_DATA_DIR` and the key `"data-dir"` of the configuration file.
 */
import {
  CHANNEL_MAX_DEFAULT,
  CONSUMER_TIMEOUT_MS_DEFAULT,
  FRAME_BYTES_MAX_DEFAULT,
  HANDSHAKE_TIMEOUT_MS_DEFAULT,
  HEARTBEAT_SECONDS_DEFAULT,
} from '../lib/limits.js';

/** What a value is; in the configuration file each kind has a JSON type of its own (see config-file.ts). */
export type OptionKind = 'integer' | 'duration' | 'size' | 'text' | 'switch' | 'names' | ObjectKind;

/** What is written as objects in the configuration file. */
export type ObjectKind =
  | 'users'
  | 'permissions'
  | 'topic-permissions'
  | 'policies'
  | 'vhost-limits'
  | 'user-limits';

export interface StartOption {
  readonly name: string;
  readonly kind: OptionKind;
  /** What stands for the value in the help. */
  readonly placeholder: string;
  readonly description: string;
  /** The default as the help shows it. */
  readonly defaultText?: string;
}

export const START_OPTIONS = [
  {
    name: 'port',
    kind: 'integer',
    placeholder: 'NUMBER',
    description: 'TCP port to listen on; 0 takes a free one',
    defaultText: '5672',
  },
  {
    name: 'host',
    kind: 'names',
    placeholder: 'ADDRESS',
    description: 'address to listen on; 0.0.0.0 or :: for all',
    defaultText: '127.0.0.1 and ::1',
  },
  {
    name: 'data-dir',
    kind: 'text',
    placeholder: 'DIR',
    description: 'directory this broker owns',
    defaultText: './leveret-data',
  },
  { name: 'in-memory', kind: 'switch', placeholder: '', description: 'use no data directory' },
  {
    name: 'compat',
    kind: 'text',
    placeholder: 'GENERATION',
    description:
      'answer exactly as RabbitMQ 3.13, 4.2 or 4.3 does; without it as 4.2, and take what 3.x took',
  },
  {
    name: 'sync',
    kind: 'text',
    placeholder: 'MODE',
    description:
      'when a confirm may leave: always (after fdatasync), interval (written; synced several times a second) or os (written)',
    defaultText: 'always',
  },
  {
    name: 'user',
    kind: 'users',
    placeholder: 'NAME:PASSWORD[:TAG,TAG]',
    description:
      'user to add or change, with all permissions unless --permission names it; at the first start instead of guest',
    defaultText: 'guest:guest:administrator',
  },
  {
    name: 'vhost',
    kind: 'names',
    placeholder: 'NAME',
    description: 'virtual host to add; at the first start instead of /',
    defaultText: '/',
  },
  {
    name: 'permission',
    kind: 'permissions',
    placeholder: 'USER:VHOST:CONFIGURE:WRITE:READ',
    description: 'regular expressions for what a user may configure, write and read',
  },
  {
    name: 'topic-permission',
    kind: 'topic-permissions',
    placeholder: 'USER:VHOST:EXCHANGE:WRITE:READ',
    description:
      'regular expressions for the routing keys a user may publish and bind with on a topic exchange',
  },
  {
    name: 'policy',
    kind: 'policies',
    placeholder: 'VHOST:NAME:PATTERN:JSON[:PRIORITY[:APPLY-TO]]',
    description: 'policy to add or change: settings for the queues and exchanges whose names match',
  },
  {
    name: 'operator-policy',
    kind: 'policies',
    placeholder: 'VHOST:NAME:PATTERN:JSON[:PRIORITY[:APPLY-TO]]',
    description: 'operator policy to add or change',
  },
  {
    name: 'vhost-limits',
    kind: 'vhost-limits',
    placeholder: 'VHOST:JSON',
    description: 'max-connections and max-queues of a virtual host; -1 for none',
  },
  {
    name: 'user-limits',
    kind: 'user-limits',
    placeholder: 'USER:JSON',
    description: 'max-connections and max-channels of a user; -1 for none',
  },
  {
    name: 'loopback-users',
    kind: 'names',
    placeholder: 'NAME',
    description: 'user that may log in from this machine only; none for nobody',
    defaultText: 'guest',
  },
  {
    name: 'anonymous-user',
    kind: 'text',
    placeholder: 'NAME',
    description: 'user of SASL ANONYMOUS; none to not offer it',
    defaultText: 'guest',
  },
  {
    name: 'heartbeat',
    kind: 'integer',
    placeholder: 'SECONDS',
    description: 'heartbeat to propose to clients; 0 for none',
    defaultText: String(HEARTBEAT_SECONDS_DEFAULT),
  },
  {
    name: 'frame-max',
    kind: 'integer',
    placeholder: 'BYTES',
    description: 'largest frame to propose to clients',
    defaultText: String(FRAME_BYTES_MAX_DEFAULT),
  },
  {
    name: 'channel-max',
    kind: 'integer',
    placeholder: 'NUMBER',
    description: 'channels a connection may open; 0 for no limit',
    defaultText: String(CHANNEL_MAX_DEFAULT),
  },
  {
    name: 'max-message-size',
    kind: 'size',
    placeholder: 'SIZE',
    description: 'largest message body accepted',
    defaultText: '16MiB; 128MiB with --compat 3.13',
  },
  {
    name: 'memory-limit',
    kind: 'size',
    placeholder: 'SIZE|PERCENT',
    description: 'publishers are blocked while messages take more memory than this',
    defaultText: '60%; 40% with --compat 3.13',
  },
  {
    name: 'disk-free-limit',
    kind: 'size',
    placeholder: 'SIZE',
    description: 'publishers are blocked while the volume of the data directory has less room than this',
    defaultText: '50MB',
  },
  {
    name: 'consumer-timeout',
    kind: 'duration',
    placeholder: 'MS',
    description:
      'time a consumer has to acknowledge a delivery before its channel is closed; none for no limit',
    defaultText: String(CONSUMER_TIMEOUT_MS_DEFAULT),
  },
  {
    name: 'handshake-timeout',
    kind: 'integer',
    placeholder: 'MS',
    description: 'time a client has to open its connection',
    defaultText: String(HANDSHAKE_TIMEOUT_MS_DEFAULT),
  },
  {
    name: 'log-level',
    kind: 'text',
    placeholder: 'LEVEL',
    description: 'debug, info, warning, error or none',
    defaultText: 'info',
  },
  {
    name: 'log-format',
    kind: 'text',
    placeholder: 'FORMAT',
    description: 'json, text, or auto: text on a terminal, else json',
    defaultText: 'auto',
  },
  { name: 'config', kind: 'text', placeholder: 'FILE', description: 'JSON file with any of these options' },
] as const satisfies readonly StartOption[];

export type OptionName = (typeof START_OPTIONS)[number]['name'];

const OBJECT_KINDS: ReadonlySet<OptionKind> = new Set<ObjectKind>([
  'users',
  'permissions',
  'topic-permissions',
  'policies',
  'vhost-limits',
  'user-limits',
]);

const BY_NAME: ReadonlyMap<string, StartOption & { readonly name: OptionName }> = new Map(
  START_OPTIONS.map((option) => [option.name, option]),
);

export function optionNamed(name: string): (StartOption & { readonly name: OptionName }) | undefined {
  return BY_NAME.get(name);
}

/** Whether an option may be given more than once. */
export function isRepeatable(option: StartOption): boolean {
  return option.kind === 'names' || isOfObjects(option);
}

/** Whether the configuration file has objects for it. */
export function isOfObjects({ kind }: StartOption): boolean {
  return OBJECT_KINDS.has(kind);
}

/** Whether its values are JSON in part, which may have spaces in it. */
export function hasJson({ kind }: StartOption): boolean {
  return kind === 'policies' || kind === 'vhost-limits' || kind === 'user-limits';
}
