/**
 * Parquet of required text columns, not compressed (parquet.apache.org/docs/file-format): pages in plain encoding, one row group for
 * each part, so that memory holds one part. The footer is Thrift in its compact protocol.
 */
export async function* parquetOf(
  columns: readonly string[],
  parts: AsyncIterable<readonly (readonly string[])[]>,
): AsyncGenerator<Buffer> {
  yield MAGIC;
  let offset = MAGIC.length;
  let rows = 0;
  const groups: Buffer[] = [];
  for await (const part of parts) {
    if (part.length === 0) continue;
    const chunks: Buffer[] = [];
    let size = 0;
    for (const [index, name] of columns.entries()) {
      const page = pageOf(part, index);
      chunks.push(chunkOf(name, part.length, page.length, offset));
      yield page;
      offset += page.length;
      size += page.length;
    }
    groups.push(struct([1, list(STRUCT, chunks)], [2, i64(size)], [3, i64(part.length)]));
    rows += part.length;
  }
  const elements = columns.map((name) => struct([1, i32(BYTE_ARRAY)], [3, i32(REQUIRED)], [4, text(name)], [6, i32(UTF8)]));
  const schema = [struct([4, text('schema')], [5, i32(columns.length)]), ...elements];
  const footer = struct([1, i32(1)], [2, list(STRUCT, schema)], [3, i64(rows)], [4, list(STRUCT, groups)], [6, text('walkin')]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  yield Buffer.concat([footer, length, MAGIC]);
}

const MAGIC = Buffer.from('PAR1');
const BYTE_ARRAY = 6;
const REQUIRED = 0;
const UTF8 = 0;
const PLAIN = 0;
const RLE = 3;
const DATA_PAGE = 0;
const UNCOMPRESSED = 0;

/** Header and values of a column: each its length in four bytes and its bytes. */
function pageOf(part: readonly (readonly string[])[], index: number): Buffer {
  const values: Buffer[] = [];
  for (const row of part) {
    const value = Buffer.from(row[index] ?? '');
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32LE(value.length);
    values.push(length, value);
  }
  const data = Buffer.concat(values);
  const about = struct([1, i32(part.length)], [2, i32(PLAIN)], [3, i32(RLE)], [4, i32(RLE)]);
  const header = struct([1, i32(DATA_PAGE)], [2, i32(data.length)], [3, i32(data.length)], [5, { type: STRUCT, bytes: about }]);
  return Buffer.concat([header, data]);
}

function chunkOf(name: string, rows: number, size: number, offset: number): Buffer {
  const meta = struct(
    [1, i32(BYTE_ARRAY)],
    [2, list(I32, [varint(zigzag(PLAIN))])],
    [3, list(BINARY, [text(name).bytes])],
    [4, i32(UNCOMPRESSED)],
    [5, i64(rows)],
    [6, i64(size)],
    [7, i64(size)],
    [9, i64(offset)],
  );
  return struct([2, i64(offset)], [3, { type: STRUCT, bytes: meta }]);
}

const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

interface Field {
  readonly type: number;
  readonly bytes: Buffer;
}

/** Fields by rising number; each header holds the step from the one before. */
function struct(...fields: readonly (readonly [number: number, field: Field])[]): Buffer {
  const parts: Buffer[] = [];
  let last = 0;
  for (const [number, { type, bytes }] of fields) {
    parts.push(Buffer.from([((number - last) << 4) | type]), bytes);
    last = number;
  }
  return Buffer.concat([...parts, Buffer.from([0])]);
}

const zigzag = (value: number): number => value * 2;
const i32 = (value: number): Field => ({ type: I32, bytes: varint(zigzag(value)) });
const i64 = (value: number): Field => ({ type: I64, bytes: varint(zigzag(value)) });

function text(value: string): Field {
  const bytes = Buffer.from(value);
  return { type: BINARY, bytes: Buffer.concat([varint(bytes.length), bytes]) };
}

function list(type: number, items: readonly Buffer[]): Field {
  const head =
    items.length < 15
      ? Buffer.from([(items.length << 4) | type])
      : Buffer.concat([Buffer.from([0xf0 | type]), varint(items.length)]);
  return { type: LIST, bytes: Buffer.concat([head, ...items]) };
}

/** Of numbers up to 2^53, none below 0. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
