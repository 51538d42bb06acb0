import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isListedInsecure, readDockerDaemonJson } from './docker-daemon-json.ts';

test('mirrors and insecure registries are read, all else is passed over', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-daemon-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'daemon.json');
  const written = async (text: string) => {
    await writeFile(path, text);
    return await readDockerDaemonJson(path);
  };

  assert.deepEqual(await written('{"registry-mirrors":["https://m.io"],"insecure-registries":["a:5000"],"debug":true}'), { mirrors: ['https://m.io'], insecure: ['a:5000'] });
  assert.deepEqual(await written(' '), { mirrors: [], insecure: [] });
  assert.deepEqual(await readDockerDaemonJson(join(directory, 'none')), { mirrors: [], insecure: [] });
  await assert.rejects(written('{'), /read Docker configuration .*daemon.json: it is not JSON/);
  await assert.rejects(written('{"registry-mirrors":"https://m.io"}'), /registry-mirrors: want a list/);
});

test('a registry is insecure by host, by host and port, and an address by its network', () => {
  const listed = ['plain.io', 'r.io:5000', '10.0.0.0/8', 'fd00::/8'];

  for (const host of ['plain.io', 'plain.io:80', 'r.io:5000', '10.1.2.3:5000']) assert.ok(isListedInsecure(listed, host), host);
  for (const host of ['r.io', 'r.io:5001', '11.1.2.3', 'x.plain.io', '10.example']) assert.ok(!isListedInsecure(listed, host), host);
  assert.ok(isListedInsecure(['0.0.0.0/0'], '192.0.2.1'));
  assert.ok(!isListedInsecure(['10.0.0.0/40'], '10.0.0.1'));
});
