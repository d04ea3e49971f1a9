/** What was started or made for a measurement, and must not be left behind however that ends. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const EXIT_INTERRUPTED = 1;

const cleanups = new Set<() => Promise<void>>();

/** @returns the work, to be done by whoever needs the thing no more, or else by `cleanUp`; once in all */
export function onceCleanedUp(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  const cleanup = async (): Promise<void> => {
    done ??= work();
    await done;
    cleanups.delete(cleanup);
  };
  cleanups.add(cleanup);
  return cleanup;
}

/** Does what is left to do, the last thing first. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of [...cleanups].reverse()) await cleanup();
}

/**
 * Does it also when the process is told to end, which it then does. A signal often comes twice, to the process and to
 * its group: the second one must not end it before all is done.
 *
 * @returns what takes that back
 */
export function cleanUpOnSignal(): () => void {
  let isCleaningUp = false;
  const onSignal = (): void => {
    if (isCleaningUp) return;
    isCleaningUp = true;
    void cleanUp().finally(() => process.exit(EXIT_INTERRUPTED));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
