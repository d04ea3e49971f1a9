/** Runs the programs of every client that is installed, some at a time, and says how each fared. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseBrokerUrl } from '../broker-url.js';
import { matchesGlob } from '../glob.js';
import type { Client } from './clients.js';
import { compilePrograms, findPrograms, type Printed, type Program, runProgram } from './programs.js';
import type { Complaint } from './verdict.js';

export interface RunOptions {
  /** The source folder `conformance/clients`. */
  readonly folder: string;
  readonly url: string;
  readonly clients: readonly Client[];
  /** Only programs whose id it matches. */
  readonly only?: string | undefined;
  /** What is made of what a program printed. */
  readonly judge: (folder: string, program: Program, printed: Printed) => Complaint;
  readonly onResult?: (result: ProgramResult) => void;
}

export interface ProgramResult {
  readonly program: Program;
  readonly complaint: Complaint;
  readonly elapsedMs: number;
}

// Programs wait for the broker more than they compute.
const PROGRAMS_AT_ONCE = 3;

export function choosePrograms({ folder, clients, only }: Pick<RunOptions, 'folder' | 'clients' | 'only'>) {
  const programs = clients.flatMap((client) => findPrograms(folder, client));
  return only === undefined ? programs : programs.filter(({ id }) => matchesGlob(id, only));
}

/** @returns the results in the order of the programs. Rejects when programs do not compile. */
export async function runClients(options: RunOptions): Promise<ProgramResult[]> {
  const { folder, url, clients, judge, onResult } = options;
  const programs = choosePrograms(options);
  const scratchFolder = mkdtempSync(join(tmpdir(), 'conformance-clients-'));
  const context = { url, broker: parseBrokerUrl(url), scratchFolder };
  try {
    // Compiling takes longest, and what is compiled is wanted last: the others need not wait for it.
    const compiled = new Map<Client, Promise<void>>();
    for (const client of clients) {
      if (!programs.some((program) => program.client === client)) continue;
      const done = compilePrograms(folder, client, scratchFolder);
      done.catch(() => {});
      compiled.set(client, done);
    }
    const results: ProgramResult[] = [];
    let next = 0;
    const work = async () => {
      while (next < programs.length) {
        const index = next++;
        const program = programs[index]!;
        await compiled.get(program.client);
        const startMs = performance.now();
        const printed = await runProgram(program, context);
        const complaint = judge(folder, program, printed);
        results[index] = { program, complaint, elapsedMs: performance.now() - startMs };
        onResult?.(results[index]);
      }
    };
    await Promise.all(Array.from({ length: PROGRAMS_AT_ONCE }, work));
    return results;
  } finally {
    rmSync(scratchFolder, { recursive: true, force: true });
  }
}
