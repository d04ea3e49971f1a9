/**
 * Finds again which records a queue has in a segment, when the queue kept nothing of them but where the first and the
 * last are: from the segment's hint, or from its log where there is none, less those that its acks name.
 */
import type { FileSystem } from '../lib/file-system.js';
import { readAcks } from './ack-files.js';
import { imageOf, readFileHeader, targetsOffset, visitRecords } from './batch-format.js';
import { readHint } from './hint-files.js';
import { offsetsOf } from './hint-format.js';
import { acksPath, segmentPath } from './journal-files.js';
import { readFile } from './read-file.js';
import type { Segment } from './segment.js';

/** A stretch of records of one segment: positions of its ends, and how many of them count. */
export interface RecordRun {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

export interface RunFinderOptions {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly onFatal: (error: unknown) => void;
}

export class RunFinder {
  private readonly options: RunFinderOptions;

  constructor(options: RunFinderOptions) {
    this.options = options;
  }

  /** Calls back with the offsets from `first` up to and including `last`, ascending. */
  find(
    segment: Segment,
    queueId: number,
    first: number,
    last: number,
    onFound: (offsets: Float64Array) => void,
  ): void {
    this.read(segment, queueId, first, last).then(onFound, (error) => {
      // A segment that nobody needs any more may have lost its files meanwhile.
      if (segment.live > 0) this.options.onFatal(error);
      else onFound(new Float64Array(0));
    });
  }

  private async read(segment: Segment, queueId: number, first: number, last: number): Promise<Float64Array> {
    const { fileSystem, directory } = this.options;
    const { number, isHinted } = segment.journal!;
    const hint = isHinted ? await readHint(fileSystem, directory, number) : undefined;
    const section = hint?.sections.find((candidate) => candidate.queueId === queueId);
    const offsets =
      hint?.logBytes === segment.end && section !== undefined
        ? offsetsOf(hint, section)
        : await this.scan(number, queueId);
    const acks = await readAcks(fileSystem, acksPath(directory, number));
    const isAll = acks.isEmpty && offsets[0]! >= first && offsets.at(-1)! <= last;
    if (isAll) return offsets;
    return offsets.filter((offset) => offset >= first && offset <= last && !acks.has(offset, queueId));
  }

  private async scan(segmentNumber: number, queueId: number): Promise<Float64Array> {
    const { fileSystem, directory } = this.options;
    const file = await readFile(fileSystem, segmentPath(directory, segmentNumber));
    const { batches } = imageOf(file, readFileHeader(file)?.extent);
    const offsets: number[] = [];
    for (const batch of batches) {
      visitRecords(file, batch, (offset, at) => {
        const targetsAt = at + targetsOffset(0, file.readUInt32LE(at + 4));
        for (let i = file.readUInt32LE(targetsAt); i > 0; i--) {
          if (file.readUInt32LE(targetsAt + 4 * i) === queueId) offsets.push(offset);
        }
      });
    }
    return Float64Array.from(offsets);
  }
}
