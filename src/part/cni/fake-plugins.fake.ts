/** CNI plugins for tests: small shell programs that note each call and then do what the test says. */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import type { TestContext } from 'node:test';

import type { CniVerb } from './plugin-runner.ts';

export interface PluginCallSeen {
  readonly verb: string;
  readonly type: string;
  readonly env: Readonly<Record<string, string>>;
  readonly request: Record<string, unknown>;
}

export interface FakeNode {
  readonly confDir: string;
  readonly binDir: string;
  readonly cacheDir: string;
  readonly netnsPath: string;
  /** Writes a file of the configuration directory; an object becomes JSON. */
  conf(name: string, content: unknown): Promise<void>;
  /**
   * Makes or replaces a plugin. What it does for a verb is shell text; without one it passes `prevResult` on, or answers
   * ADD with 10.9.0.2 on the interface. `$CALL` is the number of this plugin's calls of the verb so far, from 1.
   */
  plugin(type: string, behaviour?: Partial<Record<CniVerb, string>>): Promise<void>;
  /** All calls of all plugins, in order. */
  calls(): Promise<PluginCallSeen[]>;
  /** `ADD bridge`, `ADD portmap`, … since the last time it was asked. */
  newCalls(): Promise<string[]>;
}

/** The shell text that fails with a CNI error object. */
export function cniError(code: number, msg: string, details = ''): string {
  return `{ printf '%s' '${JSON.stringify({ cniVersion: '1.0.0', code, msg, details })}'; exit 1; }`;
}

/** A node with empty directories for configuration, plugins and cache; all removed after the test. */
export async function fakeNode(t: TestContext): Promise<FakeNode> {
  const root = await fs.mkdtemp(path.join(os.tmpdir(), 'gantry-cni-'));
  t.after(() => fs.rm(root, { recursive: true, force: true }));
  const node = { confDir: path.join(root, 'conf', 'net.d'), binDir: path.join(root, 'bin'), cacheDir: path.join(root, 'cache') };
  const seenDir = path.join(root, 'seen');
  for (const directory of [node.confDir, node.binDir, seenDir]) await fs.mkdir(directory, { recursive: true });
  let told = 0;

  async function calls(): Promise<PluginCallSeen[]> {
    const order = await fs.readFile(path.join(seenDir, 'order'), 'utf8').catch(() => '');
    return Promise.all(order.split('\n').filter((line) => line !== '').map(async (line) => {
      const [verb, type, id] = line.split(' ') as [string, string, string];
      const env = (await fs.readFile(path.join(seenDir, `${id}.env`), 'utf8')).split('\n').filter((pair) => pair.startsWith('CNI_'));
      return {
        verb, type,
        env: Object.fromEntries(env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])),
        request: JSON.parse(await fs.readFile(path.join(seenDir, `${id}.request`), 'utf8')) as Record<string, unknown>,
      };
    }));
  }

  return {
    ...node,
    netnsPath: '/proc/self/ns/net',
    calls,
    async conf(name, content) {
      await fs.mkdir(node.confDir, { recursive: true });
      await fs.writeFile(path.join(node.confDir, name), typeof content === 'string' ? content : JSON.stringify(content));
    },
    async plugin(type, behaviour = {}) {
      const file = path.join(node.binDir, type);
      await fs.rm(file, { force: true });
      await fs.writeFile(file, script(type, seenDir, behaviour), { mode: 0o755 });
    },
    async newCalls() {
      const all = await calls();
      const news = all.slice(told).map(({ verb, type }) => `${verb} ${type}`);
      told = all.length;
      return news;
    },
  };
}

const firstResult = `echo '{"cniVersion":"1.0.0","interfaces":[{"name":"vethx"},{"name":"'"$CNI_IFNAME"'","sandbox":"'"$CNI_NETNS"'"}],"ips":[{"address":"10.9.0.2/24","gateway":"10.9.0.1","interface":1}]}'`;

function script(type: string, seenDir: string, behaviour: Partial<Record<CniVerb, string>>): string {
  const cases = Object.entries(behaviour).map(([verb, text]) => `${verb}) ${text} ;;`);
  return [
    '#!/bin/sh',
    `id=${type}-$CNI_COMMAND-$$`,
    `cat > ${seenDir}/$id.request`,
    `env > ${seenDir}/$id.env`,
    `echo "$CNI_COMMAND ${type} $id" >> ${seenDir}/order`,
    `CALL=$(grep -c "^$CNI_COMMAND ${type} " ${seenDir}/order)`,
    'case $CNI_COMMAND in',
    ...cases,
    `ADD) if grep -q prevResult ${seenDir}/$id.request; then sed 's/.*"prevResult"://; s/}$//' ${seenDir}/$id.request; else ${firstResult}; fi ;;`,
    `VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0","1.1.0"]}' ;;`,
    'esac',
    '',
  ].join('\n');
}
