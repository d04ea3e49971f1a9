/**
 * Turns callbacks into promises: a consumer pushes what it receives, a test awaits it. A test that waits for
 * something that never comes is ended by vitest's own timeout.
 */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiting: Array<(item: T) => void> = [];

  /** Bound, so that it can be handed over as a callback. */
  readonly push = (item: T): void => {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter(item);
  };

  /** The oldest item nobody has taken yet. */
  next(): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next `count` items, in order of arrival. */
  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** How many items have arrived and were not taken. */
  get pending(): number {
    return this.#items.length;
  }
}

/** One inbox for what arrives in all of these: nobody else may take from them any more. */
export function merge<T>(inboxes: ReadonlyArray<Inbox<T>>): Inbox<T> {
  const all = new Inbox<T>();
  const forward = async (inbox: Inbox<T>) => {
    for (;;) all.push(await inbox.next());
  };
  for (const inbox of inboxes) void forward(inbox);
  return all;
}
