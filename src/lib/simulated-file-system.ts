/**
 * A disk in memory that does whatever a disk may do, chosen by a seed, so that a test can cut the power a thousand
 * times a second and run the one cut that went wrong again.
 *
 *   written, not synced      may be lost at a power cut, each 512-byte sector for itself and in any order, the
 *                            last write torn at any byte; the size is one the file had since its last sync
 *   created, renamed,        not synced: may not have happened, each for itself; a rename has happened or not,
 *   removed                  nothing between; a file that has lost its name is gone, whatever was synced of it
 *   synced                   is kept, always (negative control: `ignoreSync`)
 *   a failed dataSync        nothing more of the file becomes durable before the next boot, although later syncs
 *                            succeed ("fsyncgate": the system marks pages clean that were not written)
 *
 * An operation happens one microtask after its call, in the order of the calls. Nothing is copied but what is
 * written and what it overwrites: a sync costs nothing, a power cut as much as was not synced.
 */
import { posix } from 'node:path';
import { type DiskFault, DiskFaults } from './disk-faults.js';
import { type FileSystem, type OpenFile, type OpenMode, systemError } from './file-system.js';
import { SeededRandom } from './random.js';
import { below, coin, FileContent } from './simulated-file.js';

const LOGGED_OPERATIONS_MAX = 200;
const CAPACITY_BYTES_DEFAULT = 2 ** 40;

/** There is no disk any more for the process that asked: the power was cut, or the process killed. */
export class PowerCutError extends Error {
  override readonly name = 'PowerCutError';
}

export class SimulatedFileSystem implements FileSystem {
  /** The volume: writes beyond it are short, then fail with `ENOSPC`. Set it while the disk runs, too. */
  capacityBytes = CAPACITY_BYTES_DEFAULT;
  /** Negative control: syncs succeed and do nothing, so a power cut loses what was confirmed. */
  ignoreSync = false;

  private readonly random: SeededRandom;
  private directories = new Set<string>(['/']);
  /** What each name means now, and what it means on the disk until `unsyncedNames` reach it. */
  private names = new Map<string, FileContent>();
  private syncedNames = new Map<string, FileContent>();
  private unsyncedNames: NameChange[] = [];
  private readonly removedOpenFiles = new Set<FileContent>();

  private operationCount = 0;
  private readonly logged: LoggedOperation[] = [];
  private readonly faults = new DiskFaults();
  private cutAtOperation = Number.POSITIVE_INFINITY;
  private endedBy: string | undefined;
  private isHandedOver = false;

  constructor(seed = 1) {
    this.random = new SeededRandom(seed);
  }

  /** How many operations were carried out or refused. */
  get operations(): number {
    return this.operationCount;
  }

  /** The last 200 operations, oldest first, each as `17 write /data/a 512+100: ok`. */
  get operationLog(): string[] {
    const oldestFirst = [...this.logged].sort((a, b) => a.number - b.number);
    return oldestFirst.map((e) => `${e.number} ${e.operation} ${e.path}${e.detail}: ${e.outcome}`);
  }

  /** Operation `number` (the first is 1) fails with `fault`; with `lasting`, so does every later one. */
  failOperation(number: number, fault: DiskFault, lasting: 'once' | 'lasting' = 'once'): void {
    this.faults.add(number, fault, lasting);
  }

  /** Until `heal`, every operation fails whose line in the log, without number and outcome, matches `kind`. */
  failEvery(kind: RegExp, fault: DiskFault): void {
    this.faults.every(kind, fault);
  }

  /** From now on nothing fails. */
  heal(): void {
    this.faults.clear();
  }

  /** The power goes during operation `number`, which may still have happened; it and all later ones reject. */
  cutAt(number: number): void {
    this.cutAtOperation = number;
  }

  /**
   * Cuts the power. This disk then rejects everything with PowerCutError; the one returned is what the next boot
   * finds, with the same capacity and `ignoreSync`, no faults, and operations counted from 1 again.
   */
  powerCut(): SimulatedFileSystem {
    const next = this.handOver('the power was cut');
    const survival = below(this.random, 3);
    const names = this.syncedNames;
    for (const change of this.unsyncedNames) {
      if (survival === 0 || (survival === 1 && coin(this.random))) applyNameChange(names, change);
    }
    for (const file of names.values()) file.settle(next.random);
    next.names = names;
    next.syncedNames = new Map(names);
    return next;
  }

  /**
   * Kills the process: everything written is still there, open files are closed. This disk then rejects everything;
   * the one returned is what the next process finds, and a power cut may still lose what was not synced.
   */
  crash(): SimulatedFileSystem {
    const next = this.handOver('the process was killed');
    for (const file of this.names.values()) file.openHandles = 0;
    next.names = this.names;
    next.syncedNames = this.syncedNames;
    next.unsyncedNames = this.unsyncedNames;
    return next;
  }

