// Fails when the bundle outgrows what a TensorBoard tab should cost to load.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const KB = 1024;
const BUDGET = { minified: 120, gzip: 45 };
const LIMIT = { minified: 150, gzip: 55 };

const bundle = readFileSync(new URL('../../tb_gradplugin/static/index.js', import.meta.url));
const size = { minified: bundle.length / KB, gzip: gzipSync(bundle, { level: 9 }).length / KB };

for (const [name, kilobytes] of Object.entries(size)) {
  const verdict =
    kilobytes > LIMIT[name] ? 'TOO LARGE' : kilobytes > BUDGET[name] ? 'over budget' : 'ok';
  console.log(
    `${name}: ${kilobytes.toFixed(1)} KB of ${BUDGET[name]} (fails above ${LIMIT[name]}): ${verdict}`,
  );
  if (kilobytes > LIMIT[name]) process.exitCode = 1;
}
