/**
 * A process that takes one pod through its whole life and is killed on the way: it counts what it writes to the store and sends itself
 * SIGKILL before or after a given write. As every lasting effect lies between two writes, each has a kill right before it
 * and one right after it. Arguments: JSON of the request.
 */
import { StatementSync } from 'node:sqlite';
import { silentLogger } from '../base/log.ts';
import type { Config } from '../base/config/schema.ts';
import { ContainerConfig, PodSandboxConfig } from '../gen/cri.ts';
import { buildEngine } from './build-engine.ts';
import { liveOnePod } from './engine-bed.fake.ts';

export interface CrashRequest {
  readonly config: Config;
  /** base64 of the messages. */
  readonly pod: string;
  readonly containers: readonly string[];
  /** The number of the write, from 1; 0 lets it live. */
  readonly at: number;
  readonly when: 'before' | 'after';
}

const request = JSON.parse(process.argv[2]!) as CrashRequest;
setInterval(() => {}, 60_000); // as the daemon's socket does: a wait for a child alone would not keep the process
const { engine, close } = await buildEngine(request.config, silentLogger);
let writes = 0;
const write = StatementSync.prototype.run;
StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<StatementSync["run"]>) {
  writes++;
  if (writes === request.at && request.when === 'before') process.kill(process.pid, 'SIGKILL');
  const result = write.apply(this, values);
  if (writes === request.at && request.when === 'after') process.kill(process.pid, 'SIGKILL');
  return result;
} as typeof write;
await liveOnePod(engine, {
  pod: PodSandboxConfig.decode(Buffer.from(request.pod, 'base64')),
  containers: request.containers.map((text) => ContainerConfig.decode(Buffer.from(text, 'base64'))),
});
console.log(String(writes));
await close();
process.exit(0);
