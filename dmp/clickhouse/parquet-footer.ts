import { open } from 'node:fs/promises';

const MAGIC = Buffer.from('PAR1');
/** Length of the footer and the magic number behind it. */
const TAIL = 8;
/** A footer lists every column of every row group: of a real file megabytes at most. */
const MOST = 64 * 1024 * 1024;

/**
 * A Parquet file without its rows: magic number, footer, its length, magic number. A reader that only wants the columns is content
 * with it, so that they are known before the file itself is sent. Null where the file is not Parquet.
 */
export async function parquetFooter(path: string): Promise<Buffer | null> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    if (size < MAGIC.length + TAIL) return null;
    const read = async (at: number, length: number): Promise<Buffer> =>
      (await handle.read(Buffer.alloc(length), 0, length, at)).buffer;
    const tail = await read(size - TAIL, TAIL);
    const length = tail.readUInt32LE(0);
    const isWhole = (await read(0, MAGIC.length)).equals(MAGIC) && tail.subarray(4).equals(MAGIC);
    if (!isWhole || length > MOST || length > size - MAGIC.length - TAIL) return null;
    return Buffer.concat([MAGIC, await read(size - TAIL - length, length), tail]);
  } finally {
    await handle.close();
  }
}
