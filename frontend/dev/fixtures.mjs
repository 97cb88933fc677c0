// Made-up answers of the HTTP API, for working on the pages without training anything.

const START = 1790000000;

/** Reproducible noise: the pictures must look the same at every start. */
function noise(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32 - 0.5;
  };
}

const autoSteps = (last) => {
  const steps = [];
  for (let step = 1; step <= last;) {
    steps.push(step);
    step += Math.min(100, Math.max(1, Math.floor(step / 20)));
  }
  return steps;
};

const encode = (level) =>
  typeof level === 'string'
    ? { missing: 0, nan: 1, zero: 2 }[level]
    : Math.max(7, Math.min(255, Math.round(131 + 31 * Math.max(-4, Math.min(4, level)))));

const RULES = [
  [
    'vanishing',
    'Vanishing gradients',
    'The gradient of a layer is far weaker than that of the strongest layer of the same step.',
  ],
  [
    'exploding',
    'Exploding gradients',
    'The loss or the updates grow far beyond their start while nothing is learnt.',
  ],
  [
    'dead',
    'Dead layers',
    'A layer’s gradient is exactly zero for several logged steps although there is something to learn.',
  ],
  ['nonfinite', 'NaN or Inf', 'A gradient or the loss is not a finite number.'],
].map(([kind, title, checks]) => ({ kind, title, checks }));

const REMEDIES = {
  vanishing: [
    {
      title: 'Replace sigmoid by ReLU with He initialisation',
      why: 'A sigmoid’s slope is at most 1/4, so each layer shrinks the gradient at least four times.',
      snippet:
        'keras.layers.Dense(\n    64,\n    activation="relu",\n    kernel_initializer="he_normal",\n)',
    },
    {
      title: 'Add batch normalisation between the layers',
      why: 'It keeps the units out of their flat regions.',
      snippet:
        'x = keras.layers.Dense(64, use_bias=False)(x)\nx = keras.layers.BatchNormalization()(x)\nx = keras.layers.Activation("relu")(x)',
    },
  ],
  exploding: [
    {
      title: 'Clip the global norm',
      why: 'One large step can undo all that was learnt.',
      snippet: 'keras.optimizers.Adam(1e-3, global_clipnorm=1.0)',
    },
  ],
  nonfinite: [
    {
      title: 'Lower the learning rate',
      why: 'The weights left the range in which the loss is finite.',
      snippet: 'keras.optimizers.SGD(learning_rate=1e-3)',
    },
  ],
  dead: [
    {
      title: 'Use LeakyReLU',
      why: 'It has a gradient for negative inputs too.',
      snippet: 'keras.layers.LeakyReLU(negative_slope=0.01)',
    },
  ],
};

const finding = (kind, layers, since, last, extra) => ({
  kind,
  severity: 'critical',
  layers,
  since_step: since,
  last_step: last,
  active: true,
  evidence: {},
  cause: '',
  remedies: REMEDIES[kind],
  ...extra,
});

const bell = (x, middle, width) => Math.exp(-0.5 * ((x - middle) / width) ** 2);

function histograms(steps, level, variables) {
  const shown = steps.filter((_, i) => i % Math.ceil(steps.length / 150) === 0);
  const edges = Array.from({ length: 41 }, (_, i) => -10 + i * 0.30103);
  return {
    steps: shown,
    log10_edges: edges,
    variables: variables.map(({ path }) => {
      const rows = shown.map((step) => {
        const at = level(step);
        const zero = at === 'zero' ? 1 : 0.04;
        const nan = at === 'nan' ? 0.41 : 0;
        const middle = typeof at === 'number' ? at - 2.5 : -3;
        const raw = edges
          .slice(1)
          .map((e) => bell(e, middle, 0.8) + 0.25 * bell(e, middle - 1.4, 1.1));
        const total = raw.reduce((a, b) => a + b, 0);
        const rest = Math.max(0, 1 - zero - nan);
        return {
          zero,
          nan,
          negative: raw.map((r) => (0.45 * rest * r) / total),
          positive: raw.map((r) => (0.55 * rest * r) / total),
        };
      });
      return {
        path,
        negative: rows.map((r) => r.negative),
        positive: rows.map((r) => r.positive),
        zero: rows.map((r) => r.zero),
        nan: rows.map((r) => r.nan),
        inf: rows.map(() => 0),
      };
    }),
  };
}

