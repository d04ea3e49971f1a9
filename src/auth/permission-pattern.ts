/**
 * The patterns of permissions: regular expressions searched for anywhere in a resource's name, as RabbitMQ does
 * (rabbitmq.com/docs/access-control, "How permissions work"); `^` and `$` are up to the administrator.
 *
 * They run on RE2, whose time is linear in the name: a pattern such as `(a*)*$` cannot stall the broker. RE2 has
 * no look-ahead and no back-references; such a pattern is refused when it is set, not misread.
 */

import { createRequire } from 'node:module';

/** Names a pattern remembers the answer for. A client can ask for endless names, so the memory has an end. */
export const PATTERN_RESULTS_MAX = 64;

/** A compiled permission pattern. */
export interface PermissionPattern {
  /** The pattern as the administrator wrote it. */
  readonly source: string;
  /** Whether the pattern grants the resource of this name. */
  matches(name: string): boolean;
}

/**
 * Compiles a pattern. `''` grants only the empty name, as `^$` does.
 *
 * @throws PatternError naming the pattern when it is not a regular expression RE2 understands
 */
export function compilePermissionPattern(source: string): PermissionPattern {
  // Nearly every permission is one of these. They need no engine, so a broker that has no others never loads one.
  switch (source) {
    case '.*':
    case '^.*$':
      return { source, matches: () => true };
    case '':
    case '^$':
      return { source, matches: (name) => name === '' };
    default:
      return new RegexPattern(source);
  }
}

/** A pattern that is no regular expression, or uses what RE2 does not have. */
export class PatternError extends Error {
  /** What RE2 says about it. */
  readonly reason: string;

  constructor(source: string, reason: string) {
    super(`invalid permission pattern '${source}': ${reason}`);
    this.reason = reason;
  }
}

/** The part of an RE2 program used here. */
interface Regex {
  /** Unanchored search. */
  test(name: string): boolean;
}

class RegexPattern implements PermissionPattern {
  readonly source: string;
  readonly #regex: Regex;
  /** The most recently used names stand last. */
  readonly #results = new Map<string, boolean>();

  constructor(source: string) {
    this.source = source;
    this.#regex = compileRegex(source);
  }

  matches(name: string): boolean {
    let result = this.#results.get(name);
    if (result === undefined) {
      result = this.#regex.test(name);
      if (this.#results.size >= PATTERN_RESULTS_MAX) this.#forgetOldest();
    } else {
      this.#results.delete(name);
    }
    this.#results.set(name, result);
    return result;
  }

  #forgetOldest(): void {
    for (const name of this.#results.keys()) {
      this.#results.delete(name);
      return;
    }
  }
}

function compileRegex(source: string): Regex {
  try {
    return loadRe2().RE2JS.compile(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PatternError(source, reason);
  }
}

let re2: typeof import('re2js') | undefined;

/** Loading the engine takes 10 to 20 ms, more than the rest of the start, and matching has to be synchronous. */
function loadRe2(): typeof import('re2js') {
  re2 ??= createRequire(import.meta.url)('re2js') as typeof import('re2js');
  return re2;
}
