import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// The attacks measure what others notice of them, so they run when all other tests are over, and one file at a time.
const HOSTILE = 'test/hostile/**/*.test.ts';
/** A run that names them runs all of them; a run of everything contains a few. */
const isHostileNamed = process.argv.some((argument) => argument.includes('test/hostile'));

// `npm test` is for each commit: it leaves out the attacks, what starts the process dozens of times, and what shows the work of other
// programs than npm brings, whose rules other tests have too. `npm run test:full`, and a run that names files, leaves out nothing.
const isFull = process.env['ECT_TEST_FULL'] === '1' || process.argv.some((argument) => argument.startsWith('test/'));
/** Of the tests of the real process, the ones that every commit needs. */
const SHORT = 'browsers|clock-in-process|crash-output|first-minute|identity|lifecycle|postgres|secrets|storage|trust';
const LONG = [
  `test/service/!(${SHORT}).test.ts`,
  'test/service/stops/**',
  'test/package/{install,release}.test.ts',
  'test/examples/{compose-processes,schemas}.test.ts',
  'test/examples/clients/**',
  'test/conformance/**',
  'test/interop/{buf-curl,curl,go-*,moto,python*,spire}.test.ts',
  'test/docs/{mesh,tour}.test.ts',
  'test/{breaking,demo}.test.ts',
  'test/stores/postgres/{failover,full-disk,pooler}.test.ts',
  'test/stores/redis/{cluster,random-faults}.test.ts',
  'test/{bench,kms-double}/main.test.ts',
  'test/bench/process-cost.test.ts',
  'test/chaos/checker.test.ts',
  'test/backup/{bounded,documented,killed,online,restore-killed}.test.ts',
];

// A process of its own for a file of tests takes a quarter of a second of CPU, most of it to load the same modules. Where tests start no
// other processes, and leave nothing behind in their own, the files share one.
const ROOMS = [
  'api|authority|callers|calls|clock|concurrency|config|config-files|dag|http2-server|key-manager|keys|ledger',
  'limits|policy|reload|startup|telemetry|token|transport|trust|workers',
].join('|');
/**
 * Large ones: what their modules hold would make every collection of garbage in a shared process longer. And those that import a module
 * with hooks (`beforeAll`) of its own: a module is loaded once in a process, so its hooks would run for the first of them only.
 */
const ALONE = [
  'call-context|decompress|differential|encoder|event-loop|examine.property|graph-messages|hostile-texts|incident|late-commit',
  'ledger-facts|many-events|open-calls|proof|properties|read-message|response-size|response-size-limits|scale|server|write-message',
  'admission|broken-requests|calls|foreign-issuers|large-requests|messages|paid-decisions|read-in-vain|request-body|rejected-messages|router',
].join('|');
/** Files of other folders that may share a process too. */
const LIGHT = [
  'test/errors.test.ts',
  'test/bench/{cpu-profile,http2-frames,loops,replicas,report-html,report-table,rounds,scaling,statistics}.test.ts',
  'test/bench/figures/overload.test.ts',
  'test/cli/{confirm,failure,json-files,keygen,kid-argument,output,policy,program,token-file,trust,values}.test.ts',
  'test/cli/whole-responses.test.ts',
  'test/files/privacy.test.ts',
  'test/fuzz/{header-rules,legal-tokens,round-trip,signed-again}.test.ts',
  'test/runtime/{descriptors,shutdown}.test.ts',
  'test/signers/aws-kms/{breaker,pin-file,rate-limit}.test.ts',
  'test/signers/local/{passphrase,signer}.test.ts',
  'test/stores/*.test.ts',
  'test/stores/memory/*.test.ts',
  'test/stores/postgres/{primary-search,recorded-ledger}.test.ts',
  'test/stores/redis/{examine-server,failures}.test.ts',
  'test/stores/sqlite/{durability,expiring-key-damage,failures,files-in-place,idempotency-store}.test.ts',
];
const SHARED = [`test/+(${ROOMS})/**/!(${ALONE}).test.ts`, ...LIGHT];

// Each of these takes one minute or two, starting the service over and over. CI has no time for all: each of its runs takes one of
// each row, ECT_TEST_TURN. `npm run test:full` runs them all.
const MINUTES = [
  [
    'service/clock-jumps',
    'service/disk-failures',
    'service/{history-check,history-marks}',
    'service/start-without-kms',
  ],
  ['service/ownership', 'service/signals', 'service/{workers,worker-ends}', 'service/replaced-files'],
  ['package/install', 'package/release', 'package/install', 'package/release'],
  ['transport/parity/open-calls', 'service/descriptors', 'service/drain-clients', 'service/{reload,reload-keys}'],
];
const turn = process.env['ECT_TEST_TURN'];
const NOT_IN_TURN = MINUTES.flatMap((row) =>
  row.filter((_, place) => turn !== undefined && place !== Number(turn) % row.length),
).map((name) => `test/${name}.test.ts`);

export default defineConfig({
  test: {
    // Half the time of a short process is the reading of its sources: those that tests start share what was read once.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/tests') },
    globalSetup: ['test/support/run-directory.ts'],
    setupFiles: ['test/support/each-file.ts'],
    projects: [
      {
        extends: true,
        test: { name: 'rooms', include: SHARED, exclude: isFull ? NOT_IN_TURN : LONG, isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['test/**/*.test.ts'],
          exclude: [...SHARED, HOSTILE, ...(isFull ? NOT_IN_TURN : LONG)],
        },
      },
      {
        extends: true,
        test: {
          name: 'hostile',
          include: isFull ? [HOSTILE] : [],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          globalSetup: ['test/hostile/support/figures.ts'],
          env: isHostileNamed ? { HOSTILE_ALL: '1' } : {},
        },
      },
    ],
    // Half a megabyte of new space to begin with, and 16 at most, would have tests spend a tenth of their time on its collection.
    execArgv: ['--min-semi-space-size=16', '--max-semi-space-size=32'],
    // Tests wait for processes and timers a good part of their time: with one worker a core, two cores were idle for a third of a run.
    maxWorkers: Math.ceil((isFull ? 1.5 : 2) * availableParallelism()),
    // For what hangs, not for what is slow: on a busy machine a test may take ten times as long as on an idle one.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    coverage: {
      provider: 'v8',
      include: ['src/{keys,token,dag,ledger,authority,key-manager,http2-server}/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: {
        // The core rooms: what is not covered there is not known to hold.
        'src/{keys,token,dag,ledger,authority,key-manager,http2-server}/**': { lines: 95 },
      },
    },
  },
});
