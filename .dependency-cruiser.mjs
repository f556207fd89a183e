// Imports point one way. Each room may import what its row lists, itself, and nothing else of src; the front door of
// another room is its index.ts. `gen` and `events` belong to the edges.

const core = {
  errors: [],
  pace: ['errors'],
  keys: ['errors'],
  token: ['errors', 'keys'],
  dag: ['errors', 'pace'],
  ledger: ['errors', 'pace'],
  custody: ['errors', 'keys', 'token', 'ledger'],
  authority: ['errors', 'pace', 'keys', 'token', 'dag', 'ledger', 'custody'],
};

const rooms = {
  ...core,
  files: ['file-type', 'privacy'],
  'file-type': [],
  privacy: [],
  'system-faults': ['file-type'],
  'listen-fault': [],
  probe: [],
  'v8-options': [],
  limits: ['errors', 'authority'],
  events: ['errors', 'event-lines', 'event-output', 'limits', 'metrics'],
  'event-output': ['event-file'],
  'event-file': [],
  'event-lines': ['errors'],
  version: [],
  metrics: ['version'],
  config: [],
  signers: ['errors', 'files', 'keys', 'system-faults'],
  stores: ['errors', 'pace', 'ledger', 'authority', 'file-type', 'system-faults'],
  callers: ['errors', 'authority'],
  'data-dir': ['errors', 'file-type', 'files', 'ledger', 'system-faults'],
  h2: [],
  rpc: ['errors', 'pace', 'events', 'gen', 'h2', 'limits', 'keys', 'token', 'dag', 'ledger', 'custody', 'authority'],
  'signing-keys': [
    'authority',
    'callers',
    'config',
    'custody',
    'data-dir',
    'events',
    'file-type',
    'keys',
    'ledger',
    'reload',
    'signers',
  ],
  reload: ['file-type'],
  'trusted-keys': ['keys'],
  'certificate-term': [],
  'expiry-watch': ['certificate-term'],
  'setting-file': ['data-dir', 'reload', 'system-faults'],
  'tls-files': ['certificate-term', 'config', 'data-dir', 'reload', 'setting-file'],
  'trust-file': ['keys', 'token', 'authority', 'data-dir', 'reload', 'setting-file'],
  'config-problems': ['data-dir', 'errors', 'signers'],
  'data-dir-check': ['config', 'config-problems', 'data-dir', 'stores', 'system-faults'],
  'config-check': [
    'config',
    'config-problems',
    'data-dir',
    'data-dir-check',
    'errors',
    'events',
    'file-type',
    'listen-fault',
    'reload',
    'signers',
    'signing-keys',
    'tls-files',
    'trust-file',
  ],
  signals: [],
  workers: ['events', 'signals'],
  cli: ['version', 'system-faults', 'errors', 'gen', 'keys', 'token', 'ledger', 'custody', 'authority', 'stores'],
};

/** `errors` is a file, `keys` a folder. */
const pathOf = (room) => `(?:${room}/|${room}\\.ts$)`;

const oneWay = Object.entries(rooms).map(([room, allowed]) => ({
  name: `${room}-imports`,
  comment: `${room} may import: ${allowed.join(', ') || 'nothing of src'}`,
  severity: 'error',
  from: { path: `^src/${pathOf(room)}` },
  to: { path: '^src/', pathNot: `^src/(?:${[room, ...allowed].map(pathOf).join('|')})` },
}));

const frontDoors = [
  'keys',
  'token',
  'dag',
  'ledger',
  'custody',
  'authority',
  'h2',
  'limits',
  'reload',
  'workers',
  'stores/[^/]+',
  'signers/[^/]+',
].map((room) => ({
  name: `front-door-${room}`,
  comment: 'other rooms enter by index.ts',
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${room}/` },
  to: { path: `^src/${room}/`, pathNot: `^src/${room}/index\\.ts$` },
}));

export default {
  forbidden: [
    ...oneWay,
    ...frontDoors,
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'composition-root',
      comment: 'only the process composes the service',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/process\\.ts$' },
      to: { path: '^src/service\\.ts$' },
    },
    {
      name: 'core-is-pure',
      comment: 'the core knows no transport, storage, environment or clock',
      severity: 'error',
      from: { path: `^src/(?:${Object.keys(core).map(pathOf).join('|')})` },
      to: {
        dependencyTypes: ['core', 'npm'],
        pathNot: '^(?:node:)?(?:crypto|buffer|timers/promises)$|node_modules/(?:jose|canonicalize)/',
      },
    },
    {
      name: 'not-resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-dev-dependencies',
      comment: 'what runs in production is a dependency',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
