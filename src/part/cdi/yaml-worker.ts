/** The thread in which one YAML file is read. */
import { parentPort, workerData } from 'node:worker_threads';
import { parse } from 'yaml';
import { messageOf } from '../../base/errors.ts';
import type { YamlAnswer } from './decode-cdi-file.ts';

function answer(): YamlAnswer {
  try {
    return { document: parse(workerData as string, { prettyErrors: false, logLevel: 'error' }) as unknown };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

const port = parentPort!;
port.postMessage(answer());