/** What maps of a layer there are; every other layer plays a convolution. */
function gradientMaps(path, steps) {
  const conv = /conv|[02468]$/.test(path);
  const shape = conv ? [3, 3, 64, 300] : [64, 64];
  const reduced = conv ? [64, 100] : [64, 64];
  return [0.2, 0.6, 1].map((at) => ({
    variable: `${path}/kernel`,
    step: steps[Math.floor(at * (steps.length - 1))],
    shape,
    slices: conv ? [3, 3] : [],
    reduced,
  }));
}

/** A run from a function level(row, step) -> decades, 'nan', 'zero' or 'missing'. */
function makeRun({
  name,
  layers,
  steps,
  level,
  findings,
  loss,
  activation = 'sigmoid',
  problems = [],
  logged = steps.length,
  metrics = true,
}) {
  const walls = steps.map((step) => START + step * 0.4);
  const active = findings.filter((f) => f.active);
  const verdict = active.length > 0 ? 'unhealthy' : 'healthy';
  const kinds = [...new Set(findings.map((f) => f.kind))].toSorted();
  const range = { first: steps[0], last: steps.at(-1), logged };
  const summary = {
    name,
    verdict,
    kinds,
    steps: range,
    sick_layers: new Set(active.flatMap((f) => f.layers)).size,
    start_time: START,
  };
  const codes = new Uint8Array(layers.length * steps.length);
  layers.forEach((_, row) =>
    steps.forEach((step, i) => {
      codes[row * steps.length + i] = encode(level(row, step));
    }),
  );
  const random = noise(7);
  const values = steps.map((step) => loss(step, random()));
  const epochs = steps.filter((_, i) => i % 12 === 11);
  const series = [
    { name: 'loss', label: 'loss', kind: 'loss', steps, wall_times: walls, values },
    {
      name: 'loss',
      label: 'val_loss',
      kind: 'loss',
      steps: epochs,
      wall_times: epochs,
      values: epochs.map((s) => {
        const l = loss(s, 0);
        return l === null ? null : l * 1.06 + 0.02;
      }),
    },
  ];
  if (metrics) {
    series.push(
      {
        name: 'accuracy',
        label: 'accuracy',
        kind: 'metric',
        steps: epochs,
        wall_times: epochs,
        values: epochs.map((s) => 0.1 + 0.8 * (1 - Math.exp(-s / 90))),
      },
      {
        name: 'learning_rate',
        label: 'learning_rate',
        kind: 'learning_rate',
        steps,
        wall_times: walls,
        values: steps.map((s) => 1e-3 * 0.5 ** Math.floor(s / 120)),
      },
    );
  }
  return {
    summary,
    run: {
      name,
      verdict,
      kinds,
      steps: range,
      findings,
      model: {
        name: 'sequential',
        optimizer: 'Adam',
        loss: 'categorical_crossentropy',
        backend: 'tensorflow',
      },
      layers: [
        ...layers.map((path) => ({
          path,
          type: 'Dense',
          activation,
          initializer: 'GlorotUniform',
          trainable: true,
          parameters: 4160,
          recorded: true,
        })),
        {
          path: 'dropout',
          type: 'Dropout',
          activation: null,
          initializer: null,
          trainable: true,
          parameters: 0,
          recorded: false,
        },
      ],
      rules: RULES,
      problems,
    },
    heatmap: {
      steps,
      wall_times: walls,
      layers,
      codes: Buffer.from(codes).toString('base64'),
      sick: findings.flatMap((f) =>
        f.layers.map((path) => [layers.indexOf(path), f.kind, f.since_step, f.last_step, f.active]),
      ),
    },
    scalars: { series },
    norms: {
      steps,
      wall_times: walls,
      layers,
      log10_min: -12,
      log10_step: 1 / 16,
      codes: Buffer.from(
        layers.flatMap((_, row) =>
          steps.map((step) => {
            const at = level(row, step);
            const code = Math.round(3 + 16 * (12 + at));
            return typeof at === 'number'
              ? Math.max(3, Math.min(255, code))
              : { missing: 0, nan: 1, zero: 2 }[at];
          }),
        ),
      ).toString('base64'),
    },
    map: (variable, step) => {
      const found = gradientMaps(variable.slice(0, variable.lastIndexOf('/')), steps).find(
        (map) => map.variable === variable && map.step === step,
      );
      if (!found) return null;
      const { shape, reduced, slices } = found;
      const [n0, n1] = [...slices, 1, 1];
      const [rows, columns] = reduced;
      const random = noise(step + shape.length);
      const codes = Int8Array.from({ length: n0 * n1 * rows * columns }, (_, i) => {
        const column = i % columns;
        const row = Math.floor(i / columns) % rows;
        const wave = Math.sin(row / 5) * Math.cos(column / 7 + Math.floor(i / rows / columns));
        return Math.round(90 * wave * Math.exp(-column / columns) + 30 * random());
      });
      codes[columns + 3] = -128;
      return {
        variable,
        step,
        shape,
        axes: [shape.length - 2, shape.length - 1],
        others: [],
        slices,
        reduced,
        scale: 0.0123,
        codes: Buffer.from(codes.buffer).toString('base64'),
      };
    },
    layer: (path) => {
      const row = layers.indexOf(path);
      if (row < 0) return null;
      const random = noise(row + 1);
      const at = (step) => level(row, step);
      const number = (step, scale) => {
        const l = at(step);
        return l === 'zero'
          ? 0
          : typeof l === 'number'
            ? scale * 10 ** (l + random() * 0.12)
            : null;
      };
      const variable = (role, shape, scale) => {
        const norm = steps.map((s) => number(s, scale));
        const flat = (v) => steps.map(() => v);
        return {
          path: `${path}/${role}`,
          role,
          shape,
          norm,
          rms: norm,
          mean: norm,
          std: norm,
          max_abs: norm,
          zero_fraction: flat(0.04),
          nan_count: steps.map((s) => (at(s) === 'nan' ? 1680 : 0)),
          inf_count: flat(0),
          weight_norm: flat(8.1),
          update_norm: norm,
          update_ratio: steps.map((s) => number(s, 1e-3)),
        };
      };
      const variables = [variable('kernel', [64, 64], 0.3), variable('bias', [64], 0.05)];
      return {
        layer: path,
        steps,
        wall_times: walls,
        variables,
        level: steps.map((s) => (typeof at(s) === 'number' ? at(s) : null)),
        histograms: histograms(steps, at, variables),
        weights: histograms(steps, () => 1, variables),
        activations: histograms(steps.slice(-40), (s) => 2 + s / 1000, [{ path }]),
        maps: gradientMaps(path, steps),
      };
    },
  };
}

