/**
 * A stretch of a queue's ready order that is not in memory: all records that the queue has in one segment of the
 * log from `first` to `last`, both positions, `count` of them. The log finds their positions again.
 */
export interface ColdRun {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** What the log knows of positions that were to be forgotten. */
export interface Cooler {
  /**
   * How many of `positions`, from the entry `from` on, lie in the same segment and could be found there again;
   * 0 while that segment is still in memory, -1 when they never can.
   */
  countCoolable(positions: Float64Array, from: number): number;
  isSameSegment(position: number, other: number): boolean;
}
