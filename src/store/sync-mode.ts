/**
 * When a commit counts as safe. `always`: after fdatasync, so a confirmed message survives a power cut. `interval`:
 * once the operating system has it, synced several times a second, so a power cut costs the last moment; a crash of
 * the broker costs nothing. `os`: the same, synced when the operating system likes.
 */
export const SYNC_MODES = ['always', 'interval', 'os'] as const;
export type SyncMode = (typeof SYNC_MODES)[number];
