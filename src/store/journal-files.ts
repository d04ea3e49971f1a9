/** The files of a journal: one log and one file of acks for each segment, named by its number. */

export function segmentPath(directory: string, segmentNumber: number): string {
  return `${directory}/${fileName(segmentNumber)}.log`;
}

export function acksPath(directory: string, segmentNumber: number): string {
  return `${directory}/${fileName(segmentNumber)}.ack`;
}

/** The segment number in the name of a log file, or undefined for any other name. */
export function segmentNumberOf(name: string): number | undefined {
  const match = /^(\d{12})\.log$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function fileName(segmentNumber: number): string {
  return String(segmentNumber).padStart(12, '0');
}
