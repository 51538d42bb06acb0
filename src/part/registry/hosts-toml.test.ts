import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findHostFolder } from './host-folder.ts';
import { parseHostsToml } from './hosts-toml.ts';

test('hosts keep their order, and each has its address, abilities and trust', () => {
  const { hosts, server } = parseHostsToml(`
server = "https://registry-1.docker.io"

[host."https://mirror.example:5000"]
  capabilities = ["pull", "resolve"]
  ca = "mirror.crt"
  client = [["/etc/a.cert", "/etc/a.key"], ["both.pem", ""]]
  dial_timeout = "1.5s"
  [host."https://mirror.example:5000".header]
    x-team = ["one", "two"]

[host."http://plain.example/prefix"]
  capabilities = ["pull"]

[host."proxy.example/v2/hub"]
  override_path = true
  skip_verify = true
`, '/etc/certs.d/docker.io/hosts.toml');

  assert.deepEqual(hosts.map(({ address, apiPath, resolves, pulls }) => [address, apiPath, resolves, pulls]), [
    ['mirror.example:5000', '/v2', true, true],
    ['plain.example', '/prefix/v2', false, true],
    ['proxy.example', '/v2/hub', true, true],
  ]);
  assert.deepEqual(hosts[0]?.rule, {
    schemes: ['https'], caFiles: ['/etc/certs.d/docker.io/mirror.crt'],
    clientCertificates: [{ certFile: '/etc/a.cert', keyFile: '/etc/a.key' }, { certFile: '/etc/certs.d/docker.io/both.pem' }],
    headers: { 'x-team': 'one, two' }, connectMs: 1500,
  });
  assert.deepEqual([hosts[1]?.rule, hosts[2]?.rule], [{ schemes: ['http'] }, { schemes: ['https'], skipVerify: true }]);
  assert.equal(server?.address, 'registry-1.docker.io');
});

test('a file that makes no sense is refused by name', () => {
  const refused: [text: string, why: RegExp][] = [
    ['[host', /read registry hosts file \/x\/hosts.toml: /],
    ['host = 1', /host: want an object, found 1/],
    ['[host."ftp://a"]', /ftp:\/\/a: it is not the address of a host/],
    ['[host."https://a"]\ncapabilities = ["fly"]', /host.https:\/\/a.capabilities\[0\]: want pull, resolve or push, found "fly"/],
    ['[host."https://a"]\nskip_verify = "no"', /skip_verify: want true or false, found "no"/],
    ['[host."https://a"]\nca = 7', /ca: want a text, found 7/],
    ['[host."https://a"]\nclient = [[1]]', /client\[0\]\[0\]: want a text, found 1/],
    ['[host."https://a"]\ndial_timeout = 3', /dial_timeout: want a text, found 3/],
    ['[host."https://a"]\nheader = "x"', /header: want an object/],
    ['[host."https://a"]\nclient = ""', /client: want the file of a certificate, found ""/],
    ['[host."https://a"]\ndial_timeout = "3"', /dial_timeout: want a duration such as "3s", found "3"/],
    ['server = 1', /server: want a text, found 1/],
  ];

  for (const [text, why] of refused) assert.throws(() => parseHostsToml(text, '/x/hosts.toml'), why, text);
});

test('the first folder of a host counts, then one named _default; certificates need no hosts.toml', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-hosts-'));
  t.after(() => rm(directory, { recursive: true }));
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  for (const folder of ['first/_default', 'second/r.io:5000', 'second/half.io']) await mkdir(join(directory, folder), { recursive: true });
  await writeFile(join(first, '_default/hosts.toml'), '[host."https://everyone.io"]');
  for (const name of ['ca.crt', 'me.cert', 'me.key']) await writeFile(join(second, 'r.io:5000', name), '');
  await writeFile(join(second, 'half.io/me.cert'), '');

  const certificates = await findHostFolder([first, second], 'r.io:5000');
  const fallback = await findHostFolder([first, second], 'other.io');

  const own = join(second, 'r.io:5000');
  assert.deepEqual(certificates, {
    path: own, hostsFile: undefined,
    certificates: { caFiles: [join(own, 'ca.crt')], clientCertificates: [{ certFile: join(own, 'me.cert'), keyFile: join(own, 'me.key') }] },
  });
  assert.equal(fallback?.hostsFile?.hosts[0]?.address, 'everyone.io');
  assert.equal(await findHostFolder([second], 'other.io'), undefined);
  await assert.rejects(findHostFolder([second], 'half.io'), /read registry folder .*half.io: me.cert has no me.key/);
});