function sick(last = 168) {
  const layers = Array.from({ length: 12 }, (_, i) => `dense_${i}`);
  const random = noise(3);
  return makeRun({
    name: 'sigmoid_12_layers',
    layers,
    steps: autoSteps(last),
    level: (row, step) => -(11 - row) * 0.47 * (1 - 0.3 * Math.exp(-step / 4)) + random() * 0.15,
    loss: (step, n) => 2.31 + 0.4 * Math.exp(-step / 12) + n * 0.05,
    findings: [
      finding('vanishing', layers.slice(0, 5), 3, last, {
        evidence: {
          attenuation_decades: 5.17,
          worst_layer: 'dense_0',
          depth_slope_decades: 0.47,
          influence_decades: -6.2,
          silent_layers: 0,
          first_layer_norm: 3.1e-7,
          last_layer_norm: 0.262,
          loss: 2.309,
          baseline_loss: 2.301,
          learning_rate: 1e-3,
        },
        cause:
          'The gradient shrinks by 5.17 decades (0.47 a layer) on its way back to dense_0: a sigmoid’s slope is at most 1/4; the loss does not fall.',
      }),
    ],
  });
}

function healthy() {
  const layers = ['conv', 'conv_1', 'batch_normalization', 'dense', 'dense_1', 'logits'];
  const random = noise(5);
  return makeRun({
    name: 'healthy_cnn',
    layers,
    steps: autoSteps(4000),
    activation: 'relu',
    level: (row) => -Math.abs(random()) * 0.9 - row * 0.05,
    findings: [],
    loss: (step, n) => 2.3 * Math.exp(-step / 900) + 0.05 + n * 0.08,
  });
}

