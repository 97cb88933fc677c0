// A development server with made-up data: `npm run build && npm run dev`, then open the address.
// Like TensorBoard it shows the plugin in an iframe; /SCENARIO/ picks what the API answers:
//   all    every fixture run            live   a run that grows by one step a second
//   empty  no run                       error  the heatmap and the layer fail with 500
//   down   every route fails            slow   every answer takes two seconds
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fixtures } from './fixtures.mjs';

const PORT = Number(process.env.PORT ?? 6007);
const SLOW_MS = 2000;
const STARTED = Date.now();
const BUNDLE = new URL('../../tb_gradplugin/static/index.js', import.meta.url);
const CSP =
  "default-src 'self'; font-src 'self' data:; frame-ancestors *; frame-src 'self'; " +
  "img-src 'self' data: blob:; object-src 'none'; style-src 'self' data: 'unsafe-inline'; " +
  "connect-src 'self' data:; script-src 'self' 'unsafe-inline'";

const HOST = `<!doctype html><html lang="en"><title>Host</title>
<style>body{margin:0;font-family:Arial;height:100vh;display:flex;flex-direction:column}
body.dark-mode{background:#303030}header{background:#f57c00;color:#fff;padding:18px;flex:none}
iframe{border:0;flex:1;width:100%}</style>
<body><header><button onclick="document.body.classList.toggle('dark-mode')">dark</button></header>
<iframe src="data/plugin_entry.html"></iframe></body>`;
const ENTRY = `<!doctype html><head><base href="plugin/gradients/" /></head>
<body><script type="module">import('./static/index.js').then((m) => void m.render());</script></body>`;

let cached = fixtures();

function runsOf(scenario) {
  if (scenario === 'empty') return [];
  if (scenario !== 'live') return cached;
  const step = 20 + Math.floor((Date.now() - STARTED) / 1000);
  return [fixtures(step).at(-1)];
}

/** [status, body] of an API route. */
function answer(scenario, route, query) {
  if (scenario === 'down') return [503, 'The log directory is not mounted.'];
  const runs = runsOf(scenario);
  if (route === 'runs') return [200, { runs: runs.map((run) => run.summary) }];
  if (route === 'problems') {
    const text =
      'run1/gradients/events.out.tfevents.1: bad checksum in record 12 at byte 4711; the rest of the file cannot be read';
    return [200, { problems: scenario === 'all' ? [text] : [] }];
  }
  const run = runs.find(({ summary }) => summary.name === query.get('run'));
  if (!run) return [404, `Not found: no run ${query.get('run')}`];
  if (scenario === 'error' && (route === 'heatmap' || route === 'layer')) {
    return [500, 'The statistics of this run do not fit its model.'];
  }
  if (route === 'layer') {
    const layer = run.layer(query.get('layer'));
    return layer ? [200, layer] : [404, 'Not found: no such layer'];
  }
  if (route === 'map') {
    const map = run.map(query.get('variable'), Number(query.get('step')));
    return map ? [200, map] : [404, 'Not found: no such map'];
  }
  return run[route] ? [200, run[route]] : [404, 'no such route'];
}

createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const [, scenario = '', ...rest] = url.pathname.split('/');
  const path = rest.join('/');
  const send = (status, type, body) => {
    response.writeHead(status, { 'content-type': type, 'content-security-policy': CSP });
    response.end(body);
  };
  if (!scenario) return send(302, 'text/html', '<meta http-equiv="refresh" content="0;url=/all/">');
  if (path === '') return send(200, 'text/html', HOST);
  if (path === 'data/plugin_entry.html') return send(200, 'text/html', ENTRY);
  if (path === 'data/runs') return send(200, 'application/json', '["train", "validation"]');
  const route = path.replace(/^data\/plugin\/gradients\//, '');
  if (route === 'static/index.js') return send(200, 'text/javascript', readFileSync(BUNDLE));
  if (scenario === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
  const [status, body] = answer(scenario === 'slow' ? 'all' : scenario, route, url.searchParams);
  return typeof body === 'string'
    ? send(status, 'text/plain', body)
    : send(status, 'application/json', JSON.stringify(body));
}).listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}/all/`));
