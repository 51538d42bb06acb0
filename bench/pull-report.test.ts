import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pullReportText, type PullSeries } from './pull-report.ts';
import { machineFacts } from './report.ts';

const line = (text: string, head: string): string => text.split('\n').find((one) => one.startsWith(head))!.replace(/ +/g, ' ');
const table = (series: PullSeries, coldCache = true): string => pullReportText({ descriptions: [], coldCache, series: [series] }, machineFacts());

test('the ratio is the median of the rounds, not of the sums, and is held against the target', () => {
  const text = table({ image: 'large', target: 0.5, pulls: new Map([
    ['Gantry', [{ ms: 100, peakBytes: 90e6, cpuMs: 70 }, { ms: 900, peakBytes: 91e6, cpuMs: 60 }, { ms: 120, peakBytes: 95e6, cpuMs: 65 }]],
    ['containerd', [{ ms: 200, peakBytes: 50e6 }, { ms: 3000, peakBytes: 50e6 }, { ms: 200, peakBytes: 50e6 }]],
    ['skopeo', [{ ms: 80 }, { ms: 80 }, { ms: 80 }]],
  ]) });

  assert.equal(line(text, 'large'), 'large 120 ms 200 ms 80 ms 0.50 ≤ 0.5 × peer met 3 65 ms 91 MB 50 MB');
});

test('without a peer the target is left open, and a warm cache is said aloud', () => {
  const text = table({ image: 'small', target: 0.8, pulls: new Map([['Gantry', [{ ms: 50, peakBytes: 80e6 }]]]) }, false);

  assert.equal(line(text, 'small'), 'small 50 ms ≤ 0.8 × peer - 1 80 MB');
  assert.match(text, /page cache WARM/);
});
