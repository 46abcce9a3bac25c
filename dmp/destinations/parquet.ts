import { ByteWriter, ParquetWriter } from 'hyparquet-writer';

/** Of a row group: 40 MB while it is written. */
const GROUP = 50_000;

/** Parquet of required text columns, in row groups, so that memory holds one. */
export async function* parquetOf(
  columns: readonly string[],
  parts: AsyncIterable<readonly (readonly string[])[]>,
): AsyncGenerator<Buffer> {
  const writer = new ByteWriter();
  const file = new ParquetWriter({
    writer,
    schema: [
      { name: 'schema', num_children: columns.length },
      ...columns.map((name) => ({ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }) as const),
    ],
    createdBy: 'walkin',
  });
  let data: string[][] = columns.map(() => []);
  const write = async (): Promise<Buffer> => {
    const rowGroupSize = data[0]?.length ?? 0;
    await file.write({ columnData: columns.map((name, index) => ({ name, data: data[index] ?? [] })), rowGroupSize });
    data = columns.map(() => []);
    return taken(writer);
  };
  for await (const part of parts) {
    for (const row of part) for (const [index, column] of data.entries()) column.push(row[index] ?? '');
    if ((data[0]?.length ?? 0) >= GROUP) yield await write();
  }
  if ((data[0]?.length ?? 0) > 0) yield await write();
  await file.finish();
  yield taken(writer);
}

/** What was written since the last time; the writer goes on counting where it is in the file. */
function taken(writer: ByteWriter): Buffer {
  const bytes = Buffer.from(writer.getBytes());
  writer.index = 0;
  return bytes;
}