  /** A copy as another process finds it, for the same test to go on in several ways. */
  snapshot(seed: number): SimulatedFileSystem {
    const copies = new Map<FileContent, FileContent>();
    const copyOf = (file: FileContent): FileContent => {
      const copy = copies.get(file) ?? file.copy();
      copies.set(file, copy);
      return copy;
    };
    const next = this.successor(seed);
    for (const [path, file] of this.names) next.names.set(path, copyOf(file));
    for (const [path, file] of this.syncedNames) next.syncedNames.set(path, copyOf(file));
    next.unsyncedNames = this.unsyncedNames.map((change) => ({ ...change, file: copyOf(change.file) }));
    return next;
  }

  /** Damages one bit at rest; bit 0 is the lowest of byte 0. */
  flipBit(path: string, bitIndex: number): void {
    const file = this.fileAt(absolute(path), 'flipBit');
    const byte = new Uint8Array(1);
    file.read(byte, 0, 1, bitIndex >>> 3);
    file.damage(bitIndex >>> 3, Uint8Array.of(byte[0]! ^ (1 << (bitIndex & 7))));
  }

  /** Damages bytes at rest: what is there now, not what a power cut may bring back. */
  corrupt(path: string, position: number, bytes: Uint8Array): void {
    this.fileAt(absolute(path), 'corrupt').damage(position, bytes);
  }

  open(path: string, mode: OpenMode): Promise<OpenFile> {
    const name = absolute(path);
    return this.perform('open', name, ` ${mode}`, () => {
      if (this.directories.has(name))
        throw systemError(mode === 'create' ? 'EEXIST' : 'EISDIR', 'open', name);
      if (mode !== 'create') return this.handle(name, this.fileAt(name, 'open'), mode === 'readWrite');
      if (this.names.has(name)) throw systemError('EEXIST', 'open', name);
      this.requireDirectory(posix.dirname(name), 'open');
      const file = new FileContent();
      this.changeName({ file, from: undefined, to: name });
      return this.handle(name, file, true);
    });
  }

  exists(path: string): Promise<boolean> {
    const name = absolute(path);
    return this.perform('exists', name, '', () => this.names.has(name) || this.directories.has(name));
  }

  list(directory: string): Promise<string[]> {
    const parent = absolute(directory);
    return this.perform('list', parent, '', () => {
      this.requireDirectory(parent, 'list');
      const paths = [...this.names.keys(), ...this.directories].filter(
        (path) => path !== '/' && posix.dirname(path) === parent,
      );
      return paths.map((path) => posix.basename(path)).sort();
    });
  }

  makeDirectory(path: string): Promise<void> {
    const lowest = absolute(path);
    return this.perform('makeDirectory', lowest, '', () => {
      const created: string[] = [];
      for (let level = lowest; !this.directories.has(level); level = posix.dirname(level))
        created.push(level);
      const taken = created.find((level) => this.names.has(level));
      if (taken !== undefined)
        throw systemError(taken === lowest ? 'EEXIST' : 'ENOTDIR', 'makeDirectory', lowest);
      for (const level of created) this.directories.add(level);
    });
  }

  rename(from: string, to: string): Promise<void> {
    const name = absolute(from);
    const target = absolute(to);
    return this.perform('rename', name, ` ${target}`, () => {
      const file = this.fileAt(name, 'rename');
      this.requireDirectory(posix.dirname(target), 'rename');
      if (this.directories.has(target)) throw systemError('EISDIR', 'rename', target);
      if (name !== target) this.changeName({ file, from: name, to: target });
    });
  }

  unlink(path: string): Promise<void> {
    const name = absolute(path);
    return this.perform('unlink', name, '', () =>
      this.changeName({ file: this.fileAt(name, 'unlink'), from: name, to: undefined }),
    );
  }

  syncDirectory(path: string): Promise<void> {
    const directory = absolute(path);
    return this.perform('syncDirectory', directory, '', () => {
      this.requireDirectory(directory, 'syncDirectory');
      if (!this.ignoreSync) this.syncNames(directory);
    });
  }

  freeBytes(path: string): Promise<number> {
    const name = absolute(path);
    return this.perform('freeBytes', name, '', () => {
      if (!this.directories.has(name)) this.fileAt(name, 'freeBytes');
      return Math.max(0, this.capacityBytes - this.usedBytes());
    });
  }

