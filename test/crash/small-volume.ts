/** A volume of its own, small enough to be filled to the last byte: a tmpfs. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class SmallVolume {
  /** Where its files are. */
  readonly directory: string;
  private readonly mountPoint: string;
  /** Holds the namespace in which it is mounted, for a user who may not mount it for everybody. */
  private readonly holder: ChildProcess | undefined;
  private readonly openFiller: number;

  private constructor(mountPoint: string, holder: ChildProcess | undefined) {
    this.mountPoint = mountPoint;
    this.holder = holder;
    this.directory = holder === undefined ? mountPoint : `/proc/${holder.pid}/root${mountPoint}`;
    this.openFiller = openSync(join(this.directory, 'filler'), 'ax');
  }

  /** @returns the volume, or why there is none */
  static async mount(bytes: number): Promise<SmallVolume | string> {
    const mountPoint = mkdtempSync(join(tmpdir(), 'leveret-volume-'));
    const mountArguments = ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', mountPoint];
    const direct = spawnSync('mount', mountArguments, { encoding: 'utf8' });
    if (direct.status === 0) return new SmallVolume(mountPoint, undefined);
    const script = 'mount "$@" && echo mounted && cat';
    const holder = spawn('unshare', ['-Urm', 'sh', '-c', script, 'sh', ...mountArguments]);
    const answer = await new Promise<string>((resolve) => {
      holder.once('error', (error) => resolve(error.message));
      holder.stdout.once('data', (text: Buffer) => resolve(text.toString().trim()));
      holder.stderr.once('data', (text: Buffer) => resolve(text.toString().trim()));
      holder.once('close', () => resolve('unshare ended'));
    });
    if (answer === 'mounted') return new SmallVolume(mountPoint, holder);
    holder.kill();
    rmdirSync(mountPoint);
    const reason = direct.error?.message ?? direct.stderr.trim();
    return `no small volume can be mounted, neither as this user (${reason}) nor in a namespace (${answer})`;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }

  /** Leaves no more than `bytesLeft` bytes to others. */
  fill(bytesLeft: number): void {
    const block = Buffer.alloc(65_536, 1);
    for (let left = this.freeBytes - bytesLeft; left > 0; left = this.freeBytes - bytesLeft) {
      try {
        writeSync(this.openFiller, block, 0, Math.min(left, block.length));
      } catch (error) {
        // Somebody else has taken the last of it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  }

  /** Takes the filling out. */
  empty(): void {
    ftruncateSync(this.openFiller);
  }

  unmount(): void {
    closeSync(this.openFiller);
    // Lazily: after a failure a broker may still have files open.
    if (this.holder === undefined) spawnSync('umount', ['-l', this.mountPoint]);
    else this.holder.kill('SIGKILL');
    rmSync(this.mountPoint, { recursive: true, force: true });
  }
}
