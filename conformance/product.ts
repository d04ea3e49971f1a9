/** What a broker calls itself, which also shows whether it can be spoken to. */
import type { BrokerUrl } from './broker-url.js';
import type { Dialect } from './case.js';
import { CaseContext } from './context.js';
import type { LimitedUser } from './limited-user.js';

/** Opens connections and channels as the cases will, and returns what the broker calls itself. */
export async function productOf(
  broker: BrokerUrl,
  dialect: Dialect,
  limitedUser?: LimitedUser,
): Promise<string> {
  const context = new CaseContext(broker, dialect, limitedUser);
  try {
    const greeted = await context.connect();
    const { serverProperties = [] } = await greeted.start();
    await context.openChannel();
    if (limitedUser !== undefined) await context.openLimited();
    const properties = new Map(serverProperties.map(([key, , value]) => [key, String(value)]));
    return [properties.get('product') ?? 'A broker', properties.get('version')].join(' ').trim();
  } finally {
    await context.close();
  }
}
