/** Policies, limits and topic permissions: from flags, variables and the configuration file to the broker's own form. */
import { compilePermissionPattern } from '../auth/permission-pattern.js';
import type {
  BrokerConfig,
  PolicyConfig,
  TopicPermissionConfig,
  UserLimitsConfig,
  VirtualHostLimitsConfig,
} from '../broker/broker-config.js';
import { LimitError, parseUserLimits, parseVirtualHostLimits } from '../broker/limit-input.js';
import { PolicyError, type PolicyKind, parsePolicy } from '../broker/policy.js';
import type { PolicyRules } from '../broker/policy-keys.js';
import { fiveParts, quote, refuse, refuseOthers, type Setting, takeText } from './setting.js';

/** Each undefined when no source sets it. */
export interface PolicySettings {
  readonly policy: Setting | undefined;
  readonly operatorPolicy: Setting | undefined;
  readonly vhostLimits: Setting | undefined;
  readonly userLimits: Setting | undefined;
  readonly topicPermission: Setting | undefined;
}

type PolicyOptions = Pick<
  BrokerConfig,
  'policies' | 'operatorPolicies' | 'virtualHostLimits' | 'userLimits' | 'topicPermissions'
>;

/** Whether a name may exist: in a data directory there may be more than the options say. */
export interface NameCheck {
  isUser(name: string): boolean;
  isVirtualHost(name: string): boolean;
}

/** @throws CommandError naming the setting to blame */
export function resolvePolicies(
  settings: PolicySettings,
  names: NameCheck,
  rules: PolicyRules,
): PolicyOptions {
  return {
    policies: readPolicies('policy', settings.policy, names, rules),
    operatorPolicies: readPolicies('operator-policy', settings.operatorPolicy, names, rules),
    virtualHostLimits: readVirtualHostLimits(settings.vhostLimits, names),
    userLimits: readUserLimits(settings.userLimits, names),
    topicPermissions: readTopicPermissions(settings.topicPermission, names),
  };
}

function readPolicies(
  kind: PolicyKind,
  setting: Setting | undefined,
  names: NameCheck,
  rules: PolicyRules,
): PolicyConfig[] {
  return readAll(setting, (known) => {
    const policy =
      typeof known === 'string' ? policyOfText(setting!, known) : policyOfObject(setting!, known);
    checkVirtualHost(setting!, names, policy.virtualHost);
    try {
      parsePolicy(kind, policy, rules);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      refuse(setting!, `has the policy ${quote(policy.name)}, which is wrong: ${oneLine(error.message)}`);
    }
    return policy;
  });
}

/** The pattern ends where the JSON begins: `/:limit:^orders:{"max-length":100}:1:queues`. */
function policyOfText(setting: Setting, text: string): PolicyConfig {
  const match = /^([^:]*):([^:]*):(.*?):(\{.*\})(?::(-?\d+)(?::([a-z_]+))?)?$/s.exec(text);
  const definition = match === null ? undefined : parseJson(match[4]!);
  if (match === null || definition === undefined) {
    refuse(
      setting,
      `must be VHOST:NAME:PATTERN:JSON or VHOST:NAME:PATTERN:JSON:PRIORITY:APPLY-TO, not ${quote(text)}; ` +
        'what has colons in it can be set in the configuration file',
    );
  }
  const [, virtualHost, name, pattern, , priority, applyTo] = match;
  return {
    virtualHost: virtualHost!,
    name: checkName(setting, name!),
    pattern: pattern!,
    definition,
    ...(priority !== undefined && { priority: Number(priority) }),
    ...(applyTo !== undefined && { applyTo }),
  };
}

/** The keys of a definitions file. */
function policyOfObject(setting: Setting, object: object): PolicyConfig {
  const fields = new Map<string, unknown>(Object.entries(object));
  const take = (key: string): unknown => {
    const value = fields.get(key);
    fields.delete(key);
    return value;
  };
  const policy = {
    virtualHost: takeText(setting, fields, 'vhost'),
    name: checkName(setting, takeText(setting, fields, 'name')),
    pattern: takeText(setting, fields, 'pattern'),
    definition: take('definition') as object,
    priority: (take('priority') ?? 0) as number,
    applyTo: (take('apply-to') ?? 'all') as string,
  };
  refuseOthers(
    setting,
    fields,
    '"vhost", "name", "pattern", "definition" and, if wanted, "priority" and "apply-to"',
  );
  return policy;
}

