import { ByteWriter, ParquetWriter } from 'hyparquet-writer';

/** Parquet of required text columns: one row group for each part, so that memory holds one part. */
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
  for await (const part of parts) {
    if (part.length === 0) continue;
    const columnData = columns.map((name, index) => ({ name, data: part.map((row) => row[index] ?? '') }));
    await file.write({ columnData, rowGroupSize: part.length });
    yield taken(writer);
  }
  await file.finish();
  yield taken(writer);
}

/** What was written since the last time; the writer goes on counting where it is in the file. */
function taken(writer: ByteWriter): Buffer {
  const bytes = Buffer.from(writer.getBytes());
  writer.index = 0;
  return bytes;
}
