import { type FieldEntry, FieldTable } from '../../src/amqp/field-table.js';
import { Broker } from '../../src/broker/broker.js';
import { BROKER_CONFIG_DEFAULTS, type BrokerConfig } from '../../src/broker/broker-config.js';
import { applyConfig, applyPolicies, NOTHING_STORED } from '../../src/broker/configured-definitions.js';
import type { BrokerExchange } from '../../src/broker/router.js';
import type { VirtualHost } from '../../src/broker/virtual-host.js';
import { type Logger, silentLogger } from '../../src/lib/logger.js';
import { ManualClock } from '../../src/lib/manual-clock.js';
import { SeededRandom } from '../../src/lib/random.js';
import type { Queue } from '../../src/queues/queue.js';

export interface TestBroker {
  readonly broker: Broker;
  readonly clock: ManualClock;
  /** Runs the turns that are due, and those they make due. */
  turn(): void;
}

export interface TestBrokerOptions {
  readonly config?: Partial<BrokerConfig>;
  readonly logger?: Logger;
}

/** A broker whose time and turns are the test's to decide. */
export function testBroker(options: TestBrokerOptions = {}): TestBroker {
  const clock = new ManualClock();
  const due: (() => void)[] = [];
  const broker = new Broker({
    config: { ...BROKER_CONFIG_DEFAULTS, memoryLimitBytes: 1e9, ...explicit(options.config) },
    clock,
    random: new SeededRandom(1),
    logger: options.logger ?? silentLogger,
    defer: (turn) => due.push(turn),
  });
  applyConfig(broker, NOTHING_STORED);
  applyPolicies(broker);
  const turn = (): void => {
    for (let next = due.shift(); next !== undefined; next = due.shift()) next();
  };
  return { broker, clock, turn };
}

/** A test that says what is permitted means nothing more than that. */
export function explicit(config: Partial<BrokerConfig> = {}): Partial<BrokerConfig> {
  return config.permissions === undefined ? config : { unrestrictedUsers: [], ...config };
}

export function addQueue(
  virtualHost: VirtualHost,
  name: string,
  entries: readonly FieldEntry[] = [],
  properties: { readonly autoDelete?: boolean; readonly exclusiveOwner?: object } = {},
): Queue {
  return virtualHost.addQueue({
    name,
    durable: false,
    autoDelete: properties.autoDelete ?? false,
    exclusiveOwner: properties.exclusiveOwner,
    arguments: FieldTable.of(entries),
  });
}

export function addExchange(
  virtualHost: VirtualHost,
  name: string,
  type: string,
  properties: { readonly autoDelete?: boolean; readonly arguments?: readonly FieldEntry[] } = {},
): BrokerExchange {
  return virtualHost.addExchange({
    name,
    type,
    durable: false,
    autoDelete: properties.autoDelete ?? false,
    internal: false,
    arguments: FieldTable.of(properties.arguments ?? []),
  });
}
