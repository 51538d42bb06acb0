import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { CdiSpec } from './cdi-spec.ts';
import { parseCdiSpec } from './parse-cdi-spec.ts';

const workerFile = new URL(`./yaml-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
const yamlDeadlineMs = 10_000;
const yamlMemoryMb = 256;

/** What the worker answers. */
export type YamlAnswer = { readonly document: unknown } | { readonly error: string };

/** Reads a CDI spec file's text, JSON or YAML by the name. Throws an Error that says what is wrong in it. */
export async function decodeCdiFile(text: string, path: string): Promise<CdiSpec> {
  return parseCdiSpec(path.endsWith('.json') ? JSON.parse(text) : await decodeYaml(text));
}

/** Vendors' YAML files have thousands of lines and take the parser its time: a thread of their own, which ends with the work. */
async function decodeYaml(text: string): Promise<unknown> {
  const worker = new Worker(workerFile, { workerData: text, env: {}, stdin: false, resourceLimits: { maxOldGenerationSizeMb: yamlMemoryMb } });
  const { promise, resolve, reject } = Promise.withResolvers<YamlAnswer>();
  const timer = setTimeout(() => reject(new Error(`it takes longer than ${yamlDeadlineMs / 1000} s to read as YAML`)), yamlDeadlineMs);
  worker.once('message', resolve).once('error', reject).once('exit', () => reject(new Error('the reader of YAML ended without an answer')));
  try {
    const answer = await promise;
    if ('error' in answer) throw new Error(answer.error);
    return answer.document;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
