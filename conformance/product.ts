/** What a broker calls itself, which also shows whether it can be spoken to. */
import type { BrokerUrl } from './broker-url.js';
import type { Dialect } from './case.js';
import { CaseContext } from './context.js';

/** Opens a connection and a channel as every case will, and returns what the broker calls itself. */
export async function productOf(broker: BrokerUrl, dialect: Dialect): Promise<string> {
  const context = new CaseContext(broker, dialect);
  try {
    const greeted = await context.connect();
    const { serverProperties = [] } = await greeted.start();
    await context.openChannel();
    const properties = new Map(serverProperties.map(([key, , value]) => [key, String(value)]));
    return [properties.get('product') ?? 'A broker', properties.get('version')].join(' ').trim();
  } finally {
    await context.close();
  }
}
