/** Makes many things that are waited for, some at a time, and returns them in their order. */
export async function inTurns<T>(
  count: number,
  atOnce: number,
  make: (index: number) => Promise<T>,
): Promise<T[]> {
  const made = new Array<T>(count);
  let next = 0;
  const makeNext = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      made[index] = await make(index);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, makeNext));
  return made;
}
