/** Hashes for placing things, not for proving them: evenly spread, the same in every process, and nothing secret. */

/** 32 bits, unsigned, of a text's characters (FNV-1a over UTF-16 units, then `mixed`). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

/** Spreads every bit of a number over all 32 of the result, which is unsigned (the finalizer of MurmurHash3). */
export function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
