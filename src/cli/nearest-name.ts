/**
 * The known name that a mistyped one most likely stands for, or undefined when none is near: more than a third
 * of its letters would have to change.
 */
export function nearestName(name: string, knownNames: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let nearestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const knownName of knownNames) {
    // A difference in length is a lower bound of the distance; it also keeps an endless name cheap.
    if (Math.abs(knownName.length - name.length) >= nearestDistance) continue;
    const distance = editDistance(name, knownName);
    if (distance >= nearestDistance) continue;
    nearest = knownName;
    nearestDistance = distance;
  }
  return nearest;
}

/** `; did you mean X?`, or nothing when no known name is near. */
export function suggestion(name: string, knownNames: Iterable<string>): string {
  const nearest = nearestName(name, knownNames);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

/**
 * How many letters must be inserted, deleted, replaced or swapped with their neighbour to turn one into the other
 * (optimal string alignment: `prot` is one step from `port`).
 */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      let distance = Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1);
      const isSwap =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (isSwap) distance = Math.min(distance, beforePrevious[column - 2]! + 1);
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length]!;
}
