/**
 * Makes src/gen/cri.ts and src/gen/admin.ts from the proto files beside them with protoc and ts-proto. The first line carries a hash
 * of both, by which scripts/check-wire.ts sees a hand edit or a forgotten run of this script.
 *
 * Needs protoc (Debian: protobuf-compiler). Usage: node scripts/generate-messages.ts
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

const repository = path.resolve(import.meta.dirname, '..');
const folder = path.join(repository, 'src/gen');

/** The proto files, without `.proto`: the CRI, and our own API. */
export const protos = ['cri', 'admin'] as const;

const options = [
  'outputServices=grpc-js', 'outputClientImpl=false', 'outputJsonMethods=false', 'outputPartialMethods=false', 'useExactTypes=false',
  'forceLong=bigint', 'env=node', 'esModuleInterop=true', 'enumsAsLiterals=true', 'useOptionals=none', 'comments=false',
];

/** The first line of a generated file: the hash covers the proto and all that follows that line. */
export function generatedMark(name: string, proto: string, body: string): string {
  const hash = createHash('sha256').update(proto).update('\0').update(body).digest('hex');
  return `// Generated from ${name}.proto by scripts/generate-messages.ts; do not edit. sha256:${hash}`;
}

if (import.meta.main) protos.forEach(generate);

function generate(name: string): void {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'generate-messages-'));
  try {
    execFileSync('protoc', [
      `--plugin=protoc-gen-ts_proto=${path.join(repository, 'node_modules/.bin/protoc-gen-ts_proto')}`,
      `--ts_proto_out=${scratch}`, `--ts_proto_opt=${options.join(',')}`, `--proto_path=${folder}`, `${name}.proto`,
    ], { stdio: 'inherit' });
    const body = `${fs.readFileSync(path.join(scratch, `${name}.ts`), 'utf8').trimEnd()}\n`;
    const proto = fs.readFileSync(path.join(folder, `${name}.proto`), 'utf8');
    fs.writeFileSync(path.join(folder, `${name}.ts`), `${generatedMark(name, proto, body)}\n${body}`);
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
}
