/** What holds for every file system, the machine's and the simulated one. See `simulated-file-system.test.ts`. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type FileSystem,
  type OpenFile,
  readFully,
  replaceFile,
  writeFully,
} from '../../src/lib/file-system.js';

/** A file system and an empty directory of it. */
export interface FileSystemBench {
  readonly fileSystem: FileSystem;
  readonly root: string;
}

/** The whole of an open file. */
export async function contentOf(file: OpenFile): Promise<Buffer> {
  const bytes = Buffer.alloc(await file.size());
  expect(await readFully(file, bytes, 0, bytes.length, 0)).toBe(bytes.length);
  return bytes;
}

/** The whole of a file, or undefined when there is none of this name. */
export async function readFile(fileSystem: FileSystem, path: string): Promise<Buffer | undefined> {
  if (!(await fileSystem.exists(path))) return undefined;
  const file = await fileSystem.open(path, 'read');
  const bytes = await contentOf(file);
  await file.close();
  return bytes;
}

/** Creates a file with this content and syncs it, but not its directory. */
export async function writeFile(
  fileSystem: FileSystem,
  path: string,
  content: string | Uint8Array,
): Promise<void> {
  const bytes = Buffer.from(content);
  const file = await fileSystem.open(path, 'create');
  await writeFully(file, bytes, 0, bytes.length, 0);
  await file.dataSync();
  await file.close();
}

