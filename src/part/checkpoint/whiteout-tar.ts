/** Deletions as a tar has them (OCI image-spec, layer.md "Whiteouts"): empty files, each named as what is gone with a prefix. */
const blockBytes = 512;
const nameBytes = 100;

/** The tar's blocks, without its end: another tar can follow. The paths have no slash in front. */
export function* whiteoutBlocks(paths: readonly string[]): Generator<Buffer> {
  for (const path of paths) {
    const at = path.lastIndexOf('/') + 1;
    const name = `${path.slice(0, at)}.wh.${path.slice(at)}`;
    if (Buffer.byteLength(name) > nameBytes) {
      const record = paxRecord(name);
      yield header({ name: 'path', type: 'x', size: record.length });
      yield padded(record);
    }
    yield header({ name, type: '0', size: 0 });
  }
}

/** `LENGTH path=NAME\n`, where the length counts its own digits. */
function paxRecord(name: string): Buffer {
  const rest = ` path=${name}\n`;
  const bytes = Buffer.byteLength(rest);
  const digits = [1, 2, 3, 4, 5].find((count) => String(bytes + count).length === count)!;
  return Buffer.from(`${bytes + digits}${rest}`);
}

function header({ name, type, size }: { name: string; type: '0' | 'x'; size: number }): Buffer {
  const block = Buffer.alloc(blockBytes);
  Buffer.from(name).copy(block, 0, 0, nameBytes);
  block.write('0000600\x000000000\x000000000\0', 100, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\x0000000000000\0`, 124, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((blockBytes - (bytes.length % blockBytes)) % blockBytes)]);
}
