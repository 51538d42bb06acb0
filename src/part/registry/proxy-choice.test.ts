import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseProxy } from './proxy-choice.ts';

const proxies = { HTTP_PROXY: 'http://plain.example:3128', HTTPS_PROXY: 'http://tls.example:3128' };
const told = (url: string, environment: Record<string, string>): string | undefined => chooseProxy(new URL(url), environment)?.told;

test('the variable for the scheme of the registry counts, capital letters first', () => {
  const cases: [url: string, environment: Record<string, string>, told: string | undefined][] = [
    ['https://reg.example/v2/', proxies, 'the proxy http://tls.example:3128 of HTTPS_PROXY'],
    ['http://reg.example/v2/', proxies, 'the proxy http://plain.example:3128 of HTTP_PROXY'],
    ['https://reg.example/v2/', { https_proxy: 'http://low.example', HTTPS_PROXY: '' }, 'the proxy http://low.example of https_proxy'],
    ['https://reg.example/v2/', { https_proxy: 'http://low.example', HTTPS_PROXY: 'http://high.example' }, 'the proxy http://high.example of HTTPS_PROXY'],
    ['https://reg.example/v2/', { HTTP_PROXY: 'http://plain.example' }, undefined],
    ['https://reg.example/v2/', { HTTPS_PROXY: 'tls.example:3128' }, 'the proxy http://tls.example:3128 of HTTPS_PROXY'],
    ['https://reg.example/v2/', { HTTPS_PROXY: 'https://user:secret@tls.example' }, 'the proxy https://tls.example of HTTPS_PROXY'],
    ['https://reg.example/v2/', {}, undefined],
  ];
  for (const [url, environment, expected] of cases) assert.equal(told(url, environment), expected, `${url} ${JSON.stringify(environment)}`);
  assert.equal(chooseProxy(new URL('https://reg.example/'), { HTTPS_PROXY: 'http://u:p%40ss@tls.example:1' })?.url, 'http://u:p%40ss@tls.example:1/');
});

test('what this machine has itself is never proxied', () => {
  for (const host of ['localhost:5000', '127.0.0.1:5000', '127.8.9.1', '[::1]:5000']) assert.equal(told(`http://${host}/`, proxies), undefined, host);
  for (const host of ['localhost.example', '128.0.0.1', '[::2]']) assert.notEqual(told(`http://${host}/`, proxies), undefined, host);
});

test('NO_PROXY is read as Go reads it', () => {
  const cases: [noProxy: string, url: string, direct: boolean][] = [
    ['*', 'https://reg.example/', true],
    ['reg.example', 'https://reg.example/', true],
    ['reg.example', 'https://a.reg.example/', true],
    ['reg.example', 'https://areg.example/', false],
    ['REG.example', 'https://reg.EXAMPLE/', true],
    ['.reg.example', 'https://reg.example/', false],
    ['.reg.example', 'https://a.b.reg.example/', true],
    ['*.reg.example', 'https://a.reg.example/', true],
    ['*.reg.example', 'https://reg.example/', false],
    ['reg.example:443', 'https://reg.example/', true],
    ['reg.example:5000', 'https://reg.example:5000/', true],
    ['reg.example:5000', 'https://reg.example:5001/', false],
    ['reg.example:80', 'http://reg.example/', true],
    ['other, reg.example ,', 'https://reg.example/', true],
    ['10.0.0.0/8', 'https://10.250.0.1:5000/', true],
    ['10.0.0.0/8', 'https://11.0.0.1/', false],
    ['10.0.0.0/8', 'https://ten.example/', false],
    ['10.0.0.7', 'http://10.0.0.7:5000/', true],
    ['10.0.0.7:5000', 'http://10.0.0.7:5001/', false],
    ['10.0.0', 'http://10.0.0.7/', false],
    ['fd00::/8', 'http://[fd00::1]:5000/', true],
    ['fd00::1', 'http://[fd00:0::1]/', true],
    ['[fd00::1]:5000', 'http://[fd00::1]:5000/', true],
    ['[fd00::1]:5000', 'http://[fd00::1]:5001/', false],
    ['10.0.0.0/33,fd00::/129,/8,:5000', 'http://10.0.0.1:5000/', false],
    ['', 'https://reg.example/', false],
  ];
  for (const [noProxy, url, direct] of cases) assert.equal(told(url, { ...proxies, NO_PROXY: noProxy }) === undefined, direct, `${noProxy} ${url}`);
  assert.equal(told('https://reg.example/', { ...proxies, no_proxy: 'reg.example' }), undefined);
});

test('a variable that names no proxy is refused, without what may be a password in it', () => {
  const cases: [text: string, why: RegExp][] = [
    ['http://user:secret@:99999', /^choose proxy HTTPS_PROXY: it is no URL of a proxy: set it to http:\/\/HOST:PORT/],
    ['http://', /no URL of a proxy/],
    ['socks5://proxy.example:1080', /a proxy of the kind socks5 is not supported, only http and https/],
  ];
  for (const [text, why] of cases) {
    assert.throws(() => told('https://reg.example/', { HTTPS_PROXY: text }), (error: Error & { kind?: string }) => error.kind === 'failed-precondition' && why.test(error.message) && !error.message.includes('secret'), text);
  }
});
