/** Limits of users and virtual hosts as an HTTP request, a file or an option gives them. */
import {
  type LimitName,
  type ResourceLimits,
  USER_LIMITS,
  VIRTUAL_HOST_LIMITS,
} from '../auth/resource-limits.js';
import { erlangJson } from './erlang-json.js';

/** Limits are refused; the message is RabbitMQ's, one line for each fault. */
export class LimitError extends Error {}

/** @param input keys and values as JSON gave them: `{"max-connections": 10}` @throws LimitError */
export function parseUserLimits(input: object): ResourceLimits {
  return parse(input, USER_LIMITS, 'user-limits');
}

/** @param input keys and values as JSON gave them: `{"max-queues": 10}` @throws LimitError */
export function parseVirtualHostLimits(input: object): ResourceLimits {
  return parse(input, VIRTUAL_HOST_LIMITS, 'limits');
}

/** The rules of rabbit_parameter_validation:proplist. */
function parse(input: object, known: readonly LimitName[], what: string): ResourceLimits {
  const limits = new Map<LimitName, number>();
  const faults: string[] = [];
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(input)) {
    const name = known.find((candidate) => candidate === key);
    if (name === undefined) unknown.push(`{${erlangJson(key)},${erlangJson(value)}}`);
    else if (Number.isInteger(value)) limits.set(name, value as number);
    else faults.push(`${name} should be a number, actually was ${erlangJson(value)}`);
  }
  if (unknown.length > 0) faults.unshift(`Unrecognised terms [${unknown.join(',')}] in ${what}`);
  if (faults.length > 0) throw new LimitError(faults.join('\n'));
  return limits;
}
