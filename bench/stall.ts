/** A message that is lost would be waited for forever: a run in which nothing moves any more has failed. */

const LOOK_MS = 250;

/**
 * Waits for `work` while `progress` changes at least every `stallMs`.
 *
 * @param describe says how far it came
 */
export async function withStallCheck<T>(
  work: Promise<T>,
  stallMs: number,
  progress: () => number,
  describe: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_resolve, reject) => {
    let last = progress();
    let sinceMs = performance.now();
    timer = setInterval(() => {
      const now = progress();
      if (now !== last) {
        last = now;
        sinceMs = performance.now();
      } else if (performance.now() - sinceMs > stallMs) {
        reject(new Error(`nothing happened for ${stallMs / 1000} s: ${describe()}`));
      }
    }, LOOK_MS);
  });
  try {
    return await Promise.race([work, stalled]);
  } finally {
    clearInterval(timer);
  }
}