  private handle(path: string, file: FileContent, canWrite: boolean): OpenFile {
    let isOpen = true;
    file.openHandles++;
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      if (--file.openHandles === 0) this.removedOpenFiles.delete(file);
    };
    const check = (operation: string, isAllowed = true): void => {
      if (!isOpen || !isAllowed) throw systemError('EBADF', operation, path);
    };
    return {
      write: (bytes, offset, length, position) =>
        this.perform('write', path, ` ${position}+${length}`, (isShort) => {
          check('write', canWrite);
          return this.write(file, bytes, offset, this.moved(length, isShort), position);
        }),
      read: (bytes, offset, length, position) =>
        this.perform('read', path, ` ${position}+${length}`, (isShort) => {
          check('read');
          return file.read(bytes, offset, this.moved(length, isShort), position);
        }),
      dataSync: () => {
        const sync = (): void => {
          check('dataSync');
          if (!this.ignoreSync) file.sync();
        };
        return this.perform('dataSync', path, '', sync, () => file.distrust());
      },
      truncate: (length) =>
        this.perform('truncate', path, ` ${length}`, () => {
          check('truncate', canWrite);
          file.truncate(length);
        }),
      size: () =>
        this.perform('size', path, '', () => {
          check('size');
          return file.length;
        }),
      // POSIX leaves open what a failed close has done; Linux has always closed.
      close: () => this.perform('close', path, '', close, close),
    };
  }

  /** As a disk does that becomes full: what still fits, and `ENOSPC` when that is nothing. */
  private write(
    file: FileContent,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const end = position + length;
    const endMax =
      end <= file.extent ? end : file.extent + Math.max(0, this.capacityBytes - this.usedBytes());
    const count = Math.min(length, endMax - position);
    if (count <= 0 && length > 0) throw systemError('ENOSPC', 'write');
    file.write(bytes.subarray(offset, offset + count), position);
    return count;
  }

  private moved(length: number, isShort: boolean): number {
    return isShort && length > 1 ? 1 + below(this.random, length - 1) : length;
  }

  private async perform<T>(
    operation: string,
    path: string,
    detail: string,
    action: (isShort: boolean) => T,
    onFailure: () => void = () => {},
  ): Promise<T> {
    // As on a real disk, nothing has happened yet when the call returns, and bytes changed now are not the old ones.
    await undefined;
    if (this.endedBy !== undefined) throw new PowerCutError(this.endedBy);
    const number = ++this.operationCount;
    const entry: LoggedOperation = { number, operation, path, detail, outcome: 'ok' };
    this.logged[(number - 1) % LOGGED_OPERATIONS_MAX] = entry;
    try {
      if (number >= this.cutAtOperation) this.cutDuring(action);
      const fault = this.faults.of(number, `${operation} ${path}${detail}`);
      if (fault === undefined || fault === 'short') return action(fault === 'short');
      onFailure();
      throw systemError(fault, operation, path);
    } catch (error) {
      entry.outcome = (error as NodeJS.ErrnoException).code ?? String(error);
      throw error;
    }
  }

  private cutDuring(action: (isShort: boolean) => unknown): never {
    this.endedBy = 'the power was cut';
    try {
      if (coin(this.random)) action(false);
    } catch {
      // It would have failed anyway: nobody is left to be told.
    }
    throw new PowerCutError(this.endedBy);
  }

  private changeName(change: NameChange): void {
    const gone = change.to === undefined ? change.file : this.names.get(change.to);
    if (gone !== undefined && gone.openHandles > 0) this.removedOpenFiles.add(gone);
    applyNameChange(this.names, change);
    this.unsyncedNames.push(change);
  }

  /** A rename between two directories is one step, so syncing either of them makes it durable. */
  private syncNames(directory: string): void {
    const isIn = (path: string | undefined): boolean =>
      path !== undefined && posix.dirname(path) === directory;
    const synced = new Set<FileContent>();
    for (const { file, from, to } of this.unsyncedNames) if (isIn(from) || isIn(to)) synced.add(file);
    this.unsyncedNames = this.unsyncedNames.filter((change) => {
      if (!synced.has(change.file)) return true;
      applyNameChange(this.syncedNames, change);
      return false;
    });
  }

  private fileAt(path: string, operation: string): FileContent {
    const file = this.names.get(path);
    if (file !== undefined) return file;
    throw systemError(this.directories.has(path) ? 'EISDIR' : 'ENOENT', operation, path);
  }

  private requireDirectory(path: string, operation: string): void {
    if (this.directories.has(path)) return;
    throw systemError(this.names.has(path) ? 'ENOTDIR' : 'ENOENT', operation, path);
  }

  /** A removed file keeps its space until it is closed. */
  private usedBytes(): number {
    let used = 0;
    for (const file of this.names.values()) used += file.extent;
    for (const file of this.removedOpenFiles) used += file.extent;
    return used;
  }

  /** The files go over as they are, so no two disks may come of one. */
  private handOver(reason: string): SimulatedFileSystem {
    if (this.isHandedOver) throw new Error('this disk has a successor already: go on with that one');
    this.isHandedOver = true;
    this.endedBy = reason;
    return this.successor(this.random.uint32());
  }

  private successor(seed: number): SimulatedFileSystem {
    const next = new SimulatedFileSystem(seed);
    next.capacityBytes = this.capacityBytes;
    next.ignoreSync = this.ignoreSync;
    next.directories = new Set(this.directories);
    return next;
  }
}

interface LoggedOperation {
  readonly number: number;
  readonly operation: string;
  readonly path: string;
  readonly detail: string;
  outcome: string;
}

/** A creation has no `from`, a removal no `to`. */
interface NameChange {
  readonly file: FileContent;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** What depends on a change that did not happen has not happened either: its file is not at `from`. */
function applyNameChange(names: Map<string, FileContent>, { file, from, to }: NameChange): void {
  if (from !== undefined && names.get(from) !== file) return;
  if (from !== undefined) names.delete(from);
  if (to !== undefined) names.set(to, file);
}

const absolute = (path: string): string => posix.resolve('/', path);
