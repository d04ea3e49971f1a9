/**
 * Who may log in and what they may touch: the plug point between the broker and where users are kept.
 *
 * Answers are synchronous. Callers that remember them compare `generation` first: after any change of users or
 * permissions it is another number, so a revoked permission is gone at the next operation.
 */

/** The three kinds of access a permission grants (rabbitmq.com/docs/access-control). */
export type Access = 'configure' | 'write' | 'read';

export interface User {
  readonly name: string;
  /** See password.ts. Empty: the user cannot log in with a password. */
  readonly passwordHash: string;
  /** `administrator`, `monitoring`, `impersonator`, ... or any word of the operator's own. */
  readonly tags: readonly string[];
}

/** The outcome of a login. */
export type Authentication =
  | { readonly ok: true; readonly user: User }
  /** `wrong`: unknown user, wrong or blank password. `loopback-only`: right, but not from another machine. */
  | { readonly ok: false; readonly reason: 'wrong' | 'loopback-only' };

export interface AuthBackend {
  /** Increases with every change that can alter an answer. */
  readonly generation: number;

  /** @param isLoopbackPeer whether the peer's address is a loopback address (`isLoopbackAddress`) */
  authenticate(name: string, password: string, isLoopbackPeer: boolean): Authentication;

  /** The user of that name, if there is one; logins without a password (EXTERNAL) need it to exist. */
  user(name: string): User | undefined;

  /** Whether the user may open the virtual host at all. */
  hasAccess(userName: string, virtualHost: string): boolean;

  /**
   * Whether the user has one kind of access to one resource.
   *
   * @param resourceName name of the exchange or queue; the default exchange is checked as `amq.default`
   */
  isAllowed(userName: string, virtualHost: string, access: Access, resourceName: string): boolean;

  /** While it is 0 every topic is allowed. */
  readonly topicPermissionCount: number;

  /** Whether the user, who may write to or read from the topic exchange, may do so with this routing key. */
  isTopicAllowed(
    userName: string,
    virtualHost: string,
    exchange: string,
    access: 'write' | 'read',
    routingKey: string,
  ): boolean;
}
