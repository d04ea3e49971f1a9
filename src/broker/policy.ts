/** A policy: what it says, and which queues and exchanges it says it of (rabbitmq.com/docs/policies). */
import {
  compilePermissionPattern,
  PatternError,
  type PermissionPattern,
} from '../auth/permission-pattern.js';
import type { PolicyValues } from '../queues/effective-settings.js';
import type { QueueType } from '../queues/queue-arguments.js';
import { erlangString } from '../queues/queue-arguments-checks.js';
import { erlangJson } from './erlang-json.js';
import { definitionFault, isSupportedBy, type PolicyRules } from './policy-keys.js';

/** Of the operator policies one applies to an object, and of the others another one: neither hides the other. */
export type PolicyKind = 'policy' | 'operator-policy';

const APPLY_TO = ['all', 'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges'] as const;
export type ApplyTo = (typeof APPLY_TO)[number];

/** As an HTTP request, a file or an option gives it: nothing is known of it yet but that it has a name. */
export interface PolicyInput {
  readonly name: string;
  readonly pattern: unknown;
  readonly definition: unknown;
  readonly priority?: unknown;
  readonly applyTo?: unknown;
}

export interface Policy {
  readonly name: string;
  readonly pattern: PermissionPattern;
  readonly definition: PolicyValues;
  readonly priority: number;
  readonly applyTo: ApplyTo;
}

/** A policy is refused; the message is RabbitMQ's, one line for each fault. */
export class PolicyError extends Error {}

/** @throws PolicyError */
export function parsePolicy(kind: PolicyKind, input: PolicyInput, rules: PolicyRules): Policy {
  const { name, definition, priority = 0, applyTo = 'all' } = input;
  const faults: string[] = [];
  const definitionError = definitionFault(definition, kind === 'operator-policy', rules);
  if (definitionError !== undefined) faults.push(definitionError);
  const isKnownPlace = APPLY_TO.some((place) => place === applyTo);
  if (!isKnownPlace) {
    faults.push(
      `apply-to '${applyTo}' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', ` +
        "'streams', 'exchanges', or 'all'",
    );
  }
  const pattern = compilePattern(input.pattern, faults);
  if (typeof priority !== 'number') {
    faults.push(`priority should be a number, actually was ${erlangJson(priority)}`);
  }
  if (faults.length > 0) throw new PolicyError(faults.join('\n'));
  return {
    name,
    pattern: pattern!,
    definition: new Map(Object.entries(definition as object)),
    priority: priority as number,
    applyTo: applyTo as ApplyTo,
  };
}

/** A policy that was checked when it was set, by the rules of whatever generation that was. */
export function storedPolicy({ name, pattern, definition, priority, applyTo }: PolicyInput): Policy {
  const faults: string[] = [];
  const compiled = compilePattern(pattern, faults);
  if (compiled === undefined) throw new PolicyError(faults.join('\n'));
  return {
    name,
    pattern: compiled,
    definition: new Map(Object.entries(definition as object)),
    priority: priority as number,
    applyTo: applyTo as ApplyTo,
  };
}

/** Whether a policy says something of the object of this type and name. */
export function appliesTo(policy: Policy, type: QueueType | 'exchange', name: string): boolean {
  return isMeant(policy, type) && policy.pattern.matches(name);
}

function isMeant({ applyTo, definition }: Policy, type: QueueType | 'exchange'): boolean {
  if (type === 'exchange') return applyTo === 'all' || applyTo === 'exchanges';
  const typeNames = type === 'stream' ? 'streams' : `${type}_queues`;
  const isQueue = applyTo === 'all' || applyTo === 'queues' || applyTo === typeNames;
  return isQueue && isSupportedBy(type, definition);
}

function compilePattern(pattern: unknown, faults: string[]): PermissionPattern | undefined {
  if (typeof pattern !== 'string') {
    faults.push(`pattern should be a binary but was ${erlangJson(pattern)}`);
    return undefined;
  }
  try {
    const compiled = compilePermissionPattern(pattern);
    // Nothing to look for is found everywhere; only a permission takes it for the empty name.
    return pattern === '' ? { source: '', matches: () => true } : compiled;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    faults.push(`pattern should be regular expression but is invalid: ${erlangString(error.reason)}`);
    return undefined;
  }
}
