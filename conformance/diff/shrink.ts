/**
 * Makes a failing sequence short: leaves out as much as it can while the sequence still fails (delta debugging), then
 * makes what is left simpler.
 */

/** @returns whether a sequence still fails */
export type StillFails<T> = (sequence: readonly T[]) => Promise<boolean>;

/** @param triesMax how often `stillFails` may be asked */
export async function shrink<T>(
  sequence: readonly T[],
  stillFails: StillFails<T>,
  simplerForms: (one: T) => readonly T[],
  triesMax = 400,
): Promise<readonly T[]> {
  let triesLeft = triesMax;
  const fails = async (candidate: readonly T[]): Promise<boolean> =>
    triesLeft-- > 0 && (await stillFails(candidate));
  let shortest = await withoutNeedless(sequence, fails);
  for (let at = 0; at < shortest.length; at++) {
    let forms = simplerForms(shortest[at]!);
    while (forms.length > 0) {
      const [form, ...others] = forms as [T, ...T[]];
      const candidate = shortest.with(at, form);
      if (await fails(candidate)) {
        shortest = candidate;
        forms = simplerForms(form);
      } else {
        forms = others;
      }
    }
  }
  return withoutNeedless(shortest, fails);
}

/** Leaves out runs of half its length, a quarter, and so on down to single ones, until none can be left out. */
async function withoutNeedless<T>(sequence: readonly T[], fails: StillFails<T>): Promise<readonly T[]> {
  let current = sequence;
  for (let size = Math.ceil(current.length / 2); size >= 1; ) {
    let isShorter = false;
    // From the end: what comes last needs what came before, seldom the other way round.
    for (let end = current.length; end > 0; end -= size) {
      const start = Math.max(0, end - size);
      const candidate = [...current.slice(0, start), ...current.slice(end)];
      if (candidate.length === 0 || !(await fails(candidate))) continue;
      current = candidate;
      isShorter = true;
    }
    if (size === 1 && !isShorter) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return current;
}