function healed() {
  const run = healthy();
  run.summary.name = run.run.name = 'healed';
  run.run.findings = [
    finding('exploding', ['conv', 'conv_1'], 120, 410, {
      severity: 'warning',
      active: false,
      evidence: { sign: 'growth', norm_growth_decades: 1.4, update_ratio: 0.21 },
      cause: 'Gradients grew by 1.4 decades after step 120: too large a learning rate.',
    }),
  ];
  run.run.kinds = run.summary.kinds = ['exploding'];
  run.heatmap.sick = [
    [0, 'exploding', 120, 410, false],
    [1, 'exploding', 120, 410, false],
  ];
  return run;
}

function exploding() {
  const layers = [
    'embedding',
    'lstm',
    'lstm_1',
    'dense',
    'dense_1',
    'dense_2',
    'dense_3',
    'logits',
  ];
  const random = noise(9);
  return makeRun({
    name: 'rnn_explodes',
    layers,
    steps: autoSteps(900),
    activation: 'tanh',
    level: (row, step) => {
      if (step > 760 && row < 6) return 'nan';
      if (row === 4 && step > 300) return 'zero';
      if (row === 0 && step % 7 === 0) return 'missing';
      const growth = row === 1 || row === 2 ? Math.max(0, (step - 400) / 100) : 0;
      return growth + random() * 0.4;
    },
    loss: (step, n) =>
      step > 760
        ? null
        : 1.2 * Math.exp(-step / 300) + 0.2 + n * 0.05 + Math.max(0, (step - 600) / 40) ** 2,
    findings: [
      finding('nonfinite', layers.slice(0, 6), 765, 900, {
        evidence: {
          origin: 'lstm',
          arises_in: 'backward pass',
          nan_elements: 10240,
          inf_elements: 3,
          share_of_elements: 0.41,
          share_of_variables: 0.75,
          loss: 'nan',
          last_finite_loss: 17.2,
          learning_rate: 0.01,
        },
        cause:
          'The loss and its gradients are NaN or Inf at step 765: the updates had grown too large at learning rate 0.01.',
      }),
      finding('exploding', ['lstm', 'lstm_1'], 480, 900, {
        evidence: {
          sign: 'growth',
          norm_growth_decades: 3.61,
          largest_norm: 61234.5,
          update_ratio: 0.31,
          depth_slope_decades: -0.1,
          loss: 17.2,
          first_loss: 1.4,
          baseline_loss: null,
          learning_rate: 0.01,
        },
        cause:
          'Gradients grew by 3.61 decades after step 480: the recurrent weights amplify them at each time step.',
      }),
      finding('dead', ['dense_1'], 310, 900, {
        severity: 'warning',
        evidence: {
          zero_layers: 1,
          judged_layers: 8,
          zero_since_step: 310,
          zero_points: 41,
          had_gradient_before: 1,
          learning_rate: 0.01,
        },
        cause:
          'The gradient of 1 layer is exactly zero since step 310: its units no longer respond to any input.',
      }),
    ],
    problems: [
      'rnn_explodes/gradients: 3 logged steps have statistics of another model and are not shown',
    ],
  });
}

