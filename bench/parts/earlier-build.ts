/** An earlier commit, checked out and compiled beside this one. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onceCleanedUp } from '../cleanup.js';

const execute = promisify(execFile);

export interface EarlierBuild {
  readonly commit: string;
  readonly dist: string;
}

/**
 * The checkout is removed by `cleanUp`.
 *
 * @throws when there is no such commit, or it does not compile with the dependencies of this one
 */
export async function buildEarlier(root: string, ref: string): Promise<EarlierBuild> {
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await execute('git', ['-C', root, ...args]);
    return stdout.trim();
  };
  let commit: string;
  try {
    commit = await git('rev-parse', '--short', '--verify', `${ref}^{commit}`);
  } catch {
    throw new Error(`there is no commit '${ref}' to compare with; name one: npm run bench:compare -- REF`);
  }
  const folder = await mkdtemp(join(tmpdir(), 'leveret-earlier-'));
  const tree = join(folder, 'tree');
  onceCleanedUp(async () => {
    await git('worktree', 'remove', '--force', tree).catch(() => {});
    await rm(folder, { recursive: true, force: true });
    await git('worktree', 'prune');
  });
  await git('worktree', 'add', '--detach', tree, commit);
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
  await execute('npm', ['run', 'build'], { cwd: tree });
  return { commit, dist: join(tree, 'dist') };
}
