/**
 * How much a user, or a virtual host, may have open (rabbitmq.com/docs/user-limits, rabbitmq.com/docs/vhosts#limits).
 * A negative limit is none, and 0 allows nothing.
 */

export type LimitName = 'max-connections' | 'max-channels' | 'max-queues';
export type ResourceLimits = ReadonlyMap<LimitName, number>;

export const NO_LIMITS: ResourceLimits = new Map();
export const USER_LIMITS: readonly LimitName[] = ['max-connections', 'max-channels'];
export const VIRTUAL_HOST_LIMITS: readonly LimitName[] = ['max-connections', 'max-queues'];

export function areSameLimits(a: ResourceLimits, b: ResourceLimits): boolean {
  return a.size === b.size && [...a].every(([name, limit]) => b.get(name) === limit);
}

/** The limit, or undefined where there is none. */
export function limitIn(limits: ResourceLimits, name: LimitName): number | undefined {
  const limit = limits.get(name);
  return limit === undefined || limit < 0 ? undefined : limit;
}
