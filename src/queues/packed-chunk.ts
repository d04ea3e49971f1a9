/**
 * A chunk of a queue's ready order that is not at either end, packed: positions mostly ascend by small steps, since
 * the messages of a queue lie one behind the other in the log. Equal steps take no memory at all, small ones two
 * bytes each, in place of eight.
 */
export interface PackedChunk {
  readonly first: number;
  /** The step between all neighbours, or 0: then `steps` has them. */
  readonly stride: number;
  readonly steps: Uint16Array | undefined;
}

const STEP_MAX = 0xffff;

/** @returns undefined when the positions do not lend themselves to it */
export function packChunk(positions: Float64Array): PackedChunk | undefined {
  const first = positions[0]!;
  const stride = positions[1]! - first;
  let isEven = true;
  for (let i = 1; i < positions.length; i++) {
    const step = positions[i]! - positions[i - 1]!;
    if (step < 0 || step > STEP_MAX) return undefined;
    if (step !== stride) isEven = false;
  }
  if (isEven) return { first, stride, steps: undefined };
  const steps = new Uint16Array(positions.length);
  for (let i = 1; i < positions.length; i++) steps[i] = positions[i]! - positions[i - 1]!;
  return { first, stride: 0, steps };
}

/** Writes the positions of a packed chunk into `positions`, and returns those. */
export function unpackChunk(chunk: PackedChunk, positions: Float64Array): Float64Array {
  const { stride, steps } = chunk;
  let position = chunk.first;
  positions[0] = position;
  for (let i = 1; i < positions.length; i++) {
    position += steps === undefined ? stride : steps[i]!;
    positions[i] = position;
  }
  return positions;
}
