/**
 * The second user that cases of permissions need: one who may do nothing but what a name says. What follows
 * `conformance-limited-` in the name of a queue or an exchange is which of configure, write and read it permits: `cw`
 * may be configured and written to, `cwr` all three.
 */

export interface LimitedUser {
  readonly name: string;
  readonly password: string;
}

/** The permissions the user must have in the virtual host of the URL. */
export const LIMITED_PERMISSIONS = {
  configure: '^conformance-limited-cw?r?-',
  write: '^conformance-limited-c?wr?-',
  read: '^conformance-limited-c?w?r-',
} as const;

/** A virtual host that must be there, in which the user has no permissions. */
export const FORBIDDEN_VHOST = 'conformance-forbidden';

/** What a name permits the user. */
export type Permitted = 'c' | 'w' | 'r' | 'cw' | 'cr' | 'wr' | 'cwr';

export function limitedPrefix(permitted: Permitted): string {
  return `conformance-limited-${permitted}`;
}

/** @throws Error with one sentence about what is wrong */
export function parseLimitedUser(text: string): LimitedUser {
  const at = text.indexOf(':');
  if (at < 1) throw new Error(`'${text}' is no user for --limited-user; write NAME:PASSWORD`);
  return { name: text.slice(0, at), password: text.slice(at + 1) };
}