function readVirtualHostLimits(setting: Setting | undefined, names: NameCheck): VirtualHostLimitsConfig[] {
  return readAll(setting, (known) => {
    const [virtualHost, limits] = limitsOf(setting!, known, 'vhost', parseVirtualHostLimits);
    checkVirtualHost(setting!, names, virtualHost);
    return { virtualHost, limits };
  });
}

function readUserLimits(setting: Setting | undefined, names: NameCheck): UserLimitsConfig[] {
  return readAll(setting, (known) => {
    const [user, limits] = limitsOf(setting!, known, 'user', parseUserLimits);
    checkUser(setting!, names, user);
    return { user, limits };
  });
}

/** `NAME:JSON`, or an object that has the name beside its limits. */
function limitsOf(
  setting: Setting,
  known: string | object,
  nameKey: 'vhost' | 'user',
  parse: (input: object) => unknown,
): [name: string, limits: object] {
  const fields = new Map<string, unknown>();
  if (typeof known === 'string') {
    const match = /^(.*?):(\{.*\})$/s.exec(known);
    const limits = match === null ? undefined : parseJson(match[2]!);
    if (match === null || limits === undefined) {
      refuse(setting, `must be ${nameKey.toUpperCase()}:JSON, not ${quote(known)}`);
    }
    for (const [key, value] of Object.entries(limits)) fields.set(key, value);
    fields.set(nameKey, match[1]);
  } else {
    for (const [key, value] of Object.entries(known)) fields.set(key, value);
  }
  const name = takeText(setting, fields, nameKey);
  const limits = Object.fromEntries(fields);
  try {
    parse(limits);
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
    refuse(setting, `has wrong limits for ${quote(name)}: ${oneLine(error.message)}`);
  }
  return [name, limits];
}

function readTopicPermissions(setting: Setting | undefined, names: NameCheck): TopicPermissionConfig[] {
  return readAll(setting, (known) => {
    const row =
      typeof known === 'string'
        ? topicPermissionOfText(setting!, known)
        : topicPermissionOfObject(setting!, known);
    checkUser(setting!, names, row.user);
    checkVirtualHost(setting!, names, row.virtualHost);
    for (const pattern of [row.write, row.read]) {
      try {
        compilePermissionPattern(pattern);
      } catch (error) {
        refuse(setting!, `has an ${error instanceof Error ? error.message : String(error)}; correct it`);
      }
    }
    return row;
  });
}

function topicPermissionOfText(setting: Setting, text: string): TopicPermissionConfig {
  const [user, virtualHost, exchange, write, read] = fiveParts(
    setting,
    text,
    'USER:VHOST:EXCHANGE:WRITE:READ',
  );
  return { user, virtualHost, exchange, write, read };
}

function topicPermissionOfObject(setting: Setting, object: object): TopicPermissionConfig {
  const fields = new Map<string, unknown>(Object.entries(object));
  const row = {
    user: takeText(setting, fields, 'user'),
    virtualHost: takeText(setting, fields, 'vhost'),
    exchange: takeText(setting, fields, 'exchange'),
    write: takeText(setting, fields, 'write'),
    read: takeText(setting, fields, 'read'),
  };
  refuseOthers(setting, fields, '"user", "vhost", "exchange", "write" and "read"');
  return row;
}

function readAll<T>(setting: Setting | undefined, read: (known: string | object) => T): T[] {
  return (setting?.values ?? []).map((value) => read(value as string | object));
}

function checkName(setting: Setting, name: string): string {
  if (name === '') refuse(setting, 'has a policy without a name; give it one');
  return name;
}

function checkVirtualHost(setting: Setting, names: NameCheck, name: string): void {
  if (names.isVirtualHost(name)) return;
  refuse(setting, `names the virtual host ${quote(name)}, which is not configured; add it with --vhost`);
}

function checkUser(setting: Setting, names: NameCheck, name: string): void {
  if (names.isUser(name)) return;
  refuse(setting, `names the user ${quote(name)}, who is not configured; add it with --user`);
}

/** An object, or undefined. */
function parseJson(text: string): object | undefined {
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}

function oneLine(text: string): string {
  return text.replaceAll('\n', '; ');
}
