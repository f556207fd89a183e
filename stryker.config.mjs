// Mutation testing of the rooms of tokens and of graphs: faults are put into the code one by one, and a test must notice each.
export default {
  mutate: ['src/token/**/*.ts', 'src/dag/**/*.ts'],
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutation.config.ts' },
  // Type checking of mutants is left out: the tests alone must notice them.
  checkers: [],
  // The tool rewrites tsconfig.json in its sandbox; there is none of this name, so it leaves ours alone.
  tsconfigFile: 'tsconfig.none.json',
  coverageAnalysis: 'perTest',
  concurrency: 2,
  timeoutMS: 20_000,
  reporters: ['clear-text', 'json'],
  jsonReporter: { fileName: 'coverage/mutation.json' },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  thresholds: { high: 95, low: 90, break: 85 },
  tempDirName: 'coverage/stryker',
  ignorePatterns: ['coverage', 'data', 'docs', 'bench', 'demo', '.venv-interop', '.venv-moto'],
};
