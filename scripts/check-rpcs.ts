/**
 * One RPC, one file: compares the services of src/gen/<proto>.proto with src/face/<proto>/<service>/<rpc>.ts. A missing file, one
 * that no RPC stands behind, one that does not export its RPC, or one over 80 lines fails. Exits 1 with what is wrong.
 *
 *   node scripts/check-rpcs.ts
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { factsOf } from './check-wire.ts';
import { protos } from './generate-messages.ts';

const longestFile = 80;
const repository = path.resolve(import.meta.dirname, '..');

export function kebab(name: string): string {
  return name.replaceAll(/(?<!^)[A-Z]/g, '-$&').toLowerCase();
}

/** What is wrong in a folder that has one folder a service, one line each; the RPCs read `Service.Rpc`. */
export function problemsOf(rpcs: readonly string[], folder: string): string[] {
  const byService = Map.groupBy(rpcs.map((rpc) => rpc.split('.') as [string, string]), ([service]) => service);
  return [...byService].flatMap(([service, members]) => {
    const within = path.join(folder, kebab(service));
    const found = new Set(fs.readdirSync(within).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts')));
    const problems = members.flatMap(([, rpc]) => {
      const file = `${kebab(rpc)}.ts`;
      return found.delete(file) ? problemsIn(path.join(within, file), rpc) : [`${kebab(service)}/${file}: missing, ${service} has ${rpc}`];
    });
    return [...problems, ...[...found].map((file) => `${kebab(service)}/${file}: ${service} has no such RPC`)];
  });
}

function problemsIn(file: string, rpc: string): string[] {
  const text = fs.readFileSync(file, 'utf8');
  const name = `${path.basename(path.dirname(file))}/${path.basename(file)}`;
  const main = (rpc[0] as string).toLowerCase() + rpc.slice(1);
  const lines = text.trimEnd().split('\n').length;
  return [
    ...(lines > longestFile ? [`${name}: ${lines} lines, at most ${longestFile}`] : []),
    ...(new RegExp(`^export (async )?function\\*? ${main}\\(`, 'm').test(text) ? [] : [`${name}: does not export ${main}`]),
  ];
}

export function check(): string[] {
  return protos.flatMap((name) => {
    const { rpcs } = factsOf(fs.readFileSync(path.join(repository, `src/gen/${name}.proto`), 'utf8'));
    return problemsOf(Object.keys(rpcs), path.join(repository, 'src/face', name));
  });
}

if (import.meta.main) {
  const problems = check();
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exit(1);
  console.log('rpcs: one file for each');
}
