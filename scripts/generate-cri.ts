/**
 * Makes src/gen/cri.ts from src/gen/cri.proto with protoc and ts-proto. The first line carries a hash of both, by
 * which scripts/check-wire.ts sees a hand edit or a forgotten run of this script.
 *
 * Needs protoc (Debian: protobuf-compiler). Usage: node scripts/generate-cri.ts
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

const repository = path.resolve(import.meta.dirname, '..');
const folder = path.join(repository, 'src/gen');

const options = [
  'outputServices=grpc-js', 'outputClientImpl=false', 'outputJsonMethods=false', 'outputPartialMethods=false', 'useExactTypes=false',
  'forceLong=bigint', 'env=node', 'esModuleInterop=true', 'enumsAsLiterals=true', 'useOptionals=none', 'comments=false',
];

/** The first line of cri.ts: the hash covers the proto and all that follows that line. */
export function generatedMark(proto: string, body: string): string {
  const hash = createHash('sha256').update(proto).update('\0').update(body).digest('hex');
  return `// Generated from cri.proto by scripts/generate-cri.ts; do not edit. sha256:${hash}`;
}

if (import.meta.main) generate();

function generate(): void {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'generate-cri-'));
  try {
    execFileSync('protoc', [
      `--plugin=protoc-gen-ts_proto=${path.join(repository, 'node_modules/.bin/protoc-gen-ts_proto')}`,
      `--ts_proto_out=${scratch}`, `--ts_proto_opt=${options.join(',')}`, `--proto_path=${folder}`, 'cri.proto',
    ], { stdio: 'inherit' });
    const body = `${fs.readFileSync(path.join(scratch, 'cri.ts'), 'utf8').trimEnd()}\n`;
    const proto = fs.readFileSync(path.join(folder, 'cri.proto'), 'utf8');
    fs.writeFileSync(path.join(folder, 'cri.ts'), `${generatedMark(proto, body)}\n${body}`);
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
}
