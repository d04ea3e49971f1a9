/** What Linux tells of a process: who listens on a port, CPU time, resident memory. Elsewhere nothing is known. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Of `utime` and `stime` in /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const LISTENING = '0A';

/** The process on this machine that listens on a port; undefined when it cannot be seen. */
export function pidListeningOn(port: number): number | undefined {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listeningInodes(table, port)));
  if (inodes.size === 0) return undefined;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).find((pid) => openSockets(pid).some((inode) => inodes.has(inode)));
}

function listeningInodes(table: string, port: number): string[] {
  const portText = port.toString(16).toUpperCase().padStart(4, '0');
  // Number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
  return lines(`/proc/net/${table}`)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${portText}`) === true && fields[3] === LISTENING)
    .map((fields) => fields[9]!);
}

function openSockets(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    // Another user's, or gone.
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** User and system time so far of all threads, in seconds; NaN when it cannot be read. */
export function cpuSecondsOf(pid: number): number {
  const nanoseconds = threadsOf(pid).map((thread) =>
    // Of each thread that runs: time on a processor, time in wait of one, and how often.
    Number.parseInt(lines(`/proc/${pid}/task/${thread}/schedstat`)[0] ?? '', 10),
  );
  const sum = nanoseconds.reduce((total, value) => total + value, 0) / 1e9;
  return nanoseconds.length > 0 && !Number.isNaN(sum) ? sum : cpuSecondsInTicks(pid);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The same in hundredths of a second, where the kernel does not count finer. */
function cpuSecondsInTicks(pid: number): number {
  const stat = lines(`/proc/${pid}/stat`)[0] ?? '';
  // The name in parentheses may hold anything; utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN)) / TICKS_PER_SECOND;
}

/** Resident memory in bytes; NaN when it cannot be read. */
export function residentBytesOf(pid: number): number {
  const line = lines(`/proc/${pid}/status`).find((text) => text.startsWith('VmRSS:'));
  return Number(/\d+/.exec(line ?? '')?.[0] ?? Number.NaN) * 1024;
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}
