/** The files of a journal: a log for each segment, beside it its acks and its hint, all named by its number. */

export function segmentPath(directory: string, segmentNumber: number): string {
  return `${directory}/${fileName(segmentNumber)}.log`;
}

export function acksPath(directory: string, segmentNumber: number): string {
  return `${directory}/${fileName(segmentNumber)}.ack`;
}

export function hintPath(directory: string, segmentNumber: number): string {
  return `${directory}/${fileName(segmentNumber)}.hint`;
}

/** The segment number in the name of a log file, or undefined for any other name. */
export function segmentNumberOf(name: string): number | undefined {
  const match = /^(\d{12})\.log$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function fileName(segmentNumber: number): string {
  return String(segmentNumber).padStart(12, '0');
}