function huge() {
  const kinds = ['conv1', 'conv2', 'attention/query', 'attention/key', 'mlp/up', 'mlp/down'];
  const layers = Array.from(
    { length: 300 },
    (_, i) => `encoder/block_${Math.floor(i / 6)}/${kinds[i % 6]}`,
  );
  const steps = Array.from({ length: 1000 }, (_, i) => 10 + i * 10);
  const drift = layers.map((_, i) => noise(i)() * 1.2);
  const sickRows = new Set([4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  return makeRun({
    name: 'encoder_300_layers',
    layers,
    steps,
    logged: 5300,
    activation: 'gelu',
    level: (row, step) => {
      if (row === 172 && step > 9000) return 'nan';
      if (row === 30 && step > 6500) return 'zero';
      const base = drift[row] * Math.min(1, step / 5000) + Math.sin(row * 13.7 + step / 300) * 0.15;
      if (sickRows.has(row)) return base - Math.max(0, (step - 3000) / 1500);
      return row === 171 ? base + Math.max(0, (step - 7000) / 700) : base;
    },
    loss: (step, n) =>
      2.2 * Math.exp(-step / 2500) + 0.1 + n * 0.06 + Math.max(0, (step - 9000) / 400),
    findings: [
      finding('nonfinite', [layers[172]], 9010, 10000, {
        evidence: { origin: layers[172], nan_elements: 60457, share_of_elements: 0.00004 },
        cause:
          'Gradients of 1 layer are NaN or Inf at step 9010: the backward pass overflowed float16.',
      }),
      finding(
        'vanishing',
        [...sickRows].map((r) => layers[r]),
        4800,
        10000,
        {
          evidence: { attenuation_decades: 4.6, worst_layer: layers[4] },
          cause:
            'The gradient shrinks by 4.6 decades on its way back through the first blocks; the loss falls all the same.',
          severity: 'warning',
        },
      ),
      finding('dead', [layers[30]], 6510, 10000, {
        evidence: { zero_points: 350 },
        cause: 'The gradient of 1 layer is exactly zero since step 6510.',
        severity: 'warning',
      }),
      finding('exploding', [layers[171]], 7900, 10000, {
        evidence: { norm_growth_decades: 4.2 },
        cause: 'Gradients grew by 4.2 decades after step 7900.',
        severity: 'warning',
      }),
    ],
  });
}

function hostile() {
  const layers = [
    '<img src=x onerror="document.title=\'owned\'">',
    '"><script>document.title="owned"</script>',
    '../../etc/passwd?a=b&c=d#e',
    '層_🔥_слой',
    `${'very_long_module_name/'.repeat(12)}kernel`,
  ];
  return makeRun({
    name: '<b onmouseover=alert(1)>run & "quotes" \'%s\' #1</b>',
    layers,
    steps: autoSteps(60),
    level: (row) => -row,
    loss: (step) => 1 / step,
    metrics: false,
    findings: [
      finding('<i>odd kind</i>', layers, 5, 60, {
        remedies: [
          {
            title: '<u>title</u>',
            why: '<s>why</s>',
            snippet: '</pre><script>document.title="owned"</script>',
          },
        ],
        evidence: { '<b>name</b>': '<b>value</b>', list: [1, 2.5, null, 1e-9] },
        cause: '<script>document.title="owned"</script>',
      }),
    ],
    problems: ['<img src=x onerror=alert(1)> could not be read'],
  });
}

export function fixtures(liveStep) {
  return [
    sick(),
    healthy(),
    healed(),
    exploding(),
    huge(),
    hostile(),
    ...(liveStep ? [sick(liveStep)] : []),
  ];
}
