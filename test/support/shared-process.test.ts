// Test files that share a process (vitest.config.ts) import no module that registers hooks: a module is loaded once in a process, so its
// hooks would run for the first file only.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import config from '../../vitest.config.ts';

const root = join(import.meta.dirname, '../..');
const HOOKS = ['beforeAll', 'beforeEach', 'afterEach', 'afterAll'];

interface Module {
  /** The imports below `test/`, except type imports. */
  readonly imports: readonly string[];
  /** The hooks that are registered when the module is loaded. */
  readonly hooks: readonly string[];
}

const modules = new Map<string, Module>();

function moduleAt(path: string): Module {
  const known = modules.get(path);
  if (known !== undefined) return known;
  const module = parsedModule(path, readFileSync(join(root, path), 'utf8'));
  modules.set(path, module);
  return module;
}

function parsedModule(path: string, text: string): Module {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports = source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const isType = ts.isImportDeclaration(statement)
      ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : statement.isTypeOnly;
    const { moduleSpecifier } = statement;
    if (isType || moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier)) return [];
    const target = normalize(join(dirname(path), moduleSpecifier.text));
    return moduleSpecifier.text.startsWith('.') && target.startsWith('test/') && target.endsWith('.ts') ? [target] : [];
  });
  const hooks: string[] = [];
  function visit(node: ts.Node): void {
    // Code in a function runs for each caller.
    if (ts.isFunctionLike(node)) return;
    if (ts.isCallExpression(node) && HOOKS.includes(node.expression.getText())) hooks.push(node.expression.getText());
    ts.forEachChild(node, visit);
  }
  // Most modules have none.
  if (HOOKS.some((hook) => text.includes(hook))) visit(source);
  return { imports, hooks };
}

/** Returns the modules with hooks that a file imports, directly or indirectly. */
function hookedImports(file: string): readonly string[] {
  const seen = new Set([file]);
  for (const path of seen) for (const imported of moduleAt(path).imports) seen.add(imported);
  return [...seen].filter((path) => path !== file && moduleAt(path).hooks.length > 0);
}

/** The patterns of the files that share a process. */
function sharedPatterns(): readonly string[] {
  const projects = config.test?.projects ?? [];
  return projects.flatMap((project) =>
    typeof project === 'object' && 'test' in project && project.test?.isolate === false
      ? (project.test.include ?? [])
      : [],
  );
}

test('a file that shares a process imports no module with hooks; otherwise its name belongs in ALONE', () => {
  const files = globSync([...sharedPatterns()], { cwd: root });
  expect(files.length).toBeGreaterThan(100);
  const found = files.flatMap((file) => hookedImports(file).map((module) => `${file} imports ${module}`));
  expect(found).toEqual([]);
});

test('hooks are found where a module is loaded, not in its functions', () => {
  const text = `
    import { a } from './a.ts';
    import type { B } from './b.ts';
    export { c } from '../c.ts';
    beforeAll(() => undefined);
    if (a) afterEach(() => undefined);
    export function each(): void { afterAll(() => undefined); }`;
  expect(parsedModule('test/room/module.ts', text)).toEqual({
    imports: ['test/room/a.ts', 'test/c.ts'],
    hooks: ['beforeAll', 'afterEach'],
  });
});
