/**
 * Files of segments that are not needed any more, on their way out. Some wait for a commit: a transaction's acks must
 * not be final before its publishes are safe, or a crash in between would bring back neither.
 */
import type { SegmentJournal } from './segment-journal.js';

export class SegmentRemovals {
  private readonly removeFiles: (journal: SegmentJournal) => Promise<void>;
  private readonly onFailed: (error: unknown) => void;
  private readonly underWay = new Set<Promise<void>>();
  private held: SegmentJournal[] = [];
  private safeCommit = 0;

  constructor(removeFiles: (journal: SegmentJournal) => Promise<void>, onFailed: (error: unknown) => void) {
    this.removeFiles = removeFiles;
    this.onFailed = onFailed;
  }

  /** How many are under way: until they are gone for good, acks of their segment would be lost with a power cut. */
  get count(): number {
    return this.underWay.size;
  }

  /** Removes the files, at once or when the commit they wait for is safe. */
  add(journal: SegmentJournal): void {
    if (journal.removableFrom > this.safeCommit) this.held.push(journal);
    else this.begin(journal);
  }

  /** The messages of the commits up to this one are safe; acks may still be under way. */
  noteSafe(commit: number): void {
    this.safeCommit = commit;
    const { held } = this;
    this.held = held.filter(({ removableFrom }) => removableFrom > commit);
    for (const journal of held) if (journal.removableFrom <= commit) this.begin(journal);
  }

  /** Resolves when those that are under way are done. */
  async settled(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private begin(journal: SegmentJournal): void {
    const removal = this.removeFiles(journal)
      .catch(this.onFailed)
      .finally(() => this.underWay.delete(removal));
    this.underWay.add(removal);
  }
}
