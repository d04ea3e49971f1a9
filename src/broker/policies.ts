/**
 * The policies of a virtual host (rabbitmq.com/docs/policies). Each change is worked into the queues and exchanges at
 * once: what they look at are plain settings, so nobody who has no policies pays for there being any.
 */
import { textOf } from '../amqp/field-value.js';
import { areSameSettings, type PolicyValues, withPolicy } from '../queues/effective-settings.js';
import type { Queue } from '../queues/queue.js';
import { type QueueSettings, type QueueType, readQueueArguments } from '../queues/queue-arguments.js';
import type { DefinitionRecord } from '../store/definitions-log.js';
import { policyGoneRecord, policyRecord, queueRecord } from './definitions.js';
import type { DyingMessages } from './dying-messages.js';
import type { Generation } from './generations/generation.js';
import {
  appliesTo,
  type Policy,
  type PolicyInput,
  type PolicyKind,
  parsePolicy,
  storedPolicy,
} from './policy.js';
import { joinPolicies } from './policy-keys.js';
import type { BrokerExchange, Router } from './router.js';

/** What policies work on. */
export interface PolicyHost {
  readonly generation: Generation;
  readonly name: string;
  readonly exchanges: ReadonlyMap<string, BrokerExchange>;
  readonly queues: ReadonlyMap<string, Queue>;
  readonly router: Router;
  readonly dying: Pick<DyingMessages, 'settingsChanged'>;
}

/** The names of the policies that apply to an object. */
export interface AppliedPolicies {
  readonly policy: string | undefined;
  readonly operatorPolicy: string | undefined;
}

export class Policies {
  private readonly host: PolicyHost;
  private readonly record: (record: DefinitionRecord) => void;
  private readonly byKind: Readonly<Record<PolicyKind, Map<string, Policy>>> = {
    policy: new Map(),
    'operator-policy': new Map(),
  };

  /** @param record keeps a definition */
  constructor(host: PolicyHost, record: (record: DefinitionRecord) => void) {
    this.host = host;
    this.record = record;
  }

  list(kind: PolicyKind): Policy[] {
    return [...this.byKind[kind].values()];
  }

  /** Adds a policy, or changes the one of that name. @throws PolicyError with nothing changed */
  set(kind: PolicyKind, input: PolicyInput): void {
    const policy = parsePolicy(kind, input, this.host.generation);
    this.byKind[kind].set(policy.name, policy);
    this.applyToAll();
    this.record(policyRecord(kind, this.host.name, policy));
  }

  /** Puts back a policy that a data directory has. */
  restore(kind: PolicyKind, input: PolicyInput): void {
    this.byKind[kind].set(input.name, storedPolicy(input));
    this.applyToAll();
  }

  /** @returns whether there was one */
  delete(kind: PolicyKind, name: string): boolean {
    if (!this.byKind[kind].delete(name)) return false;
    this.applyToAll();
    this.record(policyGoneRecord(kind, this.host.name, name));
    return true;
  }

  /** Which policies apply to a queue, or to an exchange. */
  appliedTo(type: QueueType | 'exchange', name: string): AppliedPolicies {
    return {
      policy: this.match('policy', type, name)?.name,
      operatorPolicy: this.match('operator-policy', type, name)?.name,
    };
  }

  /** What holds for a queue that is being declared. */
  settingsFor(queueName: string, declared: QueueSettings): QueueSettings {
    const values = this.valuesFor(declared.type, queueName);
    return values === undefined ? declared : withPolicy(declared, values);
  }

  /** Gives an exchange what its policies say. @returns whether that changed it */
  applyToExchange(exchange: BrokerExchange): boolean {
    // The argument counts first (rabbit_policy:get_arg).
    const declared = textOf(exchange.arguments.get('alternate-exchange'));
    const said = this.valuesFor('exchange', exchange.name)?.get('alternate-exchange') as string | undefined;
    const alternate = declared ?? said;
    if (alternate === exchange.alternateExchange) return false;
    exchange.alternateExchange = alternate;
    return true;
  }

  private applyToAll(): void {
    const { exchanges, queues, router } = this.host;
    let isRoutingChanged = false;
    for (const exchange of exchanges.values()) if (this.applyToExchange(exchange)) isRoutingChanged = true;
    if (isRoutingChanged) router.invalidate();
    for (const queue of [...queues.values()]) this.applyToQueue(queue);
  }

  private applyToQueue(queue: Queue): void {
    const declared = readQueueArguments(queue.arguments);
    const settings = this.settingsFor(queue.name, declared);
    if (areSameSettings(settings, queue.settings)) return;
    const eras = queue.ttlEras;
    queue.applySettings(settings);
    this.host.dying.settingsChanged(queue);
    // Before the policy itself: a crash between the two leaves a record that says nothing new.
    if (queue.durable && queue.ttlEras !== eras) this.record(queueRecord(this.host.name, queue));
  }

  private valuesFor(type: QueueType | 'exchange', name: string): PolicyValues | undefined {
    const user = this.match('policy', type, name);
    return joinPolicies(user?.definition, this.match('operator-policy', type, name)?.definition);
  }

  /** The one of the highest priority; of equals the one that has been there longest. */
  private match(kind: PolicyKind, type: QueueType | 'exchange', name: string): Policy | undefined {
    let best: Policy | undefined;
    for (const policy of this.byKind[kind].values()) {
      if (best !== undefined && policy.priority <= best.priority) continue;
      if (appliesTo(policy, type, name)) best = policy;
    }
    return best;
  }
}