export function fileSystemContract(make: () => Promise<FileSystemBench>): void {
  let fileSystem: FileSystem;
  let root: string;
  beforeEach(async () => {
    ({ fileSystem, root } = await make());
  });
  const text = async (path: string): Promise<string | undefined> =>
    (await readFile(fileSystem, path))?.toString('latin1');

  describe('open files', () => openFileContract(() => ({ fileSystem, root })));

  it('opens what must exist or must not', async () => {
    const path = `${root}/a`;
    await expect(fileSystem.open(path, 'read')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(fileSystem.open(path, 'readWrite')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(fileSystem.open(`${root}/none/a`, 'create')).rejects.toMatchObject({ code: 'ENOENT' });
    await writeFile(fileSystem, path, 'kept');
    await expect(fileSystem.open(path, 'create')).rejects.toMatchObject({ code: 'EEXIST' });
    const file = await fileSystem.open(path, 'readWrite');
    expect((await contentOf(file)).toString()).toBe('kept');
    await file.close();
  });

  it('lists names in order, of files and directories, and of this directory only', async () => {
    await fileSystem.makeDirectory(`${root}/m`);
    for (const name of ['b', 'a10', 'a9', 'B', 'm/inner']) await writeFile(fileSystem, `${root}/${name}`, '');
    expect(await fileSystem.list(root)).toEqual(['B', 'a10', 'a9', 'b', 'm']);
    expect(await fileSystem.list(`${root}/m`)).toEqual(['inner']);
    await expect(fileSystem.list(`${root}/none`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('makes directories with those above them, again without an error', async () => {
    await fileSystem.makeDirectory(`${root}/x/y/z`);
    await fileSystem.makeDirectory(`${root}/x/y/z`);
    await fileSystem.makeDirectory(`${root}/x`);
    expect(await fileSystem.exists(`${root}/x/y/z`)).toBe(true);
    expect(await fileSystem.list(`${root}/x`)).toEqual(['y']);
    await writeFile(fileSystem, `${root}/file`, '');
    await expect(fileSystem.makeDirectory(`${root}/file`)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(fileSystem.makeDirectory(`${root}/file/below`)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('renames, also over a file and into another directory', async () => {
    await fileSystem.makeDirectory(`${root}/other`);
    await writeFile(fileSystem, `${root}/a`, 'new');
    await writeFile(fileSystem, `${root}/b`, 'old');
    await fileSystem.rename(`${root}/a`, `${root}/b`);
    expect(await fileSystem.list(root)).toEqual(['b', 'other']);
    expect(await text(`${root}/b`)).toBe('new');
    await fileSystem.rename(`${root}/b`, `${root}/other/c`);
    expect(await text(`${root}/other/c`)).toBe('new');
    expect(await fileSystem.exists(`${root}/b`)).toBe(false);
    await fileSystem.rename(`${root}/other/c`, `${root}/other/c`);
    expect(await text(`${root}/other/c`)).toBe('new');
    await expect(fileSystem.rename(`${root}/b`, `${root}/d`)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(fileSystem.rename(`${root}/other/c`, `${root}/none/c`)).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('removes files; one that is open lives until it is closed', async () => {
    await writeFile(fileSystem, `${root}/a`, 'still here');
    const file = await fileSystem.open(`${root}/a`, 'read');
    await fileSystem.unlink(`${root}/a`);
    expect(await fileSystem.exists(`${root}/a`)).toBe(false);
    expect((await contentOf(file)).toString()).toBe('still here');
    await file.close();
    await expect(fileSystem.unlink(`${root}/a`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says that nothing is below a file', async () => {
    await writeFile(fileSystem, `${root}/a`, '');
    expect(await fileSystem.exists(`${root}/a/b`)).toBe(false);
    await expect(fileSystem.list(`${root}/a`)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('syncs directories and knows what is free', async () => {
    await fileSystem.syncDirectory(root);
    await expect(fileSystem.syncDirectory(`${root}/none`)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await fileSystem.freeBytes(root)).toBeGreaterThan(0);
    await expect(fileSystem.freeBytes(`${root}/none`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('replaces a file as a whole, also when an earlier attempt left its temporary file', async () => {
    const path = `${root}/state`;
    await replaceFile(fileSystem, path, Buffer.from('first'));
    expect(await text(path)).toBe('first');
    await writeFile(fileSystem, `${path}.tmp`, 'left behind, and longer');
    await replaceFile(fileSystem, path, Buffer.from('second'));
    expect(await text(path)).toBe('second');
    await replaceFile(fileSystem, path, Buffer.alloc(0));
    expect(await text(path)).toBe('');
    expect(await fileSystem.list(root)).toEqual(['state']);
  });
}

function openFileContract(bench: () => FileSystemBench): void {
  let file: OpenFile;
  let path: string;
  beforeEach(async () => {
    path = `${bench().root}/file`;
    file = await bench().fileSystem.open(path, 'create');
    return async () => file.close();
  });

  it('writes at a position, over what is there and past the end', async () => {
    expect(await file.write(Buffer.from('--hello--'), 2, 5, 0)).toBe(5);
    expect(await file.write(Buffer.from('HEY'), 0, 2, 1)).toBe(2);
    expect((await contentOf(file)).toString()).toBe('hHElo');
    await file.write(Buffer.from('end'), 0, 3, 8);
    expect((await contentOf(file)).toString('latin1')).toBe('hHElo\0\0\0end');
    expect(await file.write(Buffer.from('x'), 0, 0, 100)).toBe(0);
    expect(await file.size()).toBe(11);
  });

  it('reads from a position into a part of the target, fewer at the end, none past it', async () => {
    await writeFully(file, Buffer.from('0123456789'), 0, 10, 0);
    const target = Buffer.from('..........');
    expect(await file.read(target, 2, 3, 4)).toBe(3);
    expect(target.toString()).toBe('..456.....');
    expect(await file.read(target, 0, 10, 8)).toBe(2);
    expect(target.toString()).toBe('89456.....');
    expect(await file.read(target, 0, 10, 10)).toBe(0);
    expect(await file.read(target, 0, 10, 99)).toBe(0);
    expect(await readFully(file, target, 0, 10, 7)).toBe(3);
    expect(target.toString()).toBe('78956.....');
  });

  it('cuts and extends; what was cut off does not come back', async () => {
    await writeFully(file, Buffer.from('0123456789'), 0, 10, 0);
    await file.truncate(4);
    expect(await file.size()).toBe(4);
    await file.truncate(6);
    expect((await contentOf(file)).toString('latin1')).toBe('0123\0\0');
    await file.write(Buffer.from('x'), 0, 1, 7);
    expect((await contentOf(file)).toString('latin1')).toBe('0123\0\0\0x');
    await file.dataSync();
    expect((await contentOf(file)).toString('latin1')).toBe('0123\0\0\0x');
  });

  it('shows every opening of a file the same bytes, whatever it is called by now', async () => {
    const { fileSystem } = bench();
    const reader = await fileSystem.open(path, 'read');
    await fileSystem.rename(path, `${path}2`);
    await writeFully(file, Buffer.alloc(3000, 7), 0, 3000, 0);
    expect(await contentOf(reader)).toEqual(Buffer.alloc(3000, 7));
    await reader.close();
  });

  it('does not write through a file opened to be read', async () => {
    const reader = await bench().fileSystem.open(path, 'read');
    await expect(reader.write(Buffer.from('x'), 0, 1, 0)).rejects.toMatchObject({ code: 'EBADF' });
    await reader.close();
    expect(await file.size()).toBe(0);
  });

  it('does nothing with a closed file, nor minds a second close', async () => {
    await file.close();
    await file.close();
    await expect(file.write(Buffer.from('x'), 0, 1, 0)).rejects.toMatchObject({ code: 'EBADF' });
    await expect(file.read(Buffer.alloc(1), 0, 1, 0)).rejects.toMatchObject({ code: 'EBADF' });
    await expect(file.dataSync()).rejects.toMatchObject({ code: 'EBADF' });
    await expect(file.truncate(0)).rejects.toMatchObject({ code: 'EBADF' });
    await expect(file.size()).rejects.toMatchObject({ code: 'EBADF' });
  });
}
