/** The exchange types of the broker. A new type is one line here. */

import { consistentHashExchange } from './consistent-hash.js';
import { directExchange } from './direct.js';
import type { ExchangeTypeDefinition } from './exchange-type.js';
import { fanoutExchange } from './fanout.js';
import { headersExchange } from './headers.js';
import { localRandomExchange } from './local-random.js';
import { modulusHashExchange } from './modulus-hash.js';
import { randomExchange } from './random.js';
import { recentHistoryExchange } from './recent-history.js';
import { topicExchange } from './topic.js';

/** By the word in exchange.declare. */
export const exchangeTypes: ReadonlyMap<string, ExchangeTypeDefinition> = new Map([
  [directExchange.name, directExchange],
  [fanoutExchange.name, fanoutExchange],
  [topicExchange.name, topicExchange],
  [headersExchange.name, headersExchange],
  [consistentHashExchange.name, consistentHashExchange],
  [modulusHashExchange.name, modulusHashExchange],
  [randomExchange.name, randomExchange],
  [localRandomExchange.name, localRandomExchange],
  [recentHistoryExchange.name, recentHistoryExchange],
]);
